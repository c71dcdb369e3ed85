// The end record leads to the directory, the directory to the local headers; each is held against the other before an
// entry is used.
#include "engine/zip_archive.h"

#include "engine/byte_reader.h"
#include "engine/crc32.h"
#include "engine/safetensors_header.h"

#include <algorithm>

namespace bkd {
namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t local_signature = 0x04034b50, entry_signature = 0x02014b50, zip64_signature = 0x06064b50,
                        locator_signature = 0x07064b50;
constexpr std::string_view end_signature = "PK\5\6"sv;
constexpr std::uint64_t end_bytes = 22, locator_bytes = 20, zip64_bytes = 56, entry_bytes = 46, local_bytes = 30;
constexpr std::uint64_t most_comment = 65535, most_entries = 65536, most_directory_bytes = 64u << 20;
constexpr std::uint32_t saturated16 = 0xFFFF, saturated32 = 0xFFFFFFFF;
constexpr std::uint16_t sizes_follow = 1 << 3;                              // a local header without sizes and checksum
constexpr std::uint16_t not_as_it_is = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13;  // encrypted, patched, strongly, masked
constexpr std::uint16_t extra_zip64 = 1, extra_other_name = 0x7075;
constexpr const char* why_ambiguous = "programs differ in which they take";
constexpr const char* split_archive = "the ZIP archive is one part of several";
constexpr const char* advice_cut = "copy the file again: it may be cut off";
constexpr const char* advice_save = "load it in PyTorch and save it again with torch.save";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_before_folded(const ZipEntry* a, const ZipEntry* b) {
    return std::ranges::lexicographical_compare(a->name, b->name, [](char x, char y) { return lower(x) < lower(y); });
}

// What is wrong with an entry's name as a path. Nothing is written anywhere, but others may unpack what we accept.
std::string path_fault(std::string_view name) {
    if (std::string fault = name_fault(name); !fault.empty()) return fault;
    const bool has_drive = name.size() > 1 && name[1] == ':';
    bool goes_up = false;
    for (std::size_t at = 0; at <= name.size();) {
        const std::size_t end = std::min(name.find('/', at), name.size());
        goes_up = goes_up || name.substr(at, end - at) == "..";
        at = end + 1;
    }
    if (has_drive || goes_up || name.front() == '/' || name.find('\\') != std::string_view::npos)
        return fmt::format("name \"{}\" leads out of the archive", printable(name));
    if (name.find('/') == std::string_view::npos) return fmt::format("name \"{}\" lies in no folder", printable(name));
    return {};
}

// Short reads one after the other, from as few reads of the source as lie near each other.
class NearReader {
public:
    explicit NearReader(const ByteSource& source) : source_(source) {}
    // The bytes of the file from `offset` on; `count` must lie in it. Valid until the next call.
    std::span<const std::byte> bytes(std::uint64_t offset, std::uint64_t count) {
        if (offset < begin_ || offset - begin_ > held_.size() || held_.size() - (offset - begin_) < count) {
            begin_ = offset;
            held_.resize(static_cast<std::size_t>(std::min(source_.size - offset, std::max(count, window))));
            source_.read(offset, held_);
        }
        return std::span(held_).subspan(static_cast<std::size_t>(offset - begin_), static_cast<std::size_t>(count));
    }

private:
    static constexpr std::uint64_t window = 4096;
    const ByteSource& source_;
    std::uint64_t begin_ = 0;
    std::vector<std::byte> held_;
};

}

ByteSource byte_source(const InputFile& file, std::string path) {
    return {std::move(path), file.size(),
            [&file](std::uint64_t offset, std::span<std::byte> into) { file.read(offset, into); }};
}

ByteSource byte_source(std::span<const std::byte> bytes, std::string path) {
    return {std::move(path), bytes.size(), [bytes](std::uint64_t offset, std::span<std::byte> into) {
                std::ranges::copy(bytes.subspan(static_cast<std::size_t>(offset), into.size()), into.begin());
            }};
}

bool is_zip(std::span<const std::byte> first_bytes) {
    return first_bytes.size() >= 4 && ByteReader(first_bytes, {}).u32le() == local_signature;
}

void ZipArchive::fail(int id, std::string what, std::uint64_t offset, std::string why, std::string advice) const {
    throw InputError({.id = id,
                      .what = std::move(what),
                      .at = fmt::format("{} @ byte {}", printable(source_.path), offset),
                      .why = std::move(why),
                      .try_ = std::move(advice)});
}

ZipArchive::ZipArchive(ByteSource source) : source_(std::move(source)) {
    const Directory directory = find_directory();
    read_directory(directory);
    check_names();
    check_local_headers(directory.offset);
}

