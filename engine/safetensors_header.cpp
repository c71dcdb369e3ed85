// The checks of a header, in the order in which they are made.
//
// A hostile header may name 65,536 tensors in 3.6 MB. So what is kept of each until all is known to be sound is 40
// bytes that point into the header's text: a refused file costs less than twice its size.
#include "engine/safetensors_header.h"

#include "engine/header_text.h"

#include <algorithm>

namespace bkd {
namespace {

constexpr std::size_t max_metadata = 1024, max_metadata_bytes = 1 << 20;

constexpr ElementType supported[] = {ElementType::f64, ElementType::f32,    ElementType::f16, ElementType::bf16,
                                     ElementType::i64, ElementType::i32,    ElementType::i16, ElementType::i8,
                                     ElementType::u8,  ElementType::boolean};
// Of the format, but not of this program.
constexpr std::string_view unsupported[] = {"U16",     "U32",     "U64",     "C64",     "F8_E4M3",
                                            "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4"};

// C0, DEL and C1; the text is valid UTF-8.
bool has_control(std::string_view name) {
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto byte = static_cast<unsigned char>(name[i]);
        if (byte < 0x20 || byte == 0x7F) return true;
        if (byte == 0xC2 && static_cast<unsigned char>(name[i + 1]) < 0xA0) return true;
    }
    return false;
}

struct Entry {
    std::string_view name;
    std::uint64_t begin = 0, end = 0;  // bytes of the data
    std::uint32_t shape_at = 0;        // where the shape stands in the header
    ElementType type = ElementType::f32;
};

class HeaderReader {
public:
    HeaderReader(std::string_view header, std::uint64_t data_bytes, const std::string& path)
        : text_(header, path), header_bytes_(header.size()), data_bytes_(data_bytes) {}
    SafeTensorsHeader read();

private:
    void read_metadata();
    void read_tensor(std::string_view name, std::size_t name_at);
    void check_name(std::string_view name, std::size_t name_at) const;
    ElementType read_type();
    std::vector<std::int64_t> read_shape();
    void read_offsets(Entry& entry);
    void check_size(const Entry& entry, std::span<const std::int64_t> shape) const;
    void check_unique_names();
    void check_coverage();

