#include "data/decompress_zlib.h"

#include "kernels/error.h"

#include <zlib.h>

#include <algorithm>

namespace bkd {
namespace {

constexpr std::size_t piece = std::size_t{1} << 30;  // zlib counts in 32 bits

}

struct ZlibReader::Stream {
    std::function<std::span<const std::byte>()> next_piece;
    std::span<const std::byte> input{};
    z_stream zlib{};
    std::string flaw{};
    bool is_whole = false;

    explicit Stream(std::function<std::span<const std::byte>()> pieces) : next_piece(std::move(pieces)) {
        if (inflateInit(&zlib) != Z_OK) throw InputError({.id = 702, .what = "no memory to unpack"});
    }
    ~Stream() { inflateEnd(&zlib); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    std::size_t inflate_some(std::span<std::byte> out);
};

std::size_t ZlibReader::Stream::inflate_some(std::span<std::byte> out) {
    if (input.empty()) input = next_piece();
    const std::size_t offered = std::min(input.size(), piece), room = std::min(out.size(), piece);
    zlib.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(input.data()));  // zlib does not write there
    zlib.avail_in = static_cast<uInt>(offered);
    zlib.next_out = reinterpret_cast<Bytef*>(out.data());
    zlib.avail_out = static_cast<uInt>(room);
    const int result = inflate(&zlib, Z_NO_FLUSH);
    input = input.subspan(offered - zlib.avail_in);
    const std::size_t written = room - zlib.avail_out;
    if (result == Z_STREAM_END)
        is_whole = true;
    else if (result == Z_MEM_ERROR)
        throw InputError({.id = 702, .what = "no memory to unpack"});
    else if (result == Z_BUF_ERROR || (result == Z_OK && written == 0 && offered == 0))
        flaw = "cut off";
    else if (result != Z_OK)
        flaw = zlib.msg != nullptr ? zlib.msg : "it asks for a dictionary";
    return written;
}

ZlibReader::ZlibReader(std::function<std::span<const std::byte>()> next_piece)
    : stream_(std::make_unique<Stream>(std::move(next_piece))) {}
ZlibReader::~ZlibReader() = default;
ZlibReader::ZlibReader(ZlibReader&&) noexcept = default;
ZlibReader& ZlibReader::operator=(ZlibReader&&) noexcept = default;

std::size_t ZlibReader::read(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size() && !stream_->is_whole && stream_->flaw.empty())
        filled += stream_->inflate_some(out.subspan(filled));
    return filled;
}

bool ZlibReader::is_whole() const { return stream_->is_whole; }
const std::string& ZlibReader::flaw() const { return stream_->flaw; }

}
