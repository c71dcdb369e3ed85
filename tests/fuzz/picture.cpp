// Pictures through the walk and each decoder. What the walk refuses is refused; what is decoded has the walk's size,
// and the same pixels twice.
#include "data/decode.h"
#include "kernels/error.h"
#include "tests/fuzz/picture_file.h"

#include <optional>

namespace bkd::fuzz {
namespace {

constexpr std::int64_t most_decoded_pixels = 1 << 20;  // more would show nothing else, in more time

std::optional<Picture> decoded(Bytes file, const DecodeOptions& options) try {
    return decode_picture(file, "fuzz", options);
} catch (const InputError&) { return {}; }

std::optional<PictureHeader> walked(Bytes file) try {
    return read_picture_header(file, "fuzz");
} catch (const InputError&) { return {}; }

bool is_decoded(Bytes file) {
    const std::optional<PictureHeader> header = walked(file);
    if (header && header->height * header->width > most_decoded_pixels) return true;
    const std::optional<Picture> by_stb = decoded(file, {.jpeg = JpegDecoder::stb});
    const std::optional<Picture> best = decoded(file, {.apply_orientation = true});
    const std::optional<Picture> smaller = decoded(file, {.least_height = 4, .least_width = 4});
    for (const std::optional<Picture>& picture : {by_stb, best, smaller})
        BKD_CHECK(header || !picture, "decoded what the walk refuses");
    if (by_stb) {
        BKD_CHECK(by_stb->height == header->height && by_stb->width == header->width, "{} x {}", by_stb->width,
                  by_stb->height);
        // Memory that nobody wrote would differ.
        BKD_CHECK(decoded(file, {.jpeg = JpegDecoder::stb})->pixels == by_stb->pixels, "other pixels");
    }
    if (best)
        BKD_CHECK(best->pixels.size() == static_cast<std::size_t>(3 * header->height * header->width), "{} bytes",
                  best->pixels.size());
    return by_stb.has_value();
}

}

bool picture(Bytes file) {
    if (const auto repaired = with_right_checksums(file); !repaired.empty()) is_decoded(repaired);
    return is_decoded(file);
}

}
