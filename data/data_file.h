#pragma once
// Finding and reading the files of a data set: where they may lie, that they have exactly the size they must have, and
// what a run's records keep of them.
#include "data/decompress.h"
#include "data/image_set.h"

#include <filesystem>
#include <string_view>

namespace bkd {

// `root` "auto" means ./data, then where Debian's dataset packages lie (/usr/share/datasets). Looks in root/folder,
// then in root, for each of `names`, each as it is, with .xz and with .gz. E0501 names the first place, for "auto" also
// how many were tried; `advice` says where the file comes from.
std::filesystem::path locate_file(const std::filesystem::path& root, std::string_view folder,
                                  std::span<const std::string_view> names, const std::string& advice);

// A file opened for reading; at most 1 GiB as it lies on disk. E0501, E0502, E0503.
Unpacker open_data_file(const std::filesystem::path& path);

// Reads exactly `size` bytes and asserts that the file ends there: else E0430 with both sizes and a guess at what it
// is. `already` bytes of a header were read before and count in the sizes of the message.
std::vector<std::byte> read_exactly(Unpacker& file, const std::string& path, std::uint64_t size,
                                    std::uint64_t already = 0);

FileFact fact_of(const Unpacker& file, const std::string& path, std::span<const std::span<const std::byte>> contents);

// What a file with these first bytes probably is, as advice: "this is gzip data: name it .gz". Empty: no idea.
std::string guess_kind(std::span<const std::byte> first_bytes);

}
