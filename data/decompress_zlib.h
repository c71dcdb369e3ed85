#pragma once
// A zlib stream that lies in pieces, unpacked as it is asked for. Beside decompress.cpp the one place that knows zlib.
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace bkd {

class ZlibReader {
public:
    // What the stream is made of, piece by piece; an empty one: there is no more. E0702 without memory.
    explicit ZlibReader(std::function<std::span<const std::byte>()> next_piece);
    ~ZlibReader();
    ZlibReader(ZlibReader&&) noexcept;
    ZlibReader& operator=(ZlibReader&&) noexcept;

    // Fills `out` from the front; fewer bytes only where the stream ends or fails.
    std::size_t read(std::span<std::byte> out);
    bool is_whole() const;            // its end was read, and its checksum fits
    const std::string& flaw() const;  // why it failed: "cut off", or zlib's words; empty: it has not

private:
    struct Stream;
    std::unique_ptr<Stream> stream_;
};

}
