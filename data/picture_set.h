#pragma once
// Data sets whose samples are pictures in files: a PictureList, a folder and a PictureTransform become an ImageSet. A
// file is opened when a batch asks for it, so a set of any size takes the memory of its paths.
#include "data/dataset.h"
#include "data/picture_list.h"

namespace bkd {

// The samples of a set of pictures in files.
class PictureFiles final : public SampleSource {
public:
    PictureFiles(std::string set, std::filesystem::path root, PictureList list, const PictureTransform& transform);
    void read(std::int32_t index, std::span<std::uint8_t> out) const override;
    void read_changed(std::int32_t index, const std::function<double()>& uniform,
                      std::span<std::uint8_t> out) const override;
    std::string name(std::int32_t index) const override { return std::string(list_.path(index)); }

    const PictureList& list() const { return list_; }
    const std::filesystem::path& root() const { return root_; }

private:
    void make(std::int32_t index, std::span<std::uint8_t> out, const auto& square_of) const;

    std::string set_;
    std::filesystem::path root_;
    PictureList list_;
    PictureTransform transform_;
};
// Of a set as it was opened; null for a part of one, and for a set that lies in memory.
const PictureFiles* picture_files(const ImageSet& set);

// The bytes of root/path. E0440 where links lead out of the root, E0407 above 256 MiB, E0501 .. E0504.
std::vector<std::byte> read_picture(const std::filesystem::path& root, std::string_view path);

// What is known of such a set without files: extents of a sample, normalisation (ImageNet's, if none is given).
ImageSet describe_pictures(std::string name, const DatasetOptions& options, std::vector<float> mean = {},
                           std::vector<float> deviation = {});

// `like`, with the samples of `list`. Labels are below the number of `like`'s classes, or E0431. Where options.max_bad
// is above 0 every picture is decoded beforehand, and those that cannot be are left out and named in `skipped`; E0433 of
// the first where they are more.
ImageSet make_picture_set(ImageSet like, Split split, PictureList list, const DatasetOptions& options);

// A set published as two lists, in its folder or in lists/ there.
struct PublishedLists {
    std::vector<std::string_view> train{}, test{};  // names of the files, first found
    std::int64_t classes = 0;                       // 0: one more than the largest label
    std::string advice{};                           // where the lists come from
};
// E0439 for a class without training pictures unless options.allows_empty; errors of picture_list.h.
ImageSet open_published_lists(ImageSet like, const PublishedLists& lists, const DatasetOptions& options, Split split);

// options.root, of "auto" data/<name>.
std::filesystem::path picture_root(const ImageSet& like, const DatasetOptions& options);

}
