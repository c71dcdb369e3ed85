#include "data/data_file.h"

#include "engine/file.h"
#include "engine/sha256.h"
#include "kernels/error.h"

#include <algorithm>
#include <array>

namespace bkd {

namespace {

constexpr std::uint64_t stored_budget = std::uint64_t{1} << 30;
constexpr std::uint64_t growth = std::uint64_t{16} << 20;  // memory follows what arrives, not what is promised
// Addresses for more at once: what grows by moving would be held twice. Pages that nothing arrives in cost nothing.
constexpr std::uint64_t reserve = std::uint64_t{256} << 20;
constexpr std::size_t guess_bytes = 16;  // that guess_kind looks at, and a few

bool starts_with(std::span<const std::byte> bytes, std::initializer_list<int> magic) {
    return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin(),
                                                      [](int a, std::byte b) { return std::to_integer<int>(b) == a; });
}

[[noreturn]] void refuse_size(const std::string& path, const std::string& seen, std::uint64_t size,
                              const std::string& guess) {
    throw InputError({.id = 430,
                      .what = fmt::format("file has {} bytes, must have {}", seen, size),
                      .at = path,
                      .try_ = guess.empty() ? "copy or download the file again" : guess});
}

}

std::filesystem::path locate_file(const std::filesystem::path& root, std::string_view folder,
                                  std::span<const std::string_view> names, const std::string& advice) {
    std::vector<std::filesystem::path> roots{root};
    if (root == "auto") roots = {"data", "/usr/share/datasets"};
    std::filesystem::path first;
    int tried = 0;
    for (const std::filesystem::path& place : roots)
        for (const std::filesystem::path& inside : {place / folder, place})
            for (const std::string_view name : names)
                for (const std::string_view suffix : {"", ".xz", ".gz"}) {
                    std::filesystem::path path = inside / (std::string(name) + std::string(suffix));
                    std::error_code ignored;  // not there and not readable are told apart when it is opened
                    if (std::filesystem::exists(path, ignored)) return path;
                    if (tried++ == 0) first = std::move(path);
                }
    throw InputError({.id = 501,
                      .what = fmt::format("no such file: {}", printable(first.string())),
                      .at = fmt::format("data.root = \"{}\"{}", printable(root.string()),
                                        root == "auto" ? fmt::format(", {} places tried", tried) : std::string()),
                      .try_ = advice});
}

Unpacker open_data_file(const std::filesystem::path& path) { return {path, stored_budget}; }

std::vector<std::byte> read_exactly(Unpacker& file, const std::string& path, std::uint64_t size,
                                    std::uint64_t already) {
    const std::uint64_t most = file.most_unpacked_bytes();
    const bool is_plain = file.packing() == Packing::none;
    if (!is_plain && size > most) refuse_size(path, fmt::format("{} packed", file.stored_bytes()), already + size, "");
    std::vector<std::byte> bytes;
    const auto refuse = [&](const std::string& seen) {
        refuse_size(path, seen, already + size, already > 0 ? "" : guess_kind(bytes));
    };
    if (is_plain && static_cast<std::uint64_t>(file.stored_bytes()) != already + size) {
        bytes.resize(guess_bytes);
        bytes.resize(file.read(bytes));
        refuse(std::to_string(file.stored_bytes()));
    }
    bytes.reserve(static_cast<std::size_t>(std::min({size, most, reserve})));
    while (bytes.size() < size) {
        const std::size_t before = bytes.size();
        bytes.resize(static_cast<std::size_t>(std::min({size, most, before + growth})));
        const std::size_t n = file.read(std::span(bytes).subspan(before));
        bytes.resize(before + n);
        if (n == 0) refuse(std::to_string(already + before));
    }
    std::byte beyond{};
    if (file.read({&beyond, 1}) == 1) refuse(fmt::format("more than {}", already + size));
    return bytes;
}

FileFact fact_of(const Unpacker& file, const std::string& path, std::span<const std::span<const std::byte>> contents) {
    FileFact fact{.path = path, .stored_bytes = file.stored_bytes(), .note = file.note()};
    Sha256 hash;
    for (const std::span<const std::byte> part : contents) {
        hash.update(part.data(), part.size());
        fact.unpacked_bytes += static_cast<std::int64_t>(part.size());
    }
    fact.sha256 = hash.hex();
    return fact;
}

std::string guess_kind(std::span<const std::byte> first) {
    if (starts_with(first, {0x1f, 0x8b})) return "this is gzip data: unpack it (a .tar.gz holds the files themselves)";
    if (starts_with(first, {0xfd, '7', 'z', 'X', 'Z', 0})) return "this is xz data: give the file the suffix .xz";
    if (starts_with(first, {'P', 'K', 3, 4})) return "this is a zip archive: unpack it";
    if (first.size() >= 2 && first[0] == std::byte{0x80} && first[1] >= std::byte{2} && first[1] <= std::byte{5})
        return "this is a Python pickle, as in the Python version of the set: take the binary version";
    if (starts_with(first, {0, 0, 8})) return "this is an IDX file";
    return {};
}

}
