#include "data/image_set.h"

#include "kernels/error.h"

#include <algorithm>

namespace bkd {

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
    static_cast<Dataset&>(part) = {set.name, set.split, {}, set.class_names, set.files};
    part.height = set.height, part.width = set.width, part.channels = set.channels;
    part.mean = set.mean, part.deviation = set.deviation;
    part.labels.reserve(indices.size());
    part.images.reserve(indices.size() * static_cast<std::size_t>(set.image_bytes()));
    for (const std::int32_t index : indices) {
        const std::span<const std::uint8_t> pixels = set.image(index);
        part.images.insert(part.images.end(), pixels.begin(), pixels.end());
        part.labels.push_back(set.labels[static_cast<std::size_t>(index)]);
    }
    return part;
}

}
