#pragma once
// Data sets whose samples are pictures in files: a PictureList, a folder and a PictureTransform become an ImageSet. A
// file is opened when a batch asks for it, so a set of any size takes the memory of its paths.
#include "data/dataset.h"
#include "data/picture_list.h"

namespace bkd {

// The bytes of root/path. E0440 where links lead out of the root, E0436 above 256 MiB, E0501 .. E0504.
std::vector<std::byte> read_picture(const std::filesystem::path& root, std::string_view path);

// What is known of such a set without files: extents of a sample, normalisation (ImageNet's, if none is given).
ImageSet describe_pictures(std::string name, const DatasetOptions& options, std::vector<float> mean = {},
                           std::vector<float> deviation = {});

// `like`, with the samples of `list`. Labels are below the number of `like`'s classes, or E0431. Where options.max_bad
// is above 0 every picture is decoded beforehand, and those that cannot be are left out and named in `skipped`; E0433 of
// the first where they are more.
ImageSet make_picture_set(ImageSet like, Split split, PictureList list, const DatasetOptions& options);

// A set published as two lists, in its folder or in lists/ there. `root` "auto" is data/<name>.
struct PublishedLists {
    std::vector<std::string_view> train{}, test{};  // names of the files, first found
    std::int64_t classes = 0;                       // 0: one more than the largest label
    std::string advice{};                           // where the lists come from
};
// E0439 for a class without training pictures unless options.allows_empty; errors of picture_list.h.
ImageSet open_published_lists(ImageSet like, const PublishedLists& lists, const DatasetOptions& options, Split split);

std::filesystem::path picture_root(const ImageSet& like, const DatasetOptions& options);

}