    HeaderText text_;
    std::size_t header_bytes_;
    std::uint64_t data_bytes_;
    std::vector<Entry> entries_;
    SafeTensorsHeader result_;
};

SafeTensorsHeader HeaderReader::read() {
    bool has_metadata = false;
    text_.read_object([&](std::string_view key, std::size_t key_at) {
        if (key != "__metadata__") return read_tensor(key, key_at);
        if (has_metadata) text_.fail(404, key_at, "__metadata__ appears twice");
        has_metadata = true;
        read_metadata();
    });
    text_.expect_end();
    check_unique_names();
    check_coverage();

    std::ranges::sort(entries_, {}, &Entry::name);
    result_.tensors.reserve(entries_.size());
    for (const Entry& entry : entries_) {
        text_.go_to(entry.shape_at);
        result_.tensors.push_back({.name = std::string(entry.name),
                                   .type = entry.type,
                                   .shape = read_shape(),
                                   .begin = entry.begin,
                                   .end = entry.end});
    }
    return std::move(result_);
}

void HeaderReader::read_metadata() {
    text_.expect_kind('{', 404, 2, "__metadata__ must be an object of texts");
    std::size_t bytes = 0;
    text_.read_object([&](std::string_view key, std::size_t key_at) {
        const std::string name(key);
        text_.expect_kind('"', 404, 3, "a metadata value must be text");
        const std::size_t value_at = text_.at();
        const std::string_view value = text_.read_string();
        if (result_.metadata.size() == max_metadata)
            text_.fail(407, key_at, fmt::format("more than {} metadata keys", max_metadata));
        // A vocabulary is kept in bkd.preprocess: it may be as large as a header.
        if (name != "bkd.preprocess") bytes += name.size() + value.size();
        if (bytes > max_metadata_bytes)
            text_.fail(407, key_at, fmt::format("metadata has more than {} bytes", max_metadata_bytes));
        if (!result_.metadata.emplace(name, value).second)
            text_.fail(405, key_at, fmt::format("metadata key \"{}\" appears twice", printable(name)));
        if (name == "bkd.header_crc32c" && text_.at() - value_at == 10) result_.checksum_at = value_at + 1;
    });
}

void HeaderReader::read_tensor(std::string_view name, std::size_t name_at) {
    check_name(name, name_at);
    if (entries_.size() == max_tensors) text_.fail(407, name_at, fmt::format("more than {} tensors", max_tensors));
    text_.expect_kind('{', 404, 2, "a tensor must be an object of dtype, shape and data_offsets");
    Entry entry{.name = name};
    std::vector<std::int64_t> shape;
    bool has_type = false, has_shape = false, has_offsets = false;
    text_.read_object([&](std::string_view key, std::size_t key_at) {
        bool* const seen = key == "dtype"          ? &has_type
                           : key == "shape"        ? &has_shape
                           : key == "data_offsets" ? &has_offsets
                                                   : nullptr;
        if (seen == nullptr)
            text_.fail(404, key_at,
                       fmt::format("tensor \"{}\" has an unknown key \"{}\"", printable(name), printable(key)));
        if (*seen) text_.fail(404, key_at, fmt::format("tensor \"{}\" has \"{}\" twice", printable(name), key));
        *seen = true;
        if (seen == &has_type) entry.type = read_type();
        if (seen == &has_offsets) read_offsets(entry);
        if (seen == &has_shape) {
            entry.shape_at = static_cast<std::uint32_t>(text_.at());
            shape = read_shape();
        }
    });
    if (!has_type || !has_shape || !has_offsets)
        text_.fail(404, text_.at(),
                   fmt::format("tensor \"{}\" has no \"{}\"", printable(name),
                               !has_type    ? "dtype"
                               : !has_shape ? "shape"
                                            : "data_offsets"));
    check_size(entry, shape);
    entries_.push_back(entry);
}

void HeaderReader::check_name(std::string_view name, std::size_t name_at) const {
    if (const std::string fault = name_fault(name); !fault.empty()) text_.fail(406, name_at, "a tensor's " + fault);
}

ElementType HeaderReader::read_type() {
    text_.expect_kind('"', 409, 3, "dtype must be text");
    const std::size_t begin = text_.at();
    const std::string_view name = text_.read_string();
    for (const ElementType type : supported)
        if (name == name_of(type)) return type;
    const bool is_known = std::ranges::find(unsupported, name) != std::end(unsupported);
    text_.fail(409, begin, fmt::format("dtype \"{}\" is {}", printable(name), is_known ? "not supported" : "unknown"),
               "supported are F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL");
}

std::vector<std::int64_t> HeaderReader::read_shape() {
    text_.expect_kind('[', 408, 3, "shape must be an array of extents");
    std::vector<std::int64_t> shape;
    text_.read_array([&] {
        const std::size_t begin = text_.at();
        const std::uint64_t extent = text_.read_digits(408, "an extent");
        if (extent > static_cast<std::uint64_t>(max_extent))
            text_.fail(408, begin, fmt::format("extent {} is above 2^48", extent));
        if (shape.size() == max_dims)
            text_.fail(408, begin, fmt::format("a shape has more than {} dimensions", max_dims));
        shape.push_back(static_cast<std::int64_t>(extent));
    });
    return shape;
}

void HeaderReader::read_offsets(Entry& entry) {
    text_.expect_kind('[', 410, 3, "data_offsets must be an array of two offsets");
    const std::size_t begin = text_.at();
    std::uint64_t offsets[2] = {};
    std::size_t count = 0;
    text_.read_array([&] {
        const std::uint64_t offset = text_.read_digits(410, "an offset");
        if (count < 2) offsets[count] = offset;
        ++count;
    });
    if (count != 2) text_.fail(410, begin, fmt::format("data_offsets holds {} offsets instead of 2", count));
    if (offsets[0] > offsets[1] || offsets[1] > data_bytes_)
        text_.fail(410, begin,
                   fmt::format("data_offsets [{},{}] do not lie in the {} bytes of data", offsets[0], offsets[1],
                               data_bytes_));
    entry.begin = offsets[0];
    entry.end = offsets[1];
}

void HeaderReader::check_size(const Entry& entry, std::span<const std::int64_t> shape) const {
    std::int64_t bytes = size_of(entry.type);
    bool overflows = false;
    for (const std::int64_t extent : shape) overflows = overflows || __builtin_mul_overflow(bytes, extent, &bytes);
    if (overflows)
        text_.fail(408, entry.shape_at,
                   fmt::format("tensor \"{}\": {} of {} is beyond 2^63 bytes", printable(entry.name), shape_text(shape),
                               name_of(entry.type)));
    if (static_cast<std::uint64_t>(bytes) != entry.end - entry.begin)
        text_.fail(408, entry.shape_at,
                   fmt::format("tensor \"{}\": {} of {} takes {} bytes, data_offsets hold {}", printable(entry.name),
                               shape_text(shape), name_of(entry.type), bytes, entry.end - entry.begin));
}

void HeaderReader::check_unique_names() {
    std::ranges::sort(entries_, {}, &Entry::name);
    const auto twice = std::ranges::adjacent_find(entries_, {}, &Entry::name);
    if (twice == entries_.end()) return;
    const std::size_t second = std::max(twice->shape_at, std::next(twice)->shape_at);
    text_.fail(405, second, fmt::format("tensor \"{}\" appears twice", printable(twice->name)));
}

// The tensors cover the data exactly once: no holes for hidden bytes, no overlap that makes a small file large.
void HeaderReader::check_coverage() {
    std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::uint64_t covered = 0;
    for (const Entry& entry : entries_) {
        if (entry.begin != covered)
            text_.fail(410, entry.shape_at,
                       fmt::format("tensor \"{}\" begins at {} of the data, the one before ends at {}",
                                   printable(entry.name), entry.begin, covered));
        covered = entry.end;
    }
    if (covered != data_bytes_)
        text_.fail(410, header_bytes_ + static_cast<std::size_t>(covered),
                   fmt::format("the tensors cover {} bytes of data, the file has {}", covered, data_bytes_));
}

}

std::string name_fault(std::string_view name) {
    if (name.empty() || name.size() > max_name_bytes)
        return fmt::format("name has {} bytes, allowed are 1..{}", name.size(), max_name_bytes);
    for (std::string_view rest = name; !rest.empty();) {
        const std::size_t length = utf8_length(rest);
        if (length == 0) return fmt::format("name \"{}\" is not valid UTF-8", printable(name));
        rest.remove_prefix(length);
    }
    if (has_control(name)) return fmt::format("name \"{}\" holds a control character", printable(name));
    return {};
}

SafeTensorsHeader read_safetensors_header(std::string_view header, std::uint64_t data_bytes, const std::string& path) {
    return HeaderReader(header, data_bytes, path).read();
}

}
