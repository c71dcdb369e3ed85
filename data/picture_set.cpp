#include "data/picture_set.h"

#include "data/data_file.h"
#include "data/picture_check.h"
#include "engine/file.h"
#include "kernels/error.h"

#include <algorithm>

namespace bkd {
namespace {

namespace fs = std::filesystem;

void check_labels(const PictureList& list, std::int64_t classes, const std::string& name) {
    const auto bad = std::ranges::find_if(list.labels, [&](std::int32_t label) { return label >= classes; });
    if (bad == list.labels.end()) return;
    const std::int64_t index = bad - list.labels.begin();
    throw InputError(
        {.id = 431,
         .what = fmt::format("label {} of {} is out of range 0..{}", *bad, printable(list.path(index)), classes - 1),
         .at = list.files.empty() ? name : list.files.front().path,
         .try_ = fmt::format("{} has {} classes: is it another set's list?", name, classes)});
}

// As advice.
std::string look_at_all(const std::string& set, const fs::path& root) {
    return fmt::format("bkd data verify {} --root {} --list-bad bad.txt", set, printable(root.string()));
}

// Removes the pictures that cannot be decoded and says which.
std::vector<std::string> leave_out_bad(const std::string& set, PictureList& list, const fs::path& root,
                                       const DatasetOptions& options) {
    const std::vector<PictureFinding> findings = check_pictures(list, root);
    PictureList good;
    std::vector<std::string> skipped;
    const PictureFinding* first = nullptr;
    for (std::int64_t i = 0; i < list.size(); ++i) {
        const PictureFinding& finding = findings[static_cast<std::size_t>(i)];
        if (!finding.is_bad()) {
            good.add(list.path(i), list.labels[static_cast<std::size_t>(i)]);
            continue;
        }
        if (first == nullptr) first = &finding;
        skipped.push_back(fmt::format("{}: {}", printable(list.path(i)), finding.error->parts().what));
    }
    if (static_cast<std::int64_t>(skipped.size()) > options.max_bad) {
        InputError::Parts parts = first->error->parts();
        parts.what = fmt::format("{} of {} pictures cannot be read, data.max_bad is {}; the first: {}", skipped.size(),
                                 list.size(), options.max_bad, parts.what);
        parts.try_ = look_at_all(set, root);
        throw InputError(std::move(parts));
    }
    good.class_names = std::move(list.class_names);
    good.files = std::move(list.files);
    list = std::move(good);
    return skipped;
}

}

PictureFiles::PictureFiles(std::string set, fs::path root, PictureList list, const PictureTransform& transform)
    : set_(std::move(set)), root_(std::move(root)), list_(std::move(list)), transform_(transform) {}

void PictureFiles::read(std::int32_t index, std::span<std::uint8_t> out) const {
    make(index, out, [&](std::span<const std::byte> file, const std::string& name) {
        return picture_for_evaluation(file, name, transform_);
    });
}

void PictureFiles::read_changed(std::int32_t index, const std::function<double()>& uniform,
                                std::span<std::uint8_t> out) const {
    make(index, out, [&](std::span<const std::byte> file, const std::string& name) {
        return picture_for_training(file, name, transform_, uniform);
    });
}

void PictureFiles::make(std::int32_t index, std::span<std::uint8_t> out, const auto& square_of) const try {
    const std::string path = name(index);
    const Picture square = square_of(read_picture(root_, path), path);
    BKD_CHECK(square.pixels.size() == out.size(), "{} bytes for {}", square.pixels.size(), out.size());
    std::ranges::copy(square.pixels, out.begin());
} catch (const InputError& error) {
    InputError::Parts parts = error.parts();
    if (parts.id >= 433 && parts.id <= 437) parts.try_ = look_at_all(set_, root_);
    throw InputError(std::move(parts));
}

const PictureFiles* picture_files(const ImageSet& set) { return dynamic_cast<const PictureFiles*>(set.source.get()); }

std::vector<std::byte> read_picture(const fs::path& root, std::string_view path) {
    check_lies_under(root, path);
    return read_file(root / path, most_picture_bytes);
}

ImageSet describe_pictures(std::string name, const DatasetOptions& options, std::vector<float> mean,
                           std::vector<float> deviation) {
    check_transform(options.pictures);
    ImageSet set;
    set.name = std::move(name);
    set.height = set.width = options.pictures.side, set.channels = 3;
    set.short_side = options.pictures.resize, set.applies_orientation = options.pictures.apply_orientation;
    set.mean = mean.empty() ? std::vector{0.485F, 0.456F, 0.406F} : std::move(mean);
    set.deviation = deviation.empty() ? std::vector{0.229F, 0.224F, 0.225F} : std::move(deviation);
    return set;
}

fs::path picture_root(const ImageSet& like, const DatasetOptions& options) {
    return options.root == "auto" ? fs::path("data") / like.name : options.root;
}

ImageSet make_picture_set(ImageSet set, Split split, PictureList list, const DatasetOptions& options) {
    const fs::path root = picture_root(set, options);
    check_labels(list, set.classes(), set.name);
    if (options.max_bad > 0) set.skipped = leave_out_bad(set.name, list, root, options);
    set.split = split;
    set.labels = list.labels;
    set.files = list.files;
    set.source = std::make_shared<PictureFiles>(set.name, root, std::move(list), options.pictures);
    return set;
}

ImageSet open_published_lists(ImageSet set, const PublishedLists& lists, const DatasetOptions& options, Split split) {
    const fs::path root = picture_root(set, options);
    const auto read = [&](std::span<const std::string_view> names) {
        return read_picture_list(locate_file(root, "lists", names, lists.advice));
    };
    PictureList list = read(lists.train);
    const std::int64_t classes = lists.classes > 0 ? lists.classes : 1 + std::int64_t{std::ranges::max(list.labels)};
    check_labels(list, classes, set.name);
    if (!options.allows_empty) {
        const std::vector<std::int64_t> counts = class_counts(list.labels, classes);
        if (const auto empty = std::ranges::find(counts, 0); empty != counts.end())
            throw InputError({.id = 439,
                              .what = fmt::format("{} of {} classes have no picture, the first is {}",
                                                  std::ranges::count(counts, 0), classes, empty - counts.begin()),
                              .at = list.files.front().path,
                              .why = "nothing can be learnt of them",
                              .try_ = "the whole list, or data.empty=allow"});
    }
    set.class_names = list.class_names.empty() ? classes_by_folder(list, classes) : list.class_names;
    for (std::int64_t c = set.classes(); c < classes; ++c) set.class_names.push_back(std::to_string(c));
    if (split == Split::test) list = read(lists.test);
    return make_picture_set(std::move(set), split, std::move(list), options);
}

}
