// Rows of a PNG on their way from its IDAT chunks to a decoder, in a frame of our own.
#include "data/decompress_zlib.h"
#include "data/picture_file.h"
#include "engine/crc32.h"
#include "kernels/error.h"

#include <algorithm>

namespace bkd {
namespace {

constexpr std::uint64_t most_stored_block = 65535, stored_block_head = 5, zlib_head = 2, zlib_end = 4;

void put_u32(std::vector<std::byte>& bytes, std::uint64_t value) {
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::byte>(value >> shift & 255));
}
void put_text(std::vector<std::byte>& bytes, std::string_view text) {
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
}
void put_chunk(std::vector<std::byte>& bytes, std::string_view name, std::span<const std::byte> data) {
    put_u32(bytes, data.size());
    const std::size_t begin = bytes.size();
    put_text(bytes, name);
    bytes.insert(bytes.end(), data.begin(), data.end());
    put_u32(bytes, crc32(std::span(bytes).subspan(begin)));
}

// Hands out the data of chunks that lie one after another and were walked before.
auto pieces_of(std::span<const std::byte> chunks, const std::string& name) {
    return [reader = ByteReader(chunks, name)]() mutable {
        std::span<const std::byte> data{};
        while (data.empty() && reader.left() > 0) {
            const std::uint64_t length = reader.u32be();
            reader.skip(4);
            data = reader.bytes(length);
            reader.skip(4);
        }
        return data;
    };
}

}

struct PngStream::Rows {
    const PictureFile& file;
    ZlibReader zlib;
    std::uint64_t expected, unpacked = 0;
    std::uint64_t data_begin;  // for messages

    std::size_t read(std::span<std::byte> out) {
        const std::size_t n = zlib.read(out);
        unpacked += n;
        return n;
    }
};

PngStream::PngStream(const PictureFile& file, const PngWalk& walk)
    : rows_(
          std::make_unique<Rows>(Rows{.file = file,
                                      .zlib = ZlibReader(pieces_of(walk.data, file.name)),
                                      .expected = walk.row_bytes,
                                      .data_begin = static_cast<std::uint64_t>(walk.data.data() - file.bytes.data())})),
      rows_left_(walk.row_bytes) {
    put_text(pending_, "\x89PNG\r\n\x1a\n");
    std::vector<std::byte> header;
    put_u32(header, static_cast<std::uint64_t>(walk.header.width));
    put_u32(header, static_cast<std::uint64_t>(walk.header.height));
    for (const int value : {walk.depth, walk.colour, 0, 0, walk.is_interlaced ? 1 : 0})
        header.push_back(static_cast<std::byte>(value));
    put_chunk(pending_, "IHDR", header);
    if (walk.colour == 3) {
        std::vector<std::byte> palette(walk.palette.begin(), walk.palette.end());
        palette.resize(std::size_t{3} << walk.depth);
        put_chunk(pending_, "PLTE", palette);
    }
    const std::uint64_t blocks = (rows_left_ + most_stored_block - 1) / most_stored_block;
    put_u32(pending_, zlib_head + blocks * stored_block_head + rows_left_ + zlib_end);
    put_text(pending_, "IDAT\x78\x01");
}
PngStream::~PngStream() = default;

// The frame around the next block of rows, or behind the last.
void PngStream::frame_next() {
    pending_.clear();
    handed_out_ = 0;
    if (rows_left_ > 0) {
        block_left_ = std::min(rows_left_, most_stored_block);
        rows_left_ -= block_left_;
        const std::uint64_t complement = ~block_left_;
        for (const std::uint64_t value :
             {std::uint64_t{rows_left_ == 0}, block_left_, block_left_ >> 8, complement, complement >> 8})
            pending_.push_back(static_cast<std::byte>(value & 255));
        return;
    }
    put_u32(pending_, 0);  // checksums that nobody reads: zlib has compared that of the rows
    put_u32(pending_, 0);
    put_chunk(pending_, "IEND", {});
    is_closed_ = true;
}

std::size_t PngStream::read(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size()) {
        const std::span<std::byte> rest = out.subspan(filled);
        if (handed_out_ < pending_.size()) {
            const std::size_t n = std::min(rest.size(), pending_.size() - handed_out_);
            std::copy_n(pending_.begin() + static_cast<std::ptrdiff_t>(handed_out_), n, rest.begin());
            handed_out_ += n, filled += n;
        } else if (block_left_ > 0) {
            const std::size_t n =
                rows_->read(rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), block_left_))));
            if (n == 0) break;
            block_left_ -= n, filled += n;
        } else if (is_closed_) {
            break;
        } else {
            frame_next();
        }
    }
    return filled;
}

bool PngStream::at_end() const { return is_closed_ && handed_out_ == pending_.size(); }

void PngStream::skip_rows() {
    std::vector<std::byte> piece(std::size_t{64} << 10);
    for (std::uint64_t left = rows_->expected, n = 1; left > 0 && n > 0; left -= n)
        n = rows_->read(std::span(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()))));
}

bool PngStream::check_end() {
    std::byte beyond{};
    const bool is_too_far = rows_->unpacked == rows_->expected && rows_->zlib.read({&beyond, 1}) == 1;
    if (is_too_far) return true;
    const std::string& flaw = rows_->zlib.flaw();
    if (!flaw.empty())
        rows_->file.refuse(437,
                           fmt::format("compressed data of PNG is damaged after {} of {} bytes of rows: {}",
                                       rows_->unpacked, rows_->expected, flaw),
                           rows_->data_begin);
    if (rows_->zlib.is_whole() && rows_->unpacked < rows_->expected)
        rows_->file.refuse(
            437, fmt::format("PNG inflates to {} bytes of rows, must have {}", rows_->unpacked, rows_->expected),
            rows_->data_begin);
    return false;
}

}
