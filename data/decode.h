#pragma once
// Pictures of strangers, decoded: R G B bytes of JPEG and PNG.
//
//   colours      grey is three equal channels, a palette its colours, alpha is dropped, of 16 bits the high byte is
//                taken, ICC profiles are ignored: what Pillow's convert("RGB") and torchvision's loader do
//   orientation  of EXIF is ignored, as there, unless it is asked for
//   decoders     libjpeg-turbo for JPEG in a build that has it, Pillow's bytes; else, and for PNG, stb_image
#include "data/picture.h"
#include "data/picture_header.h"

#include <string>

namespace bkd {

enum class JpegDecoder : std::uint8_t { best, stb };  // best: libjpeg-turbo where it is built in

struct DecodeOptions {
    // Both above 0: a JPEG may come at 1/2, 1/4 or 1/8 of its size, as long as neither side falls below these, which is
    // faster. The picture is then another one than the full size scaled down. Only libjpeg-turbo does so.
    std::int64_t least_height = 0, least_width = 0;
    bool apply_orientation = false;  // of EXIF; `least_...` are then sides of the picture as it is shown
    JpegDecoder jpeg = JpegDecoder::best;
};

// What hangs on what the walk has found. The picture is walked once, whoever asks.
using ChooseDecoding = std::function<DecodeOptions(const PictureHeader&)>;

// E0433 cut off, E0434 of a kind that is not read, E0435 the decoder failed, E0436 too large, E0437 structure or
// checksum: all but E0435 before a decoder sees the bytes. `name` is for messages.
Picture decode_picture(std::span<const std::byte> bytes, const std::string& name, const DecodeOptions& options = {});
Picture decode_picture(std::span<const std::byte> bytes, const std::string& name, const ChooseDecoding& choose);

bool has_libjpeg();
std::string picture_decoders();  // "stb_image 2.27, libjpeg-turbo 2.1.5"

}
