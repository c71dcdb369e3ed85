// A build without libjpeg-turbo (WITH_JPEG): stb_image decodes JPEG.
#include "data/decode_jpeg.h"
#include "kernels/error.h"

namespace bkd {

bool has_libjpeg() { return false; }

Picture decode_with_libjpeg(const PictureFile&, const PictureHeader&, std::int64_t, std::int64_t) {
    BKD_CHECK(has_libjpeg(), "this build has no libjpeg-turbo");
    return {};
}

std::string libjpeg_version() { return {}; }

}
