#pragma once
// JPEG by libjpeg-turbo, in builds that have it: accurate integer DCT and smooth upsampling, which are Pillow's bytes.
#include "data/decode.h"
#include "data/picture_file.h"

namespace bkd {

// A picture whose walk went well, at 1, 1/2, 1/4 or 1/8 of its size: the smallest that has at least `least_height` rows
// and `least_width` columns; 0: at its own size. E0435 with libjpeg's words, for warnings, too.
Picture decode_with_libjpeg(const PictureFile& file, const PictureHeader& header, std::int64_t least_height,
                            std::int64_t least_width);

std::string libjpeg_version();  // "libjpeg-turbo 2.1.5"

}