ZipArchive::End ZipArchive::find_end() const {
    if (source_.size < end_bytes)
        fail(416, fmt::format("file has {} bytes, a ZIP archive at least {}", source_.size, end_bytes), 0);
    std::vector<std::byte> tail(static_cast<std::size_t>(std::min(source_.size, most_comment + end_bytes)));
    const std::uint64_t tail_offset = source_.size - tail.size();
    source_.read(tail_offset, tail);
    const std::span<const std::byte> bytes = tail;
    const std::string_view text(reinterpret_cast<const char*>(tail.data()), tail.size());
    const std::size_t last = text.rfind(end_signature);
    if (last == std::string_view::npos || text.size() - last < end_bytes)
        fail(416, "the ZIP archive has no end record", tail_offset, {}, advice_cut);
    const auto comment_of = [&](std::size_t at) {
        return ByteReader(bytes.subspan(at + end_bytes - 2, 2), {}).u16le();
    };
    const std::uint64_t after = text.size() - last - end_bytes;
    End end{.at = tail_offset + last};
    if (comment_of(last) != after)
        fail(416, fmt::format("{} bytes follow the end record, its comment has {}", after, comment_of(last)), end.at);
    for (std::size_t at = text.find(end_signature); at != last; at = text.find(end_signature, at + 1))
        if (text.size() - at >= end_bytes && comment_of(at) == text.size() - at - end_bytes)
            fail(416, "the ZIP archive has two end records", tail_offset + at, why_ambiguous);

    ByteReader in(bytes.subspan(last, end_bytes), source_.path, end.at);
    in.skip(4);
    const std::uint32_t disk = in.u16le(), directory_disk = in.u16le(), on_disk = in.u16le();
    end.directory.entries = in.u16le();
    end.directory.size = in.u32le();
    end.directory.offset = in.u32le();
    const auto is_first = [](std::uint32_t number) { return number == 0 || number == saturated16; };
    if (!is_first(disk) || !is_first(directory_disk) || on_disk != end.directory.entries)
        fail(416, split_archive, end.at);
    end.is_open = disk != 0 || directory_disk != 0 || end.directory.entries == saturated16 ||
                  end.directory.size == saturated32 || end.directory.offset == saturated32;
    return end;
}

// Where the ZIP64 record begins, if the locator that would stand before the end record is there.
std::optional<std::uint64_t> ZipArchive::find_zip64(std::uint64_t end) const {
    if (end < locator_bytes) return {};
    const std::uint64_t at = end - locator_bytes;
    std::vector<std::byte> bytes(locator_bytes);
    source_.read(at, bytes);
    ByteReader in(bytes, source_.path, at);
    if (in.u32le() != locator_signature) return {};
    const std::uint32_t disk = in.u32le();
    const std::uint64_t record = in.u64le();
    if (disk != 0 || in.u32le() > 1) fail(416, split_archive, at);
    if (at < zip64_bytes || record > at - zip64_bytes)
        fail(416, "the ZIP64 record does not lie before its locator", at);
    return record;
}

ZipArchive::Directory ZipArchive::read_zip64(std::uint64_t record, const End& end) const {
    std::vector<std::byte> bytes(zip64_bytes);
    source_.read(record, bytes);
    ByteReader in(bytes, source_.path, record);
    const std::uint32_t signature = in.u32le();
    const std::uint64_t record_bytes = in.u64le();
    if (signature != zip64_signature || record_bytes != end.at - locator_bytes - record - 12)
        fail(416, "the ZIP64 record does not lie before its locator", record);
    in.skip(4);
    const std::uint32_t disk = in.u32le(), directory_disk = in.u32le();
    const std::uint64_t on_disk = in.u64le();
    Directory wide{.entries = in.u64le()};
    wide.size = in.u64le();
    wide.offset = in.u64le();
    if (disk != 0 || directory_disk != 0 || on_disk != wide.entries) fail(416, split_archive, record);
    const auto differs = [](std::uint64_t plain, std::uint64_t number, std::uint64_t saturated) {
        return plain != saturated && plain != number;
    };
    if (differs(end.directory.entries, wide.entries, saturated16) ||
        differs(end.directory.size, wide.size, saturated32) || differs(end.directory.offset, wide.offset, saturated32))
        fail(416, "the end record contradicts the ZIP64 record", end.at, why_ambiguous);
    return wide;
}

