#include "data/idx.h"

#include "data/data_file.h"
#include "data/dataset.h"
#include "engine/byte_reader.h"
#include "kernels/error.h"

#include <algorithm>
#include <array>

namespace bkd {

namespace {

std::vector<std::byte> read_header_part(Unpacker& file, std::size_t size, const std::string& path) {
    std::vector<std::byte> bytes(size);
    const std::size_t n = file.read(bytes);
    if (n == size) return bytes;
    throw InputError({.id = 430,
                      .what = fmt::format("IDX header is cut off: {} of {} bytes", n, size),
                      .at = path,
                      .try_ = "copy or download the file again"});
}

int checked_rank(std::span<const std::byte> magic, const std::string& path) {
    ByteReader reader(magic, path);
    const int zero0 = reader.u8(), zero1 = reader.u8(), type = reader.u8(), rank = reader.u8();
    if (zero0 != 0 || zero1 != 0)
        throw InputError({.id = 404,
                          .what = fmt::format("no IDX file: it begins with bytes {:02x} {:02x}", zero0, zero1),
                          .at = path + " @ byte 0",
                          .why = "an IDX file begins with two zero bytes",
                          .try_ = guess_kind(magic)});
    if (type != 8)
        throw InputError({.id = 409,
                          .what = fmt::format("IDX type {:02x} is not read", type),
                          .at = path + " @ byte 2",
                          .why = "only 08, unsigned bytes, is read"});
    if (rank < 1 || rank > Shape::max_rank)
        throw InputError({.id = 408,
                          .what = fmt::format("IDX array of {} axes", rank),
                          .at = path + " @ byte 3",
                          .why = fmt::format("1 to {} axes are read", Shape::max_rank)});
    return rank;
}

constexpr std::uint64_t unpacked_budget = std::uint64_t{8} << 30;

// Bytes that the header promises, within the budget: E0407.
std::uint64_t checked_count(const Shape& shape, const std::string& path) {
    std::uint64_t count = 1;
    for (int i = 0; i < shape.rank(); ++i)
        if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(shape[i]), &count) || count > unpacked_budget)
            throw InputError({.id = 407,
                              .what = fmt::format("IDX header promises {} bytes", shape.str()),
                              .at = path + " @ byte 4",
                              .why = fmt::format("the budget is {} bytes", unpacked_budget)});
    return count;
}

}

IdxArray read_idx(const std::filesystem::path& path) {
    const std::string shown = printable(path.string());
    Unpacker file = open_data_file(path);
    const std::vector<std::byte> magic = read_header_part(file, 4, shown);
    const int rank = checked_rank(magic, shown);
    const std::vector<std::byte> extents = read_header_part(file, 4 * static_cast<std::size_t>(rank), shown);
    IdxArray array;
    ByteReader reader(extents, shown, 4);
    for (int i = 0; i < rank; ++i) array.shape.push(reader.u32be());
    const std::uint64_t header = magic.size() + extents.size();
    array.elements = read_exactly(file, shown, checked_count(array.shape, shown), header);
    const std::span<const std::byte> parts[] = {magic, extents, array.elements};
    array.fact = fact_of(file, shown, parts);
    return array;
}

void read_idx_set(const std::filesystem::path& images, const std::filesystem::path& labels, ImageSet& set) {
    IdxArray pixels = read_idx(images), classes = read_idx(labels);
    if ((pixels.shape.rank() != 3 && pixels.shape.rank() != 4) || pixels.shape.count() == 0)
        throw InputError({.id = 408,
                          .what = fmt::format("IDX array {} holds no images", pixels.shape.str()),
                          .at = pixels.fact.path,
                          .why = "images are [n, height, width] or [n, height, width, channels]"});
    if (classes.shape.rank() != 1)
        throw InputError({.id = 408,
                          .what = fmt::format("IDX array {} holds no labels", classes.shape.str()),
                          .at = classes.fact.path,
                          .why = "labels are [n]"});
    if (classes.shape[0] != pixels.shape[0])
        throw InputError({.id = 430,
                          .what = fmt::format("{} labels for {} images", classes.shape[0], pixels.shape[0]),
                          .at = classes.fact.path,
                          .try_ = "are both files of the same split?"});
    set.height = pixels.shape[1], set.width = pixels.shape[2];
    set.channels = pixels.shape.rank() == 4 ? pixels.shape[3] : 1;
    set.images.resize(pixels.elements.size());
    std::ranges::transform(pixels.elements, set.images.begin(), std::to_integer<std::uint8_t>);
    for (std::size_t i = 0; i < classes.elements.size(); ++i) {
        const int label = std::to_integer<int>(classes.elements[i]);
        if (label >= set.classes())
            throw InputError(
                {.id = 431,
                 .what = fmt::format("label {} of record {} is out of range 0..{}", label, i, set.classes() - 1),
                 .at = fmt::format("{} @ byte {}", classes.fact.path, 8 + i),
                 .try_ = "copy or download the file again; is it of another data set?"});
        set.labels.push_back(label);
    }
    set.files = {std::move(pixels.fact), std::move(classes.fact)};
}

void read_idx_folder(const std::filesystem::path& root, std::string_view folder, const std::string& advice,
                     ImageSet& set) {
    const std::string part = set.split == Split::train ? "train" : "t10k";
    const std::string images = part + "-images-idx3-ubyte", labels = part + "-labels-idx1-ubyte";
    const std::string_view image_names[] = {images}, label_names[] = {labels};
    read_idx_set(locate_file(root, folder, image_names, advice), locate_file(root, folder, label_names, advice), set);
}

}
