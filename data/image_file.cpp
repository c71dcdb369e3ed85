#include "data/image_file.h"

#include "data/cifar.h"
#include "data/data_file.h"
#include "data/idx.h"
#include "kernels/error.h"

#include <algorithm>
#include <array>

namespace bkd {
namespace {

constexpr std::size_t begun_bytes = 4;                             // what tells IDX and pictures from all else
constexpr std::uint64_t record_budget = std::uint64_t{256} << 20;  // CIFAR-100's training file has 154 MB
constexpr std::size_t piece = std::size_t{4} << 20;                // memory follows what arrives
constexpr const char* kinds = "IDX files, CIFAR-10 and -100 records and packed .res files are read, as .gz or .xz too";

// A picture or an archive of another program by its first bytes; empty: none that is known.
std::string foreign_kind(std::span<const std::byte> begun) {
    struct Kind {
        std::string_view magic, name;
    };
    constexpr std::array<Kind, 8> known{{{"\xff\xd8\xff", "a JPEG picture"},
                                         {"\x89PNG", "a PNG picture"},
                                         {"GIF8", "a GIF picture"},
                                         {"RIFF", "a WebP picture or another RIFF file"},
                                         {"BM", "a BMP picture"},
                                         {"PK\x03\x04", "a zip archive"},
                                         {"\x1f\x8b", "gzip data without the suffix .gz"},
                                         {"\xfd"
                                          "7zX",
                                          "xz data without the suffix .xz"}}};
    const std::string_view text(reinterpret_cast<const char*>(begun.data()), begun.size());
    for (const Kind& kind : known)
        if (text.starts_with(kind.magic)) return std::string(kind.name);
    return {};
}

[[noreturn]] void refuse_kind(const std::string& path, std::string what) {
    throw InputError({.id = 434,
                      .what = std::move(what),
                      .at = path,
                      .why = kinds,
                      .try_ = "pictures (JPEG, PNG) are not read by this version: write their pixels as an IDX file"});
}

// All that is left of the file, `begun` before it.
std::vector<std::byte> read_records(Unpacker& file, const std::string& path, std::vector<std::byte> begun) {
    std::vector<std::byte> bytes = std::move(begun);
    for (std::size_t n = piece; n == piece;) {
        const std::size_t before = bytes.size();
        bytes.resize(before + piece);
        n = file.read(std::span(bytes).subspan(before));
        bytes.resize(before + n);
        if (bytes.size() > record_budget)
            throw InputError(
                {.id = 407, .what = "a file of records has more than 256 MiB", .at = path, .try_ = "several files"});
    }
    return bytes;
}

bool is_multiple(std::uint64_t size, const CifarFormat& format) {
    return size % static_cast<std::uint64_t>(format.record_bytes()) == 0;
}

// 3,073 records of CIFAR-100 are as long as 3,074 of CIFAR-10: then labels below 10 throughout are those of CIFAR-10.
CifarFormat format_of(std::span<const std::byte> records, const std::string& path) {
    const CifarFormat ten = cifar10_format(), hundred = cifar100_format();
    const bool may_be_ten = is_multiple(records.size(), ten), may_be_hundred = is_multiple(records.size(), hundred);
    if (!may_be_ten && !may_be_hundred)
        refuse_kind(path, fmt::format("no kind of image file that is known: {} bytes, no multiple of {} or {}",
                                      records.size(), ten.record_bytes(), hundred.record_bytes()));
    if (!may_be_hundred) return ten;
    if (!may_be_ten) return hundred;
    for (std::size_t at = 0; at < records.size(); at += static_cast<std::size_t>(ten.record_bytes()))
        if (std::to_integer<std::size_t>(records[at]) >= ten.class_names.size()) return hundred;
    return ten;
}

ImageFile from_records(std::span<const std::byte> records, const CifarFormat& format, const std::string& path) {
    ImageSet set = empty_cifar("records", Split::test, format);
    append_cifar_records(records, format, path, set);
    return {path, set.height, set.width, set.channels, std::move(set.images)};
}

}

ImageFile read_image_file(const std::filesystem::path& path) {
    const std::string shown = printable(path.string());
    std::error_code is_not_there;
    if (std::filesystem::is_directory(path, is_not_there))
        throw InputError({.id = 503,
                          .what = fmt::format("{} is a folder", shown),
                          .why = "this version reads files, and no folders of pictures",
                          .try_ = fmt::format("the files in it: {}/*", shown)});
    Unpacker file = open_data_file(path);
    const std::filesystem::path name = file.packing() == Packing::none ? path : path.stem();
    if (name.extension() == ".res")
        return from_records(unpack_cifar10_lt100(read_exactly(file, shown, packed_cifar10_lt100_bytes)),
                            cifar10_format(), shown);
    std::vector<std::byte> begun(begun_bytes);
    begun.resize(file.read(begun));
    if (begun.empty()) throw InputError({.id = 430, .what = "the file is empty", .at = shown, .why = kinds});
    if (begun.size() == begun_bytes && begun[0] == std::byte{0} && begun[1] == std::byte{0} &&
        begun[2] == std::byte{8}) {
        ImageSet set;
        read_idx_images(std::move(file), shown, std::move(begun), set);
        return {shown, set.height, set.width, set.channels, std::move(set.images)};
    }
    if (const std::string kind = foreign_kind(begun); !kind.empty()) {
        // Records may begin with any pixels: a size that fits goes before a magic number that is a chance.
        const auto size = static_cast<std::uint64_t>(file.stored_bytes());
        const bool fits = is_multiple(size, cifar10_format()) || is_multiple(size, cifar100_format());
        if (file.packing() == Packing::none && !fits) refuse_kind(shown, "the file is " + kind);
    }
    const std::vector<std::byte> records = read_records(file, shown, std::move(begun));
    return from_records(records, format_of(records, shown), shown);
}

}
