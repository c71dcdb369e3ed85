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

// A file whose header has been read: what it promises is looked at before the rest is read.
class IdxReader {
public:
    IdxReader(Unpacker file, std::string path) : IdxReader(std::move(file), std::move(path), {}) {}
    // `begun`: the first four bytes, if they were read before.
    IdxReader(Unpacker file, std::string path, std::vector<std::byte> begun)
        : file_(std::move(file)), path_(std::move(path)), magic_(std::move(begun)) {
        if (magic_.empty()) magic_ = read_header_part(file_, 4, path_);
        const int rank = checked_rank(magic_, path_);
        extents_ = read_header_part(file_, 4 * static_cast<std::size_t>(rank), path_);
        ByteReader reader(extents_, path_, 4);
        for (int i = 0; i < rank; ++i) shape_.push(reader.u32be());
        count_ = checked_count(shape_, path_);
    }
    explicit IdxReader(const std::filesystem::path& path) : IdxReader(open_data_file(path), printable(path.string())) {}

    const Shape& shape() const { return shape_; }
    const std::string& path() const { return path_; }
    std::uint64_t header_bytes() const { return magic_.size() + extents_.size(); }
    std::uint64_t count() const { return count_; }  // of elements
    std::vector<std::byte> elements() { return read_exactly(file_, path_, count_, header_bytes()); }
    FileFact fact(std::span<const std::byte> elements) const {
        const std::span<const std::byte> parts[] = {magic_, extents_, elements};
        return fact_of(file_, path_, parts);
    }

private:
    Unpacker file_;
    std::string path_;
    std::vector<std::byte> magic_, extents_;
    Shape shape_{};
    std::uint64_t count_ = 0;
};

void append_labels(const IdxReader& file, std::span<const std::byte> labels, ImageSet& set) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const int label = std::to_integer<int>(labels[i]);
        if (label >= set.classes())
            throw InputError(
                {.id = 431,
                 .what = fmt::format("label {} of record {} is out of range 0..{}", label, i, set.classes() - 1),
                 .at = fmt::format("{} @ byte {}", file.path(), file.header_bytes() + i),
                 .try_ = "copy or download the file again; is it of another data set?"});
        set.labels.push_back(label);
    }
}

void check_images(const IdxReader& file) {
    const Shape& shape = file.shape();
    if ((shape.rank() == 3 || shape.rank() == 4) && file.count() > 0) return;
    throw InputError({.id = 408,
                      .what = fmt::format("IDX array {} holds no images", shape.str()),
                      .at = file.path(),
                      .why = "images are [n, height, width] or [n, height, width, channels]"});
}

void fill_images(const Shape& shape, std::span<const std::byte> elements, ImageSet& set) {
    set.height = shape[1], set.width = shape[2];
    set.channels = shape.rank() == 4 ? shape[3] : 1;
    set.images.resize(elements.size());
    std::ranges::transform(elements, set.images.begin(), std::to_integer<std::uint8_t>);
}

IdxArray array_of(IdxReader reader) {
    IdxArray array{.shape = reader.shape(), .elements = reader.elements()};
    array.fact = reader.fact(array.elements);
    return array;
}

}

IdxArray read_idx(const std::filesystem::path& path) { return array_of(IdxReader(path)); }
IdxArray read_idx(Unpacker file, const std::string& shown) { return array_of({std::move(file), shown}); }

// What a header or a label is refused for is found before the images are read and hashed.
void read_idx_set(const std::filesystem::path& images, const std::filesystem::path& labels, ImageSet& set) {
    IdxReader pixels(images), classes(labels);
    const Shape& shape = pixels.shape();
    check_images(pixels);
    if (classes.shape().rank() != 1)
        throw InputError({.id = 408,
                          .what = fmt::format("IDX array {} holds no labels", classes.shape().str()),
                          .at = classes.path(),
                          .why = "labels are [n]"});
    if (classes.shape()[0] != shape[0])
        throw InputError({.id = 430,
                          .what = fmt::format("{} labels for {} images", classes.shape()[0], shape[0]),
                          .at = classes.path(),
                          .try_ = "are both files of the same split?"});
    const std::vector<std::byte> label_bytes = classes.elements();
    append_labels(classes, label_bytes, set);
    const std::vector<std::byte> bytes = pixels.elements();
    fill_images(shape, bytes, set);
    set.files = {pixels.fact(bytes), classes.fact(label_bytes)};
}

void read_idx_images(Unpacker file, const std::string& shown, std::vector<std::byte> begun, ImageSet& set) {
    IdxReader reader(std::move(file), shown, std::move(begun));
    check_images(reader);
    fill_images(reader.shape(), reader.elements(), set);
}

void read_idx_folder(const std::filesystem::path& root, std::string_view folder, const std::string& advice,
                     ImageSet& set) {
    const std::string part = set.split == Split::train ? "train" : "t10k";
    const std::string images = part + "-images-idx3-ubyte", labels = part + "-labels-idx1-ubyte";
    const std::string_view image_names[] = {images}, label_names[] = {labels};
    read_idx_set(locate_file(root, folder, image_names, advice), locate_file(root, folder, label_names, advice), set);
}

}
