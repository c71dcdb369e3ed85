// bkd data verify on folders as people have them: what cannot be read, what stands under two classes, in both splits,
// or twice.
#include "engine/file.h"
#include "engine/json.h"
#include "tests/data/picture_bytes.h"
#include "tests/engine/temporary_folder.h"
#include "tests/tools/program.h"

#include <filesystem>

namespace bkd::test {
namespace {

namespace fs = std::filesystem;

struct Folder : bkd_test::TemporaryFolder {
    void put(const std::string& name, const Content& bytes) const {
        fs::create_directories((path() / name).parent_path());
        write_file_atomically(path() / name, bytes, Overwrite::yes);
    }
    Said verify(const std::string& more = "") const {
        return run_program(path().string(),
                           "data verify image_folder --root " + (path() / "set").string() + " " + more);
    }
};

}

TEST_CASE("verify: a sound folder is exit code 0, with counts") {
    const Folder folder;
    folder.put("set/train/a/1.jpg", small_picture("jpeg_420")),
        folder.put("set/train/b/1.png", small_picture("png_rgb_8"));
    folder.put("set/val/a/1.jpg", small_picture("jpeg_grey"));
    const Said said = folder.verify();
    CHECK(said.code == 0);
    CHECK(contains(said.out, "train  2 samples of 2 classes, 0 of them cannot be read"));
    CHECK(contains(said.out, "test   1 samples of 2 classes, 0 of them cannot be read; 1 classes have none"));
}

TEST_CASE("verify: each bad picture is named with its reason, listed in a file and as JSON, and is exit code 1") {
    const Folder folder;
    const Content whole = small_picture("jpeg_420");
    folder.put("set/train/a/cut.jpg", cut(whole, whole.size() / 2));
    folder.put("set/train/a/empty.jpg", {});
    folder.put("set/train/a/text.jpg", content_of("not a picture"));
    folder.put("set/train/a/page.jpg", content_of("<!DOCTYPE html>"));
    folder.put("set/train/a/gif.jpg", content_of("GIF89a..........."));
    folder.put("set/train/a/huge.png", png_signature() + png_header(60000, 60000, 8, 0) + png_end());
    folder.put("set/train/a/good.jpg", whole), folder.put("set/train/b/good.png", small_picture("png_rgb_8"));
    folder.put("set/test/b/a\nb.png", content_of("x"));
    const std::string list = (folder.path() / "bad.txt").string();
    const Said said = folder.verify("--list-bad " + list);
    CHECK(said.code == 1);
    for (const char* line :
         {"E0433 train/a/cut.jpg: image is cut off", "E0433 train/a/empty.jpg", "E0434 train/a/gif.jpg",
          "E0436 train/a/huge.png", "E0434 train/a/page.jpg", "E0434 train/a/text.jpg", "test/b/a\\x0ab.png"})
        CHECK_MESSAGE(contains(said.out, line), line);
    CHECK(text_of_file(list).starts_with("train/a/cut.jpg\ntrain/a/empty.jpg\n"));
    CHECK(folder.verify("--list-bad " + list).code == 6);  // never over a file that is there

    const Said json = folder.verify("--json --threads 1");
    const Json document = Json::parse(json.out, "stdout");
    CHECK(json.code == 1);
    CHECK(document.at("schema") == "bkd.data-verify/1");
    CHECK(document.at("bad").elements().size() == 7);
    CHECK(document.at("bad").elements()[0].at("path") == "train/a/cut.jpg");
    CHECK(document.at("splits").elements()[0].at("n") == 8);
}

TEST_CASE("verify: the same bytes under two classes, in training and test, twice, and what is odd") {
    const Folder folder;
    folder.put("set/train/a/1.jpg", small_picture("jpeg_420")),
        folder.put("set/train/b/1.jpg", small_picture("jpeg_420"));
    folder.put("set/train/a/2.png", small_picture("png_rgb_8")),
        folder.put("set/test/a/2.png", small_picture("png_rgb_8"));
    folder.put("set/train/b/3.png", small_picture("png_rgba_8")),
        folder.put("set/train/b/4.png", small_picture("png_rgba_8"));
    const Said said = folder.verify();
    CHECK(said.code == 1);
    CHECK(contains(said.out, "under two classes: 1\n  train/a/1.jpg (a) = train/b/1.jpg (b)"));
    CHECK(contains(said.out, "in training and test: 1\n  train/a/2.png (a) = test/a/2.png (a)"));
    CHECK(contains(said.out, "twice: 1\n  train/b/3.png (b) = train/b/4.png (b)"));
    CHECK(contains(said.out, "2 alpha is dropped"));
    fs::remove(folder.path() / "set/train/b/1.jpg"), fs::remove(folder.path() / "set/test/a/2.png");
    folder.put("set/test/a/9.png", small_picture("png_grey_8"));
    CHECK(folder.verify().code == 0);  // twice in one class of one split is told, no more
}

TEST_CASE("verify: what it cannot do is refused, and a set in memory is opened whole") {
    const Folder folder;
    CHECK(folder.verify().code == 5);
    CHECK(run_program(folder.path().string(), "data verify cifar11").code == 3);
    CHECK(run_program(folder.path().string(), "data verify").code == 2);
    CHECK(run_program(folder.path().string(), "data verify toy --ratio 3").code == 2);
    CHECK(run_program(folder.path().string(), "data stats toy --list-bad x").code == 2);
    const Said toy = run_program(folder.path().string(), "data verify toy");
    CHECK(toy.code == 0);
    CHECK(contains(toy.out, "train  5000 samples of 10 classes"));
}

}
