// Lists and folders of pictures: what is listed, in which order, and what is refused where.
#include "data/picture_list.h"
#include "tests/data/fixtures.h"
#include "tests/data/picture_bytes.h"

#include <sys/stat.h>

#include <algorithm>

namespace bkd::test {
namespace {

namespace fs = std::filesystem;

// A refusal on one line.
std::string brief(const std::function<void()>& action) {
    try {
        action();
    } catch (const InputError& error) {
        const InputError::Parts& parts = error.parts();
        return fmt::format("{} {} | at: {} | try: {}", error.id(), parts.what, parts.at, parts.try_);
    }
    return {};
}

std::string refusal(std::string_view text) {
    return brief([&] { parse_picture_list(text, "list.txt"); });
}

std::vector<std::string> lines_of(const PictureList& list) {
    std::vector<std::string> lines;
    for (std::int64_t i = 0; i < list.size(); ++i)
        lines.push_back(fmt::format("{} {}", list.path(i), list.labels[static_cast<std::size_t>(i)]));
    return lines;
}

fs::path touch(const TemporaryFolder& folder, const std::string& name) { return folder.write(name, content_of("x")); }

}

TEST_CASE("a list's lines are paths and labels: blanks in paths, tabs, CR, empty lines, a mark and no last end") {
    const PictureList list = parse_picture_list("\xef\xbb\xbf"
                                                "a b/c d.png\t12\r\n\r\n  e.jpg   3 \nlast.jpg 999999",
                                                "list.txt");
    CHECK(lines_of(list) == std::vector<std::string>{"a b/c d.png 12", "e.jpg 3", "last.jpg 999999"});
}

TEST_CASE("a wrong line is named with its number and what it lacks") {
    CHECK(contains(refusal("a.jpg 0\ntrain_val"), "E0431 a path without a label | at: list.txt:2"));
    CHECK(contains(refusal("a.jpg x\n"), "E0431 \"x\" is no label | at: list.txt:1"));
    CHECK(contains(refusal("a.jpg,3\n"), "E0431"));
    CHECK(contains(refusal("a b.jpg,3\n"), "blanks in place of commas"));
    CHECK(contains(refusal("a.jpg -1\n"), "label -1 is out of range 0..999999"));
    CHECK(contains(refusal("a.jpg 1000000\n"), "label 1000000 is out of range"));
    CHECK(contains(refusal("a.jpg 99999999999999999999\n"), "label 99999999999999999999 is out of range"));
    CHECK(contains(refusal("a.jpg 1.5\n"), "\"1.5\" is no label"));
    CHECK(contains(refusal(std::string_view("a\0b.jpg 1\n", 10)), "E0406 \"a\\x00b.jpg\" is no path"));
    CHECK(contains(refusal(std::string(5000, 'a') + " 1\n"), "E0406"));
    CHECK(contains(refusal("\n \r\n"), "E0439 the list has no line"));
    CHECK(contains(refusal(""), "E0439"));
}

TEST_CASE("a path never leaves its folder") {
    for (const char* path : {"../a.jpg", "a/../../b.jpg", "a/..", ".."})
        CHECK(contains(refusal(std::string(path) + " 0\n"), "leaves data.root"));
    CHECK(contains(refusal("/etc/passwd 0\n"), "E0440 \"/etc/passwd\" is an absolute path | at: list.txt:1"));
    CHECK(parse_picture_list("a/..b/c..jpg 0\n", "list.txt").size() == 1);
}

TEST_CASE("classes are called after the folder that is theirs alone, else by number") {
    const PictureList list = parse_picture_list("train/cat/1.jpg 0\ntrain/cat/2.jpg 0\nx/dog/1.jpg 1\nx/cow/1.jpg "
                                                "1\ntrain/fox/1.jpg 2\nval/fox/2.jpg 4\na.jpg 3\n",
                                                "list.txt");
    CHECK(classes_by_folder(list, 6) == std::vector<std::string>{"cat", "1", "fox", "3", "4", "5"});
}

TEST_CASE(
    "folders are classes in the order of bytes; hidden files and those without a picture's suffix are passed over") {
    const TemporaryFolder folder;
    for (const char* name :
         {"train/b/2.JPEG", "train/b/1.png", "train/B2/x.gif", "train/a/deep/er/z.jpg", "train/a/y.jpg",
          "train/a/.hidden.jpg", "train/a/notes.txt", "train/a/Thumbs.db", "train/readme.md"})
        touch(folder, name);
    fs::create_directories(folder.path() / "train/__MACOSX");
    const PictureList list = list_picture_folders(folder.path(), "train", false);
    CHECK(list.class_names == std::vector<std::string>{"B2", "a", "b"});
    CHECK(lines_of(list) == std::vector<std::string>{"train/B2/x.gif 0", "train/a/deep/er/z.jpg 1", "train/a/y.jpg 1",
                                                     "train/b/1.png 2", "train/b/2.JPEG 2"});
    CHECK(list.passed_over == 5);
}

TEST_CASE("folders that cannot be classes are refused") {
    const TemporaryFolder folder;
    const auto refusal_of = [&](const char* inside, bool allows_empty = false) {
        return brief([&] { list_picture_folders(folder.path(), inside, allows_empty); });
    };
    CHECK(contains(refusal_of("none"), "E0501 no such folder"));
    touch(folder, "flat/1.jpg");
    CHECK(contains(refusal_of("flat"), "E0439 no folders, so no classes"));
    touch(folder, "case/cat/1.jpg"), touch(folder, "case/Cat/1.jpg");
    CHECK(contains(refusal_of("case"), "E0438 classes \"Cat\" and \"cat\" differ in case alone"));
    touch(folder, "empty/cat/1.jpg"), touch(folder, "empty/dog/x.txt");
    CHECK(contains(refusal_of("empty"), "E0439 class \"dog\" has no picture"));
    CHECK(list_picture_folders(folder.path(), "empty", true).class_names.size() == 2);
    touch(folder, "bytes/\xff/1.jpg");
    CHECK(contains(refusal_of("bytes"), "E0406 class \"\\xff\" is not UTF-8"));

    touch(folder, "loop/a/1.jpg");
    fs::create_directory_symlink(folder.path() / "loop", folder.path() / "loop/a/up");
    CHECK(contains(refusal_of("loop"), "E0440 the folder is one that it lies in"));
    fs::create_directories(folder.path() / "out");
    fs::create_directory_symlink("/usr", folder.path() / "out/a");
    CHECK(contains(refusal_of("out"), "E0440 it lies elsewhere: /usr"));
    std::string deep = "deep/a";
    for (int i = 0; i < 40; ++i) deep += "/d";
    touch(folder, deep + "/1.jpg");
    CHECK(contains(refusal_of("deep"), "E0407 more than 32 folders deep"));
    // A link to another class's folder is a choice of the user's.
    touch(folder, "twice/a/1.jpg");
    fs::create_directory_symlink(folder.path() / "twice/a", folder.path() / "twice/b");
    CHECK(list_picture_folders(folder.path(), "twice", false).size() == 2);
}

TEST_CASE("iNaturalist's JSON is read in the order of its pictures") {
    const std::string json =
        R"({"info":{},"images":[{"id":7,"file_name":"x/a.jpg"},{"id":3,"file_name":"b.jpg"}],)"
        R"("annotations":[{"id":1,"image_id":3,"category_id":2},{"id":2,"image_id":7,"category_id":0}],)"
        R"("categories":[{"id":0,"name":"Aves"},{"id":2,"name":"Bos"}]})";
    const PictureList list = parse_inaturalist(json, "train2018.json");
    CHECK(lines_of(list) == std::vector<std::string>{"x/a.jpg 0", "b.jpg 2"});
    CHECK(list.class_names == std::vector<std::string>{"Aves", "1", "Bos"});

    const auto refusal_of = [&](std::string_view from, std::string_view to) {
        std::string changed = json;
        const std::size_t at = changed.find(from);
        REQUIRE(at != std::string::npos);
        changed.replace(at, from.size(), to);
        return brief([&] { parse_inaturalist(changed, "train2018.json"); });
    };
    CHECK(contains(refusal_of("\"category_id\":2", "\"category_id\":3"), "E0431 category 3 of picture 3 is not in"));
    CHECK(contains(refusal_of("\"image_id\":3", "\"image_id\":7"), "E0431 picture 7 is of categories 2 and 0"));
    CHECK(contains(refusal_of("\"id\":3,", "\"id\":4,"), "E0431 picture 4 has no annotation"));
    CHECK(contains(refusal_of("b.jpg", "../b.jpg"), "E0440"));
    CHECK(contains(refusal_of("\"images\"", "\"pictures\""), "E0404"));
    CHECK(contains(refusal_of("\"id\":0,", "\"id\":-1,"), "E0431 category -1 is out of range"));
    CHECK(contains(refusal_of("{\"info\"", "\"info\""), "E0403"));
}

}
