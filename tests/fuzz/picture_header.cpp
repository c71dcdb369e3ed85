// Pictures before any decoder: as they are, and a PNG with its checksums set right.
#include "data/picture_header.h"

#include "kernels/error.h"
#include "tests/fuzz/picture_file.h"

namespace bkd::fuzz {
namespace {

bool walk(Bytes file) try {
    const PictureHeader header = read_picture_header(file, "fuzz");
    const auto height = static_cast<std::uint64_t>(header.height), width = static_cast<std::uint64_t>(header.width);
    BKD_CHECK(height >= 1 && width >= 1 && height <= most_picture_side && width <= most_picture_side &&
                  height * width <= most_picture_pixels,
              "{} x {}", width, height);
    BKD_CHECK(header.channels >= 1 && header.channels <= 4, "{} channels", header.channels);
    BKD_CHECK(header.notes.orientation >= 1 && header.notes.orientation <= 8, "orientation {}",
              header.notes.orientation);
    BKD_CHECK(header.notes.bytes_after_end < file.size(), "{} bytes after the end", header.notes.bytes_after_end);
    return true;
} catch (const InputError&) { return false; }

}

bool picture_header(Bytes file) {
    walk(with_right_checksums(file));
    return walk(file);
}

}
