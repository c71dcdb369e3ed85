// The one place that knows libjpeg.
//
// Its errors come through a function that must not return. It jumps out of functions that hold nothing to destroy, so
// that neither the process ends nor an exception runs through C.
#include "data/decode_jpeg.h"

#include "kernels/error.h"

#include <array>
#include <csetjmp>
#include <cstdio>

// After <cstdio>, whose FILE it needs.
#include <jpeglib.h>

#ifndef LIBJPEG_TURBO_VERSION
#error "libjpeg-turbo is needed: other versions of libjpeg round differently"
#endif

namespace bkd {
namespace {

// Blocks of a progressive picture take two bytes a sample: 384 MiB for the most pixels that are read, and their rims.
constexpr long memory_budget = long{768} << 20;

struct Session {
    jpeg_decompress_struct info{};
    jpeg_error_mgr errors{};
    std::jmp_buf escape{};
    std::array<char, JMSG_LENGTH_MAX> message{};
};

Session& session_of(j_common_ptr info) { return *static_cast<Session*>(info->client_data); }

[[noreturn]] void leave(j_common_ptr info) {
    Session& session = session_of(info);
    session.errors.format_message(info, session.message.data());
    std::longjmp(session.escape, 1);
}
void leave_at_warning(j_common_ptr info, int level) {
    if (level < 0) leave(info);  // corrupt data that it would go on from
}
void say_nothing(j_common_ptr) {}

// Both return false after an error, whose words are then in `message`.
bool start(Session& session, std::span<const std::byte> bytes, unsigned denominator) {
    if (setjmp(session.escape) != 0) return false;
    jpeg_decompress_struct& info = session.info;
    jpeg_create_decompress(&info);
    info.mem->max_memory_to_use = memory_budget;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned long>(bytes.size()));
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    info.dct_method = JDCT_ISLOW;
    info.do_fancy_upsampling = TRUE;
    info.scale_num = 1;
    info.scale_denom = denominator;
    jpeg_start_decompress(&info);
    return true;
}
bool read_rows(Session& session, std::uint8_t* pixels, std::size_t row_bytes) {
    if (setjmp(session.escape) != 0) return false;
    jpeg_decompress_struct& info = session.info;
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = pixels + info.output_scanline * row_bytes;
        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
}

class Decompressor {
public:
    explicit Decompressor(const PictureFile& file) : file_(file) {
        session_.info.err = jpeg_std_error(&session_.errors);
        session_.info.client_data = &session_;
        session_.errors.error_exit = leave;
        session_.errors.emit_message = leave_at_warning;
        session_.errors.output_message = say_nothing;
    }
    ~Decompressor() { jpeg_destroy_decompress(&session_.info); }
    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;

    Picture decode(std::int64_t height, std::int64_t width, unsigned denominator) {
        if (!start(session_, file_.bytes, denominator)) refuse();
        const jpeg_decompress_struct& info = session_.info;
        if (info.output_height != height || info.output_width != width || info.output_components != 3)
            file_.refuse(435,
                         fmt::format("libjpeg makes {} x {} pixels of {} channels, must be {} x {} of 3",
                                     info.output_width, info.output_height, info.output_components, width, height),
                         0);
        Picture picture = Picture::of(height, width);
        if (!read_rows(session_, picture.pixels.data(), static_cast<std::size_t>(3 * width))) refuse();
        return picture;
    }

private:
    const PictureFile& file_;
    Session session_{};

    [[noreturn]] void refuse() const {
        file_.refuse(435, fmt::format("libjpeg cannot decode this JPEG: {}", printable(session_.message.data())), 0);
    }
};

}

bool has_libjpeg() { return true; }

Picture decode_with_libjpeg(const PictureFile& file, const PictureHeader& header, std::int64_t least_height,
                            std::int64_t least_width) {
    const auto scaled = [](std::int64_t side, std::int64_t by) { return (side + by - 1) / by; };
    std::int64_t denominator = 1;
    if (least_height > 0 && least_width > 0)
        while (denominator < 8 && scaled(header.height, 2 * denominator) >= least_height &&
               scaled(header.width, 2 * denominator) >= least_width)
            denominator *= 2;
    return Decompressor(file).decode(scaled(header.height, denominator), scaled(header.width, denominator),
                                     static_cast<unsigned>(denominator));
}

#define BKD_TEXT_OF(x) #x
#define BKD_VERSION_TEXT(x) BKD_TEXT_OF(x)
std::string libjpeg_version() { return "libjpeg-turbo " BKD_VERSION_TEXT(LIBJPEG_TURBO_VERSION); }

}
