// Data sets of pictures in files: the published ones by their lists, a user's own folders; what of them cannot be read.
#include "data/picture_set.h"

#include "data/imbalance.h"
#include "data/picture_check.h"
#include "tests/data/fixtures.h"
#include "tests/data/picture_bytes.h"

#include <sys/stat.h>

#include <algorithm>

namespace bkd::test {
namespace {

namespace fs = std::filesystem;

DatasetOptions small_squares(const fs::path& root) { return {.root = root, .pictures = {.side = 16, .resize = 18}}; }

// classes x per_class pictures in train/ or the root, one in test/.
void write_folders(const TemporaryFolder& folder, const std::string& inside, int classes, int per_class) {
    static constexpr std::array names = {"jpeg_420", "png_rgb_8", "jpeg_progressive", "png_palette_4"};
    for (int c = 0; c < classes; ++c)
        for (int i = 0; i < per_class; ++i)
            folder.write(fmt::format("{}class{}/{:03}.jpg", inside, c, i),
                         small_picture(names[static_cast<std::size_t>(i) % names.size()]));
}

std::vector<std::uint8_t> sample(const ImageSet& set, std::int32_t index) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(set.image_bytes()));
    set.source->read(index, bytes);
    return bytes;
}

}

TEST_CASE("a user's folders are a set: classes by name, the test's labels those of the training pictures") {
    const TemporaryFolder folder;
    write_folders(folder, "train/", 3, 4);
    folder.write("val/class2/a.png", small_picture("png_rgb_8"));
    const ImageSet train = open_dataset("image_folder", small_squares(folder.path()), Split::train);
    const ImageSet test = open_dataset("image_folder", small_squares(folder.path()), Split::test);
    CHECK(train.class_names == std::vector<std::string>{"class0", "class1", "class2"});
    CHECK(class_counts(train.labels, 3) == std::vector<std::int64_t>{4, 4, 4});
    CHECK(test.labels == std::vector<std::int32_t>{2});
    CHECK(test.class_names == train.class_names);
    CHECK(sample(train, 1) == sample(test, 0));
    CHECK(sample(train, 0) != sample(train, 1));
    CHECK((train.height == 16 && train.width == 16 && train.channels == 3 && train.short_side == 18));

    folder.write("val/class9/a.png", small_picture("png_rgb_8"));
    CHECK(contains(error_of([&] { open_dataset("image_folder", small_squares(folder.path()), Split::test); }),
                   "class \"class9\" is not one of the training pictures"));
}

TEST_CASE("folders of classes alone are split: every fifth picture of a class is for the test") {
    const TemporaryFolder folder;
    write_folders(folder, "", 2, 12);
    const ImageSet train = open_dataset("image_folder", small_squares(folder.path()), Split::train);
    const ImageSet test = open_dataset("image_folder", small_squares(folder.path()), Split::test);
    CHECK((train.size() == 20 && test.size() == 4));
    CHECK(test.source->name(0) == "class0/002.jpg");
    CHECK(test.source->name(3) == "class1/007.jpg");
    std::vector<std::string> all;
    for (const ImageSet* set : {&train, &test})
        for (std::int32_t i = 0; i < set->size(); ++i) all.push_back(set->source->name(i));
    std::ranges::sort(all);
    CHECK(std::ranges::adjacent_find(all) == all.end());
    CHECK(all.size() == 24);
}

TEST_CASE("what is trained on is known by path and label, whatever the bytes") {
    const TemporaryFolder folder;
    write_folders(folder, "train/", 1, 2);
    folder.write("test/class0/a.png", small_picture("png_rgb_8"));
    const ImageSet train = open_dataset("image_folder", small_squares(folder.path()), Split::train);
    const std::vector<std::int32_t> all{0, 1};
    const std::string text = "train/class0/000.jpg 0\ntrain/class0/001.jpg 0\n";
    CHECK(byte_fingerprint(train, all) == sha256_hex(std::as_bytes(std::span(text))));
}

TEST_CASE("pictures that cannot be read stop the one who asks for them, or are left out up to a number") {
    const TemporaryFolder folder;
    write_folders(folder, "train/", 2, 10);
    folder.write("test/class0/a.png", small_picture("png_rgb_8"));
    const Content whole = small_picture("jpeg_420");
    folder.write("train/class1/003.jpg", cut(whole, whole.size() / 2));
    folder.write("train/class1/004.jpg", {});
    DatasetOptions options = small_squares(folder.path());
    const ImageSet careless = open_dataset("image_folder", options, Split::train);
    CHECK(careless.size() == 20);
    const std::string said = error_of([&] { sample(careless, 13); });
    CHECK(contains(said, "E0433"));
    CHECK(contains(said, "at:  train/class1/003.jpg"));
    CHECK(contains(said, "try: bkd data verify image_folder --root "));

    options.max_bad = 2;
    const ImageSet careful = open_dataset("image_folder", options, Split::train);
    CHECK(class_counts(careful.labels, 2) == std::vector<std::int64_t>{10, 8});
    CHECK(careful.skipped.size() == 2);
    CHECK(careful.skipped[0].starts_with("train/class1/003.jpg: image is cut off"));
    const std::vector<std::int32_t> first{0};
    CHECK(take(careful, first).skipped == careful.skipped);
    options.max_bad = 1;
    CHECK(contains(error_of([&] { open_dataset("image_folder", options, Split::train); }),
                   "2 of 20 pictures cannot be read, data.max_bad is 1"));
}

