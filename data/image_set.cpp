#include "data/image_set.h"

#include "kernels/error.h"

#include <algorithm>

namespace bkd {

namespace {

// Some samples of another source.
class Selection final : public SampleSource {
public:
    Selection(std::shared_ptr<const SampleSource> whole, std::span<const std::int32_t> indices)
        : whole_(std::move(whole)), indices_(indices.begin(), indices.end()) {}
    void read(std::int32_t index, std::span<std::uint8_t> out) const override { whole_->read(of(index), out); }
    void read_changed(std::int32_t index, const std::function<double()>& uniform,
                      std::span<std::uint8_t> out) const override {
        whole_->read_changed(of(index), uniform, out);
    }
    std::string name(std::int32_t index) const override { return whole_->name(of(index)); }

private:
    std::int32_t of(std::int32_t index) const { return indices_.at(static_cast<std::size_t>(index)); }
    std::shared_ptr<const SampleSource> whole_;
    std::vector<std::int32_t> indices_;
};

}

std::span<const std::uint8_t> ImageSet::image(std::int64_t index) const {
    BKD_CHECK(index >= 0 && index < size(), "image {} of {}", index, size());
    return std::span(images).subspan(static_cast<std::size_t>(index * image_bytes()),
                                     static_cast<std::size_t>(image_bytes()));
}

std::vector<std::int64_t> class_counts(std::span<const std::int32_t> labels, std::int64_t classes) {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(classes));
    for (const std::int32_t label : labels) {
        BKD_CHECK(label >= 0 && label < classes, "label {} of {} classes", label, classes);
        ++counts[static_cast<std::size_t>(label)];
    }
    return counts;
}

ImageSet take(const ImageSet& set, std::span<const std::int32_t> indices) {
    ImageSet part;
    static_cast<Dataset&>(part) = {set.name, set.split, {}, set.class_names, set.files, set.skipped};
    part.height = set.height, part.width = set.width, part.channels = set.channels;
    part.short_side = set.short_side, part.applies_orientation = set.applies_orientation;
    part.mean = set.mean, part.deviation = set.deviation;
    part.labels.reserve(indices.size());
    for (const std::int32_t index : indices) part.labels.push_back(set.labels.at(static_cast<std::size_t>(index)));
    if (set.source) {
        part.source = std::make_shared<Selection>(set.source, indices);
        return part;
    }
    part.images.reserve(indices.size() * static_cast<std::size_t>(set.image_bytes()));
    for (const std::int32_t index : indices) {
        const std::span<const std::uint8_t> pixels = set.image(index);
        part.images.insert(part.images.end(), pixels.begin(), pixels.end());
    }
    return part;
}

}