ZipArchive::Directory ZipArchive::find_directory() const {
    const End end = find_end();
    const std::optional<std::uint64_t> record = find_zip64(end.at);
    if (end.is_open && !record) fail(416, "the end record needs a ZIP64 record, which is not there", end.at);
    const Directory directory = record ? read_zip64(*record, end) : end.directory;
    const std::uint64_t directory_end = record.value_or(end.at);
    if (directory.offset > directory_end || directory.size != directory_end - directory.offset)
        fail(416,
             fmt::format("the directory is said to be {} bytes at {}, the record after it begins at {}", directory.size,
                         directory.offset, directory_end),
             end.at, "bytes before or within an archive hide what others read", advice_cut);
    if (directory.entries == 0) fail(416, "the ZIP archive has no entries", end.at);
    if (directory.entries > most_entries)
        fail(407, fmt::format("the ZIP archive has {} entries, at most {} are read", directory.entries, most_entries),
             end.at);
    if (directory.size > most_directory_bytes)
        fail(407, fmt::format("directory of {} bytes, at most {} are read", directory.size, most_directory_bytes),
             end.at);
    if (directory.entries > directory.size / entry_bytes)
        fail(416, fmt::format("{} entries in a directory of {} bytes", directory.entries, directory.size), end.at);
    return directory;
}

void ZipArchive::read_directory(const Directory& directory) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(directory.size));
    source_.read(directory.offset, bytes);
    ByteReader in(bytes, source_.path, directory.offset);
    entries_.reserve(static_cast<std::size_t>(directory.entries));
    for (std::uint64_t i = 0; i < directory.entries; ++i) entries_.push_back(read_entry(in));
    if (in.left() != 0)
        fail(416, fmt::format("{} bytes follow the {} entries of the directory", in.left(), directory.entries),
             in.offset());
}

ZipEntry ZipArchive::read_entry(ByteReader& in) const {
    const std::uint64_t at = in.offset();
    if (in.left() < entry_bytes || in.u32le() != entry_signature) fail(416, "no entry of the directory here", at);
    ZipEntry entry;
    in.skip(4);
    entry.flags = in.u16le();
    entry.method = in.u16le();
    in.skip(4);
    entry.checksum = in.u32le();
    entry.size = in.u32le();
    entry.unpacked = in.u32le();
    const std::uint64_t name_bytes = in.u16le(), extra_bytes = in.u16le(), comment_bytes = in.u16le();
    const std::uint16_t disk = in.u16le();
    in.skip(6);
    entry.header = in.u32le();
    if (name_bytes + extra_bytes + comment_bytes > in.left()) fail(416, "an entry ends behind the directory", at);
    const auto name = in.bytes(name_bytes);
    entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    ByteReader extras(in.bytes(extra_bytes), source_.path, in.offset() - extra_bytes);
    in.skip(comment_bytes);

    read_extras(extras, entry, at);
    if (disk != 0) fail(416, split_archive, at);
    if (entry.method == 0 && entry.size != entry.unpacked)
        fail(416,
             fmt::format("entry \"{}\" of {} bytes is stored in {}", printable(entry.name), entry.unpacked, entry.size),
             at);
    return entry;
}

// Of a ZIP64 field: exactly the numbers that the entry leaves open, in this order.
void ZipArchive::read_extras(ByteReader& extras, ZipEntry& entry, std::uint64_t at) const {
    std::uint64_t* const numbers[] = {&entry.unpacked, &entry.size, &entry.header};
    const auto is_open = [](const std::uint64_t* number) { return *number == saturated32; };
    const auto open = static_cast<std::uint64_t>(std::ranges::count_if(numbers, is_open));
    bool has_zip64 = false;
    while (extras.left() > 0) {
        const bool has_head = extras.left() >= 4;
        const std::uint16_t kind = has_head ? extras.u16le() : std::uint16_t{0};
        const std::uint64_t length = has_head ? extras.u16le() : 0;
        if (!has_head || length > extras.left()) fail(416, "an extra field of an entry is cut off", at);
        ByteReader field(extras.bytes(length), source_.path);
        if (kind == extra_other_name) fail(416, "an entry has two names", at, why_ambiguous);
        if (kind != extra_zip64) continue;
        if (has_zip64 || open == 0 || length != 8 * open)
            fail(416, "a ZIP64 field does not hold what its entry leaves open", at);
        for (std::uint64_t* number : numbers)
            if (is_open(number)) *number = field.u64le();
        has_zip64 = true;
    }
    if (open != 0 && !has_zip64) fail(416, "an entry needs a ZIP64 field, which is not there", at);
}