TEST_CASE("a picture is read where it lies under the root, and is a file") {
    const TemporaryFolder folder, elsewhere;
    write_folders(folder, "a/", 1, 1);
    elsewhere.write("x.jpg", small_picture("jpeg_420"));
    fs::create_symlink(elsewhere.path() / "x.jpg", folder.path() / "out.jpg");
    fs::create_symlink(folder.path() / "a/class0/000.jpg", folder.path() / "in.jpg");
    REQUIRE(::mkfifo((folder.path() / "pipe.jpg").c_str(), 0600) == 0);
    const auto said = [&](const char* path) { return error_of([&] { read_picture(folder.path(), path); }); };
    CHECK(said("in.jpg").empty());
    CHECK(contains(said("out.jpg"), "E0440"));
    CHECK(contains(said("pipe.jpg"), "E0503"));
    CHECK(contains(said("none.jpg"), "E0501"));
}

TEST_CASE("a check finds the same for any number of threads: bad pictures, odd ones, and the same one twice") {
    const TemporaryFolder folder;
    write_folders(folder, "", 1, 5);  // the first and the last are the same picture
    folder.write("class0/bad.jpg", content_of("<html>"));
    folder.write("class0/turned.png", small_picture("jpeg_exif") + content_of("junk"));
    const PictureList list = list_picture_folders(folder.path(), "", false);
    const auto findings = check_pictures(list, folder.path(), {.threads = 3, .hashes = true});
    const auto again = check_pictures(list, folder.path(), {.threads = 1, .hashes = true});
    REQUIRE(findings.size() == 7);
    for (std::size_t i = 0; i < findings.size(); ++i) {
        CHECK(findings[i].content == again[i].content);
        CHECK(findings[i].is_bad() == (i == 5));
    }
    CHECK(findings[5].error->id() == "E0434");
    const std::vector<std::string> odd = oddities(list.path(6), findings[6].header);
    CHECK(std::ranges::find(odd, "bytes after its end") != odd.end());
    CHECK(std::ranges::find(odd, "JPEG by its bytes") != odd.end());
    const std::vector<std::vector<PictureFinding>> lists{findings};
    const auto same = same_pictures(lists);
    REQUIRE(same.size() == 1);
    CHECK((same[0].size() == 2 && same[0][0].index == 0 && same[0][1].index == 4));
}

TEST_CASE("what goes wrong in one of the threads of a check is thrown to its caller") {
    const TemporaryFolder folder;
    write_folders(folder, "", 4, 50);
    const PictureList list = list_picture_folders(folder.path(), "", false);
    const auto out_of_memory = [](std::int64_t) { throw std::bad_alloc(); };
    for (int i = 0; i < 8; ++i)
        CHECK_THROWS_AS(check_pictures(list, folder.path(), {.threads = 4, .progress = out_of_memory}), std::bad_alloc);
}

TEST_CASE("iNaturalist's JSON and lists made from it are one set") {
    const TemporaryFolder json, lists;
    std::string images, annotations, categories, lines;
    for (int c = 0; c < 8142; ++c) {
        const char* comma = c == 0 ? "" : ",";
        images += fmt::format(R"({}{{"id":{},"file_name":"train_val2018/x/{}/a.jpg"}})", comma, c, c);
        annotations += fmt::format(R"({}{{"image_id":{},"category_id":{}}})", comma, c, c);
        categories += fmt::format(R"({}{{"id":{},"name":"{}"}})", comma, c, c);
        lines += fmt::format("train_val2018/x/{}/a.jpg {}\n", c, c);
    }
    const auto write_json = [&](const char* name) {
        json.write(name, content_of(fmt::format(R"({{"images":[{}],"annotations":[{}],"categories":[{}]}})", images,
                                                annotations, categories)));
    };
    write_json("train2018.json"), write_json("val2018.json");
    lists.write("iNaturalist18_train.txt", content_of(lines)), lists.write("iNaturalist18_val.txt", content_of(lines));
    for (const Split split : {Split::train, Split::test}) {
        const ImageSet a = open_dataset("inaturalist2018", small_squares(json.path()), split);
        const ImageSet b = open_dataset("inaturalist2018", small_squares(lists.path()), split);
        CHECK((a.size() == 8142 && a.labels == b.labels && a.class_names == b.class_names));
        CHECK(a.source->name(8141) == b.source->name(8141));
    }
    annotations.replace(annotations.rfind("8141}"), 5, "8140}");
    write_json("train2018.json");
    CHECK(contains(error_of([&] { open_dataset("inaturalist2018", small_squares(json.path()), Split::train); }),
                   "1 of 8142 classes have no picture, the first is 8141"));
}

TEST_CASE("published lists: their classes, each with a picture, and no label beyond") {
    const TemporaryFolder folder;
    const auto write_lists = [&](int classes, const std::string& more) {
        std::string lines;
        for (int c = 0; c < classes; ++c) lines += fmt::format("train/place{}/1.jpg {}\n", c, c);
        folder.write("lists/Places_LT_train.txt", content_of(lines + more));
        folder.write("Places_LT_test.txt", content_of("val/place7/9.jpg 7\n"));
    };
    const auto open = [&](Split split) { return open_dataset("places_lt", small_squares(folder.path()), split); };
    write_lists(365, "train/place3/2.jpg 3\n");
    CHECK(open(Split::train).size() == 366);
    CHECK(open(Split::test).class_names[7] == "place7");
    write_lists(364, "");
    CHECK(contains(error_of([&] { open(Split::train); }), "E0439 "));
    write_lists(365, "train/place365/1.jpg 365\n");
    CHECK(contains(error_of([&] { open(Split::train); }), "label 365 of train/place365/1.jpg is out of range 0..364"));
}

}
