#pragma once
// Unpacking of .gz and .xz in a stream, with no more output than is asked for. The one place that knows zlib and
// liblzma.
//
// A caller reads the header of what is inside, learns the size it must have, and reads just that: a file that expands
// without end costs nothing. Errors: E0430 cut off, E0421 damaged, E0404 not of the named kind, E0407 dictionary above
// 128 MiB.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bkd {

enum class Packing { none, gzip, xz };
Packing packing_of(const std::filesystem::path& path);  // by its last suffix

class Unpacker {
public:
    // `path` is for messages. A packing of none hands the bytes through.
    Unpacker(std::vector<std::byte> stored, Packing packing, std::string path);
    // A file of at most `most_bytes`, packed as its suffix says. A packed one is read here, any other as it is asked
    // for. E0407, E0501 .. E0504.
    Unpacker(const std::filesystem::path& path, std::uint64_t most_bytes);
    ~Unpacker();
    Unpacker(Unpacker&&) noexcept;
    Unpacker& operator=(Unpacker&&) noexcept;

    // Fills `out` from the front; fewer bytes than asked for only at the end of the contents.
    std::size_t read(std::span<std::byte> out);
    // The most that these stored bytes can unpack to; what a header promises beyond it is a lie.
    std::uint64_t most_unpacked_bytes() const;
    Packing packing() const;
    std::int64_t stored_bytes() const;
    const std::string& note() const;  // bytes after the compressed data, which are ignored

private:
    struct Stream;
    std::unique_ptr<Stream> stream_;
};

}
