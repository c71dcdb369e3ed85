// image_folder: pictures of the user's own, a folder for each class: train/CLASS/* and test/CLASS/* (or val/). Where
// there is no train/, the classes lie in the root, and every fifth picture of a class is for the test.
#include "data/picture_set.h"
#include "kernels/error.h"

#include <algorithm>
#include <array>

namespace bkd {
namespace {

namespace fs = std::filesystem;

constexpr std::array test_names = {"test", "val", "valid", "validation"};
constexpr std::int64_t one_in = 5, first_of_them = 2;  // the third of a class, the eighth, ...

bool is_folder(const fs::path& path) {
    std::error_code unknown;
    return fs::is_directory(path, unknown);
}

// Labels of the training folders, whose classes the test has.
void relabel(PictureList& test, const std::vector<std::string>& classes, const fs::path& folder) {
    std::vector<std::int32_t> label_of;
    for (const std::string& name : test.class_names) {
        const auto found = std::ranges::find(classes, name);
        if (found == classes.end())
            throw InputError({.id = 431,
                              .what = fmt::format("class \"{}\" is not one of the training pictures", printable(name)),
                              .at = printable(folder.string()),
                              .try_ = "a folder of that name in train/, or none here"});
        label_of.push_back(static_cast<std::int32_t>(found - classes.begin()));
    }
    for (std::int32_t& label : test.labels) label = label_of[static_cast<std::size_t>(label)];
    test.class_names = classes;
}

// Of each class the pictures that are for the test, or the others.
PictureList part_of(const PictureList& whole, Split split) {
    PictureList part;
    part.class_names = whole.class_names;
    std::vector<std::int64_t> seen(whole.class_names.size());
    for (std::int64_t i = 0; i < whole.size(); ++i) {
        const std::int32_t label = whole.labels[static_cast<std::size_t>(i)];
        const bool is_test = seen[static_cast<std::size_t>(label)]++ % one_in == first_of_them;
        if (is_test == (split == Split::test)) part.add(whole.path(i), label);
    }
    return part;
}

}

ImageSet describe_image_folder(const DatasetOptions& options) { return describe_pictures("image_folder", options); }

ImageSet open_image_folder(const DatasetOptions& options, Split split) {
    ImageSet set = describe_image_folder(options);
    const fs::path root = picture_root(set, options);
    PictureList list;
    if (!is_folder(root / "train")) {
        list = part_of(list_picture_folders(root, "", options.allows_empty), split);
    } else {
        list = list_picture_folders(root, "train", options.allows_empty);
        if (split == Split::test) {
            const auto inside =
                std::ranges::find_if(test_names, [&](const char* name) { return is_folder(root / name); });
            if (inside == test_names.end())
                throw InputError({.id = 501,
                                  .what = "no folder of test pictures beside train/",
                                  .at = fmt::format("data.root = \"{}\"", printable(root.string())),
                                  .try_ = fmt::format("one of: {}", fmt::join(test_names, "/, "))});
            PictureList test = list_picture_folders(root, *inside, true);
            relabel(test, list.class_names, root / *inside);
            list = std::move(test);
        }
    }
    set.class_names = list.class_names;
    return make_picture_set(std::move(set), split, std::move(list), options);
}

}
