#include "data/decompress.h"

#include "engine/file.h"
#include "kernels/error.h"

#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace bkd {

namespace {

constexpr std::uint64_t dictionary_budget = std::uint64_t{128} << 20;  // xz -9 takes 65 MiB
constexpr std::size_t piece = std::size_t{1} << 30;                    // zlib counts in 32 bits

[[noreturn]] void refuse(int id, const std::string& path, std::string what, std::string try_) {
    throw InputError({.id = id, .what = std::move(what), .at = path, .try_ = std::move(try_)});
}

[[noreturn]] void refuse_cut(const std::string& path, std::size_t stored, std::uint64_t unpacked) {
    refuse(430, path, fmt::format("compressed file is cut off after {} bytes ({} unpacked)", stored, unpacked),
           "copy or download the file again");
}

}

struct Unpacker::Stream {
    FileSystem system{};
    std::unique_ptr<InputFile> file{};  // of Packing::none on disk; else null
    std::vector<std::byte> stored;
    Packing packing;
    std::string path;
    std::string note{};
    std::uint64_t unpacked = 0;
    std::size_t consumed = 0;  // of `stored`
    bool at_end = false;
    z_stream gzip{};
    lzma_stream xz = LZMA_STREAM_INIT;

    Stream(std::vector<std::byte> bytes, Packing kind, std::string name)
        : stored(std::move(bytes)), packing(kind), path(std::move(name)) {
        constexpr int gzip_window = 15 + 16;  // the largest window; +16 asks for the gzip wrapper
        if (packing == Packing::gzip && inflateInit2(&gzip, gzip_window) != Z_OK)
            refuse(702, path, "no memory to unpack", "");
        if (packing == Packing::xz && lzma_stream_decoder(&xz, dictionary_budget, LZMA_CONCATENATED) != LZMA_OK)
            refuse(702, path, "no memory to unpack", "");
    }
    ~Stream() {
        if (packing == Packing::gzip) inflateEnd(&gzip);
        lzma_end(&xz);
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    std::size_t size() const { return file ? static_cast<std::size_t>(file->size()) : stored.size(); }
    std::size_t left() const { return size() - consumed; }
    std::size_t copy(std::span<std::byte> out);
    std::size_t inflate_some(std::span<std::byte> out);
    std::size_t decode_xz_some(std::span<std::byte> out);
    void end_of_gzip_member();
};

std::size_t Unpacker::Stream::copy(std::span<std::byte> out) {
    const std::size_t n = std::min(out.size(), left());
    if (file)
        file->read(consumed, out.first(n));
    else
        std::copy_n(stored.begin() + static_cast<std::ptrdiff_t>(consumed), n, out.begin());
    consumed += n;
    at_end = left() == 0;
    return n;
}

void Unpacker::Stream::end_of_gzip_member() {
    const bool another = left() >= 2 && stored[consumed] == std::byte{0x1f} && stored[consumed + 1] == std::byte{0x8b};
    if (another && inflateReset(&gzip) == Z_OK) return;
    at_end = true;
    if (left() > 0) note = fmt::format("{} bytes after the compressed data are ignored", left());
}

std::size_t Unpacker::Stream::inflate_some(std::span<std::byte> out) {
    const std::size_t offered = std::min(left(), piece), room = std::min(out.size(), piece);
    gzip.next_in = reinterpret_cast<Bytef*>(stored.data() + consumed);
    gzip.avail_in = static_cast<uInt>(offered);
    gzip.next_out = reinterpret_cast<Bytef*>(out.data());
    gzip.avail_out = static_cast<uInt>(room);
    const int result = inflate(&gzip, Z_NO_FLUSH);
    consumed += offered - gzip.avail_in;
    const std::size_t written = room - gzip.avail_out;
    if (result == Z_STREAM_END)
        end_of_gzip_member();
    else if (result == Z_BUF_ERROR || (result == Z_OK && written == 0 && left() == 0))
        refuse_cut(path, stored.size(), unpacked + written);
    else if (result == Z_MEM_ERROR)
        refuse(702, path, "no memory to unpack", "");
    else if (result != Z_OK && unpacked + written == 0 && consumed < 10)
        refuse(404, path, "this is no gzip file", "unpack it yourself, or give the file its true name");
    else if (result != Z_OK)
        refuse(421, path, fmt::format("compressed data is damaged: {}", gzip.msg ? gzip.msg : "unknown reason"),
               "copy or download the file again");
    return written;
}

std::size_t Unpacker::Stream::decode_xz_some(std::span<std::byte> out) {
    xz.next_in = reinterpret_cast<const std::uint8_t*>(stored.data() + consumed);
    xz.avail_in = left();
    xz.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    xz.avail_out = out.size();
    const lzma_ret result = lzma_code(&xz, LZMA_FINISH);
    consumed = stored.size() - xz.avail_in;
    const std::size_t written = out.size() - xz.avail_out;
    switch (result) {
        case LZMA_OK:
            break;
        case LZMA_STREAM_END:
            at_end = true;
            break;
        case LZMA_BUF_ERROR:
            refuse_cut(path, stored.size(), unpacked + written);
        case LZMA_FORMAT_ERROR:
            refuse(404, path, "this is no xz file", "unpack it yourself, or give the file its true name");
        case LZMA_MEMLIMIT_ERROR:
            refuse(407, path,
                   fmt::format("xz asks for a dictionary above the budget of {} MiB", dictionary_budget >> 20),
                   "pack it with xz -9 or less");
        case LZMA_MEM_ERROR:
            refuse(702, path, "no memory to unpack", "");
        default:
            refuse(421, path, "compressed data is damaged", "copy or download the file again");
    }
    return written;
}

Packing packing_of(const std::filesystem::path& path) {
    if (path.extension() == ".gz") return Packing::gzip;
    if (path.extension() == ".xz") return Packing::xz;
    return Packing::none;
}

Unpacker::Unpacker(std::vector<std::byte> stored, Packing packing, std::string path)
    : stream_(std::make_unique<Stream>(std::move(stored), packing, std::move(path))) {}
Unpacker::Unpacker(const std::filesystem::path& path, std::uint64_t most_bytes)
    : Unpacker({}, packing_of(path), printable(path.string())) {
    Stream& stream = *stream_;
    if (stream.packing != Packing::none) {
        stream.stored = read_file(path, most_bytes);
        return;
    }
    stream.file = std::make_unique<InputFile>(path, std::string_view{}, stream.system);
    if (stream.file->size() > most_bytes)
        refuse(407, stream.path, fmt::format("file has {} bytes, at most {} are read", stream.file->size(), most_bytes),
               "");
}
Unpacker::~Unpacker() = default;
Unpacker::Unpacker(Unpacker&&) noexcept = default;
Unpacker& Unpacker::operator=(Unpacker&&) noexcept = default;

std::size_t Unpacker::read(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size() && !stream_->at_end) {
        const std::span<std::byte> rest = out.subspan(filled);
        std::size_t n = 0;
        switch (stream_->packing) {
            case Packing::none:
                n = stream_->copy(rest);
                break;
            case Packing::gzip:
                n = stream_->inflate_some(rest);
                break;
            case Packing::xz:
                n = stream_->decode_xz_some(rest);
                break;
        }
        filled += n;
        stream_->unpacked += n;
    }
    return filled;
}

std::uint64_t Unpacker::most_unpacked_bytes() const {
    const std::uint64_t stored = stream_->size();
    switch (stream_->packing) {
        case Packing::none:
            return stored;
        case Packing::gzip:
            return 1032 * stored;  // deflate: 258 bytes for two bits
        case Packing::xz:
            break;  // LZMA2 has no such bound: 1 byte can stand for 10,000
    }
    return std::numeric_limits<std::uint64_t>::max();
}

Packing Unpacker::packing() const { return stream_->packing; }
std::int64_t Unpacker::stored_bytes() const { return static_cast<std::int64_t>(stream_->size()); }
const std::string& Unpacker::note() const { return stream_->note; }

}
