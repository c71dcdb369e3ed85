// The walk over a PNG file (ISO/IEC 15948): every chunk with its checksum, their order and what the header promises.
#include "data/picture_file.h"
#include "engine/crc32.h"
#include "kernels/error.h"

#include <algorithm>
#include <cctype>

namespace bkd {
namespace {

constexpr std::uint64_t signature_bytes = 8, around_data = 12;  // length and name before a chunk's data, CRC behind
constexpr std::uint64_t most_chunk = 0x7fffffff;

struct Chunk {
    std::uint64_t begin = 0;  // of the chunk in the file
    std::string name{};
    std::span<const std::byte> data{};

    std::uint64_t data_begin() const { return begin + 8; }
    bool is_critical() const { return std::isupper(static_cast<unsigned char>(name[0])) != 0; }
};

int channels_of(int colour) { return (colour & 2 ? 3 : 1) + (colour & 4 ? 1 : 0); }

// Rows of `width` pixels, each with its filter byte.
std::uint64_t bytes_of_rows(std::uint64_t height, std::uint64_t width, std::uint64_t bits) {
    return width == 0 ? 0 : height * (1 + (width * bits + 7) / 8);
}

std::uint64_t bytes_of_all_rows(const PngWalk& walk) {
    const auto height = static_cast<std::uint64_t>(walk.header.height);
    const auto width = static_cast<std::uint64_t>(walk.header.width);
    const int samples = walk.colour == 3 ? 1 : channels_of(walk.colour);
    const auto bits = static_cast<std::uint64_t>(samples * walk.depth);
    if (!walk.is_interlaced) return bytes_of_rows(height, width, bits);
    struct Pass {
        std::uint64_t top, left, down, across;
    };
    constexpr Pass passes[] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                               {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
    std::uint64_t sum = 0;
    for (const Pass& p : passes)
        sum += bytes_of_rows((height + p.down - 1 - p.top) / p.down, (width + p.across - 1 - p.left) / p.across, bits);
    return sum;
}

class Walker {
public:
    explicit Walker(const PictureFile& file) : file_(file), reader_(file.reader()) {
        walk_.header.kind = PictureKind::png;
    }

    PngWalk walk() {
        reader_.skip(signature_bytes);
        Chunk chunk = next_chunk();
        if (chunk.name != "IHDR") refuse(chunk, "PNG begins with chunk " + chunk.name, "IHDR is the first");
        take_header(chunk);
        for (chunk = next_chunk(); chunk.name != "IEND"; chunk = next_chunk()) take(chunk);
        if (!chunk.data.empty())
            refuse(chunk, fmt::format("PNG chunk IEND of {} bytes", chunk.data.size()), "it is empty");
        if (!has_data_) refuse(chunk, "PNG has no chunk IDAT");
        walk_.header.notes.bytes_after_end = reader_.left();
        // Deflate stands for at most 258 bytes with two bits.
        constexpr std::uint64_t most_ratio = 1032;
        if (walk_.row_bytes > most_ratio * walk_.data.size())
            file_.refuse(
                437, fmt::format("PNG has {} bytes of IDAT for {} bytes of rows", walk_.data.size(), walk_.row_bytes),
                data_begin_, fmt::format("a byte unpacks to {} at most", most_ratio));
        return std::move(walk_);
    }

private:
    const PictureFile& file_;
    ByteReader reader_;
    PngWalk walk_{};
    bool has_data_ = false, is_data_over_ = false;
    std::uint64_t data_begin_ = 0;

    [[noreturn]] void refuse(const Chunk& chunk, std::string what, std::string why = {}) const {
        file_.refuse(437, std::move(what), chunk.begin, std::move(why));
    }
    Chunk next_chunk();
    void take_header(const Chunk& chunk);
    void take_palette(const Chunk& chunk);
    void take(const Chunk& chunk);
};

Chunk Walker::next_chunk() {
    Chunk chunk{.begin = reader_.offset()};
    if (reader_.left() == 0) file_.refuse_cut("PNG", "between chunks, without IEND");
    if (reader_.left() < 8) file_.refuse_cut("PNG", "inside the head of a chunk, without IEND");
    const std::uint64_t length = reader_.u32be();
    const std::span<const std::byte> name = reader_.bytes(4);
    chunk.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    if (!std::ranges::all_of(chunk.name, [](unsigned char c) { return std::isalpha(c) != 0 && c < 0x80; }))
        refuse(chunk, fmt::format("PNG chunk with the name \"{}\"", printable(chunk.name)), "a name is four letters");
    if (length > most_chunk)
        refuse(chunk, fmt::format("PNG chunk {} of {} bytes", chunk.name, length), "at most 2^31 - 1");
    if (reader_.left() < length + 4)
        file_.refuse_cut("PNG", fmt::format("inside chunk {} of {} bytes", chunk.name, length));
    chunk.data = reader_.bytes(length);
    const std::uint32_t said = reader_.u32be();
    const std::uint32_t found =
        crc32(file_.bytes.subspan(static_cast<std::size_t>(chunk.begin + 4), 4 + chunk.data.size()));
    if (said != found)
        refuse(chunk, fmt::format("checksum of PNG chunk {} is {:08x}, the file says {:08x}", chunk.name, found, said),
               "the file changed after it was written (disk, copy, or edit)");
    return chunk;
}

void Walker::take_header(const Chunk& chunk) {
    if (chunk.data.size() != 13)
        refuse(chunk, fmt::format("PNG chunk IHDR of {} bytes", chunk.data.size()), "it has 13");
    ByteReader reader(chunk.data, file_.name, chunk.data_begin());
    const std::uint64_t width = reader.u32be(), height = reader.u32be();
    walk_.depth = reader.u8(), walk_.colour = reader.u8();
    const int compression = reader.u8(), filter = reader.u8(), interlace = reader.u8();
    if (width == 0 || height == 0) refuse(chunk, fmt::format("PNG of {} x {} pixels has none", width, height));
    const auto legal = [&](std::initializer_list<int> depths) { return std::ranges::count(depths, walk_.depth) > 0; };
    const bool fits = walk_.colour == 0                           ? legal({1, 2, 4, 8, 16})
                      : walk_.colour == 3                         ? legal({1, 2, 4, 8})
                      : walk_.colour < 7 && walk_.colour % 2 == 0 ? legal({8, 16})
                                                                  : false;
    if (!fits) refuse(chunk, fmt::format("PNG of colour type {} with {} bits", walk_.colour, walk_.depth));
    if (compression != 0 || filter != 0 || interlace > 1)
        refuse(chunk, fmt::format("PNG of compression {}, filter {}, interlace {}", compression, filter, interlace),
               "0, 0, and 0 or 1");
    file_.check_extent(height, width, chunk.data_begin());
    walk_.header.height = static_cast<std::int64_t>(height), walk_.header.width = static_cast<std::int64_t>(width);
    walk_.header.channels = walk_.colour == 3 ? 3 : channels_of(walk_.colour);
    walk_.header.notes.has_alpha = (walk_.colour & 4) != 0;
    walk_.header.notes.is_16_bit = walk_.depth == 16;
    walk_.is_interlaced = interlace == 1;
    walk_.row_bytes = bytes_of_all_rows(walk_);
}

// In pictures of true colour it is a suggestion for poor screens, in grey ones it has no place: neither shows.
void Walker::take_palette(const Chunk& chunk) {
    const std::size_t entries = chunk.data.size() / 3;
    const std::size_t most = walk_.colour == 3 ? std::size_t{1} << walk_.depth : 256;
    if (!walk_.palette.empty()) refuse(chunk, "PNG has a second palette (PLTE)");
    if (has_data_) refuse(chunk, "PNG has its palette (PLTE) behind its pixels");
    if (chunk.data.size() % 3 != 0 || entries < 1 || entries > most)
        refuse(chunk, fmt::format("PNG palette (PLTE) of {} bytes", chunk.data.size()),
               fmt::format("three for each of 1..{} entries", most));
    walk_.palette = chunk.data;
    walk_.header.notes.is_palette_short = walk_.colour == 3 && entries < most;
}

void Walker::take(const Chunk& chunk) {
    PictureNotes& notes = walk_.header.notes;
    if (chunk.name == "IDAT") {
        if (walk_.colour == 3 && walk_.palette.empty()) refuse(chunk, "PNG of palette colours has no palette (PLTE)");
        if (is_data_over_) refuse(chunk, "PNG has other chunks between its chunks IDAT", "they follow each other");
        if (!has_data_) data_begin_ = chunk.begin;
        has_data_ = true;
        walk_.data = file_.bytes.subspan(static_cast<std::size_t>(data_begin_),
                                         static_cast<std::size_t>(reader_.offset() - data_begin_));
        return;
    }
    is_data_over_ = has_data_;
    if (chunk.name == "IHDR") refuse(chunk, "PNG has a second header (IHDR)");
    if (chunk.name == "PLTE") return take_palette(chunk);
    if (chunk.is_critical())
        refuse(chunk, fmt::format("PNG chunk {} is not known", chunk.name),
               "a chunk whose name begins with a capital must be understood");
    if (chunk.name == "tRNS") notes.has_alpha = true;
    if (chunk.name == "iCCP") notes.has_icc_profile = true;
    if (chunk.name == "eXIf") notes.orientation = exif_orientation(chunk.data);
}

}

PngWalk walk_png(const PictureFile& file) { return Walker(file).walk(); }

}
