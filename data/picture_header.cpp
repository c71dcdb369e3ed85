// Which kind of file it is, by its first bytes.
#include "data/picture_header.h"

#include "data/picture_file.h"
#include "kernels/error.h"

#include <algorithm>
#include <cctype>

namespace bkd {
namespace {

constexpr std::string_view jpeg_magic = "\xff\xd8", png_magic = "\x89PNG\r\n\x1a\n";

struct Foreign {
    std::string_view magic, what;
    std::string_view try_ = "convert it to PNG or JPEG, or leave it out";
    std::size_t at = 0;
};

using namespace std::string_view_literals;
constexpr Foreign foreign[] = {
    {"GIF8", "a GIF picture"},
    {"BM", "a BMP picture"},
    {"WEBP", "a WebP picture", "convert it to PNG or JPEG, or leave it out", 8},
    {"II*\0"sv, "a TIFF picture"},
    {"MM\0*"sv, "a TIFF picture"},
    {"II+\0"sv, "a TIFF picture"},
    {"MM\0+"sv, "a TIFF picture"},
    {"ftypavi", "an AVIF picture", "convert it to PNG or JPEG, or leave it out", 4},
    {"ftyphe", "a HEIC picture", "convert it to PNG or JPEG, or leave it out", 4},
    {"ftypmif1", "a HEIC picture", "convert it to PNG or JPEG, or leave it out", 4},
    {"ftypmsf1", "a HEIC picture", "convert it to PNG or JPEG, or leave it out", 4},
    {"ftyp", "a video", "leave it out", 4},
    {"8BPS", "a PSD picture"},
    {"#?RADIANCE", "an HDR picture"},
    {"#?RGBE", "an HDR picture"},
    {"\0\0\0\x0cjP  "sv, "a JPEG 2000 picture"},
    {"\xff\x4f\xff\x51", "a JPEG 2000 picture"},
    {"\0\0\0\x0cJXL "sv, "a JPEG XL picture"},
    {"\xff\x0a", "a JPEG XL picture"},
    {"\0\0\1\0"sv, "an icon"},
    {"%PDF", "a PDF document"},
    {"PK\3\4", "a zip archive", "unpack it"},
    {"\x1f\x8b", "gzip data", "unpack it"},
    {"\xfd"
     "7zX"sv,
     "xz data", "unpack it"},
    {"version https://git-lfs", "a Git LFS pointer", "git lfs pull"},
};

bool is_pnm(std::string_view text) {
    return text.size() >= 3 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7' &&
           std::isspace(static_cast<unsigned char>(text[2]));
}

bool is_text(std::string_view text) {
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text[0]);
        const std::size_t length = utf8_length(text);
        if (first < 0x20 && !std::isspace(first)) return false;
        if (length == 0) return text.size() < 4 && first >= 0xc0;  // a sequence that the piece cuts
        text.remove_prefix(length);
    }
    return true;
}

bool is_html(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    const std::string start = lower_case(text.substr(0, 14));
    return start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head");
}

[[noreturn]] void refuse_kind(const PictureFile& file, std::string_view what, std::string_view try_) {
    throw InputError({.id = 434,
                      .what = fmt::format("this is {}", what),
                      .at = printable(file.name),
                      .why = "pictures are read as JPEG and PNG",
                      .try_ = std::string(try_)});
}

[[noreturn]] void refuse_foreign(const PictureFile& file, std::string_view begun) {
    for (const Foreign& kind : foreign)
        if (begun.substr(std::min(kind.at, begun.size())).starts_with(kind.magic))
            refuse_kind(file, kind.what, kind.try_);
    if (is_pnm(begun)) refuse_kind(file, "a PNM picture", foreign[0].try_);
    if (is_html(begun)) refuse_kind(file, "an HTML page", "download the picture again: the server sent a page");
    if (is_text(begun)) refuse_kind(file, "text", "is it another file's name?");
    const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(begun[i])); };
    refuse_kind(file,
                begun.size() < 2 ? fmt::format("no picture: one byte, {:02x}", byte(0))
                                 : fmt::format("no picture: it begins with bytes {:02x} {:02x}", byte(0), byte(1)),
                "copy or download the file again");
}

}

const char* name_of(PictureKind kind) { return kind == PictureKind::jpeg ? "JPEG" : "PNG"; }

void PictureFile::refuse(int id, std::string what, std::uint64_t at_byte, std::string why) const {
    const char* advice = id == 434   ? "convert it to PNG or JPEG of 8 bit, or leave it out"
                         : id == 436 ? "scale it down, or leave it out"
                                     : "copy or download the file again, or leave it out";
    throw InputError(
        {.id = id, .what = std::move(what), .at = reader().at(at_byte), .why = std::move(why), .try_ = advice});
}

void PictureFile::refuse_cut(const char* kind, const std::string& where) const {
    refuse(433, fmt::format("image is cut off: {} of {} bytes ends {}", kind, bytes.size(), where), bytes.size());
}

void PictureFile::check_extent(std::uint64_t height, std::uint64_t width, std::uint64_t at_byte) const {
    if (height > most_picture_side || width > most_picture_side)
        refuse(436, fmt::format("image of {} x {} pixels is too large", width, height), at_byte,
               fmt::format("a side has at most {} pixels", most_picture_side));
    if (height * width > most_picture_pixels)
        refuse(436, fmt::format("image of {} x {} pixels is too large", width, height), at_byte,
               fmt::format("at most {} MPixel are read, these are {:.1f}", most_picture_pixels >> 20,
                           static_cast<double>(height * width) / (1 << 20)));
}

PictureKind picture_kind(const PictureFile& file) {
    if (file.bytes.empty()) file.refuse(433, "empty file: no byte of a picture", 0);
    if (file.bytes.size() > most_picture_bytes)
        file.refuse(436, fmt::format("file of {} bytes is too large", file.bytes.size()), 0,
                    fmt::format("a picture has at most {} MiB", most_picture_bytes >> 20));
    constexpr std::size_t looked_at = 512;
    const std::string_view begun(reinterpret_cast<const char*>(file.bytes.data()),
                                 std::min(file.bytes.size(), looked_at));
    if (begun.starts_with(jpeg_magic)) return PictureKind::jpeg;
    if (begun.starts_with(png_magic)) return PictureKind::png;
    if (jpeg_magic.starts_with(begun)) file.refuse_cut("JPEG", "inside its first marker");
    if (png_magic.starts_with(begun)) file.refuse_cut("PNG", "inside its signature");
    refuse_foreign(file, begun);
}

PictureHeader read_picture_header(std::span<const std::byte> bytes, const std::string& name) {
    const PictureFile file{bytes, name};
    if (picture_kind(file) == PictureKind::jpeg) return walk_jpeg(file);
    const PngWalk walk = walk_png(file);
    PngStream stream(file, walk);
    stream.skip_rows();
    PictureHeader header = walk.header;
    header.notes.inflates_too_far = stream.check_end();
    return header;
}

}