void ZipArchive::check_names() {
    for (const ZipEntry& entry : entries_)
        if (const std::string fault = path_fault(entry.name); !fault.empty())
            fail(406, "an entry's " + fault, entry.header);
    root_ = entries_.front().name.substr(0, entries_.front().name.find('/'));
    for (const ZipEntry& entry : entries_)
        if (entry.name.substr(0, entry.name.find('/')) != root_)
            fail(406,
                 fmt::format("entry \"{}\" does not lie in the folder \"{}\"", printable(entry.name), printable(root_)),
                 entry.header);
    // Also names that differ in case alone: on some systems they are one file.
    std::vector<const ZipEntry*> folded;
    for (const ZipEntry& entry : entries_) folded.push_back(&entry);
    std::ranges::sort(folded, is_before_folded);
    for (std::size_t i = 1; i < folded.size(); ++i)
        if (!is_before_folded(folded[i - 1], folded[i]))
            fail(405, fmt::format("entry \"{}\" appears twice", printable(folded[i]->name)), folded[i]->header);
}

void ZipArchive::check_local_headers(std::uint64_t directory_offset) {
    std::ranges::sort(entries_, {}, &ZipEntry::header);
    if (entries_.front().header != 0)
        fail(416, fmt::format("the first entry begins at byte {}", entries_.front().header), 0,
             "bytes before an archive hide what others read");
    NearReader near(source_);
    std::uint64_t free_from = 0;  // the end of the entry before
    for (ZipEntry& entry : entries_) {
        const std::string name = printable(entry.name);
        if (entry.header < free_from)
            fail(416, fmt::format("entry \"{}\" begins inside another, which ends at {}", name, free_from),
                 entry.header, "overlapping entries make a small file large");
        if (directory_offset < local_bytes || entry.header > directory_offset - local_bytes)
            fail(416, fmt::format("entry \"{}\" begins behind the data", name), entry.header);
        ByteReader in(near.bytes(entry.header, local_bytes), source_.path, entry.header);
        const std::uint32_t signature = in.u32le();
        in.skip(2);
        const std::uint16_t flags = in.u16le(), method = in.u16le();
        in.skip(4);
        const std::uint32_t checksum = in.u32le(), stored = in.u32le(), size = in.u32le();
        const std::uint64_t name_bytes = in.u16le(), extra_bytes = in.u16le();
        const std::uint64_t space = directory_offset - entry.header - local_bytes;
        if (signature != local_signature || name_bytes + extra_bytes > space)
            fail(416, fmt::format("entry \"{}\" has no local header", name), entry.header);
        const auto local_name = near.bytes(entry.header + local_bytes, name_bytes);
        const bool follows = (flags & sizes_follow) != 0;
        // A size of 4 GiB and more stands in an extra field, which no reader needs beside the directory.
        const auto agrees = [&](std::uint32_t number, std::uint64_t told) {
            return number == std::min<std::uint64_t>(told, saturated32) || (number == 0 && follows);
        };
        if (flags != entry.flags || method != entry.method || !agrees(stored, entry.size) ||
            !agrees(size, entry.unpacked) || (checksum != entry.checksum && !(checksum == 0 && follows)) ||
            !std::ranges::equal(local_name, std::as_bytes(std::span(entry.name))))
            fail(416, fmt::format("the local header of \"{}\" contradicts the directory", name), entry.header,
                 why_ambiguous);
        if (entry.size > space - name_bytes - extra_bytes)
            fail(416, fmt::format("entry \"{}\" of {} bytes runs into the directory", name, entry.size), entry.header);
        entry.offset = entry.header + local_bytes + name_bytes + extra_bytes;
        free_from = entry.offset + entry.size;
    }
    std::ranges::sort(entries_, {}, &ZipEntry::name);
}

void ZipArchive::check_stored() const {
    for (const ZipEntry& entry : entries_) {
        if ((entry.flags & not_as_it_is) != 0)
            fail(417, fmt::format("entry \"{}\" is encrypted or a patch", printable(entry.name)), entry.header, {},
                 advice_save);
        if (entry.method != 0)
            fail(417, fmt::format("entry \"{}\" is compressed (method {})", printable(entry.name), entry.method),
                 entry.header, "torch.save stores entries as they are", advice_save);
    }
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(entries_, name, {}, &ZipEntry::name);
    return found != entries_.end() && found->name == name ? &*found : nullptr;
}

std::vector<std::byte> ZipArchive::read(const ZipEntry& entry) const {
    BKD_CHECK(entry.method == 0, "{} is packed", entry.name);
    std::vector<std::byte> bytes(static_cast<std::size_t>(entry.size));
    source_.read(entry.offset, bytes);
    if (!entry.has_checksum()) return bytes;
    if (const std::uint32_t crc = crc32(bytes); crc != entry.checksum)
        throw InputError({.id = 421,
                          .what = fmt::format("checksum of \"{}\" is {:08x}, the archive says {:08x}",
                                              printable(entry.name), crc, entry.checksum),
                          .at = fmt::format("{} @ byte {}", printable(source_.path), entry.offset),
                          .why = "the file changed after it was written (disk, copy, or edit)",
                          .try_ = "copy the file again"});
    return bytes;
}

}
