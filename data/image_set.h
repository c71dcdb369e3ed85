#pragma once
// What a data set is in memory.
//
//   Dataset    what every set has, whatever its samples are: labels, class names, the files it was read from. Subsets,
//              samplers, shot groups and statistics ask for no more, so sets of texts or of image files join here.
//   ImageSet   a Dataset whose samples are images of one size: bytes in host memory, or made by a SampleSource when a
//              batch asks for them, as pictures in files are.
//
// Opening by name: dataset.h. Cutting long tails: imbalance.h. Batches: sampler.h, loader.h.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bkd {

enum class Split { train, test };

// A file as the records of a run name it.
struct FileFact {
    std::string path{};
    std::int64_t stored_bytes = 0;    // as it lies on disk
    std::int64_t unpacked_bytes = 0;  // after .gz or .xz; else the same
    std::string sha256{};             // of the unpacked contents, lower-case hex
    std::string note{};               // odd but harmless: "3 bytes after the compressed data are ignored"
};

struct Dataset {
    std::string name{};  // as in data/list.inc
    Split split = Split::train;
    std::vector<std::int32_t> labels{};  // [n], each in 0..classes()-1
    std::vector<std::string> class_names{};
    std::vector<FileFact> files{};
    std::vector<std::string> skipped{};  // samples that are left out, "path: why"

    std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
    std::int64_t classes() const { return static_cast<std::int64_t>(class_names.size()); }
};

// Makes the samples of a set one by one: pure functions of their arguments, called from several threads at once.
class SampleSource {
public:
    virtual ~SampleSource() = default;
    // [height, width, channels] of the set, as evaluation shows the sample.
    virtual void read(std::int32_t index, std::span<std::uint8_t> out) const = 0;
    // As training shows it: changed by numbers in [0, 1) that are this showing's own.
    virtual void read_changed(std::int32_t index, const std::function<double()>& uniform,
                              std::span<std::uint8_t> out) const = 0;
    virtual std::string name(std::int32_t index) const = 0;  // of the sample, such as its path: one line
};

struct ImageSet : Dataset {
    std::int64_t height = 0, width = 0, channels = 0;
    std::vector<std::uint8_t> images{};            // [n, height, width, channels], row-major; empty: `source`
    std::shared_ptr<const SampleSource> source{};  // none: `images`
    std::int64_t short_side = 0;  // of pictures in files: what it is brought to before the square is cut out; else 0
    bool applies_orientation = false;  // of EXIF, likewise
    // What the literature subtracts and divides by, per channel, of values in 0..1.
    std::vector<float> mean{}, deviation{};

    std::int64_t image_bytes() const { return height * width * channels; }
    std::span<const std::uint8_t> image(std::int64_t index) const;  // of `images`
};

// Samples of each class, [classes].
std::vector<std::int64_t> class_counts(std::span<const std::int32_t> labels, std::int64_t classes);

// The samples with these indices, in this order; files and names are kept.
ImageSet take(const ImageSet& set, std::span<const std::int32_t> indices);

}
