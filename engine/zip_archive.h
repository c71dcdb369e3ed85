#pragma once
// ZIP archives as torch.save writes them: entries stored as they are, read where they lie, never extracted.
//
//   const ZipArchive archive(byte_source(file, "w.pth"));
//   if (const ZipEntry* entry = archive.find("archive/data.pkl")) bytes = archive.read(*entry);
//
// What two programs could read differently is refused before any entry is used: two end records, local headers that
// contradict the directory, entries that overlap, a name twice. InputError E0405 a name twice, E0406 names, E0407 too
// much, E0416 structure, E0417 compressed or encrypted, E0421 checksums.
#include "engine/file.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bkd {

class ByteReader;

// Bytes that can be read anywhere: a file's, or memory's.
struct ByteSource {
    std::string path;  // names them in messages
    std::uint64_t size = 0;
    std::function<void(std::uint64_t offset, std::span<std::byte> into)> read{};
};
ByteSource byte_source(const InputFile& file, std::string path);  // `file` must outlive it
ByteSource byte_source(std::span<const std::byte> bytes, std::string path);

// Whether the bytes are meant as such an archive.
bool is_zip(std::span<const std::byte> first_bytes);

struct ZipEntry {
    std::string name;                    // "archive/data/0": a label, never a path
    std::uint64_t header = 0;            // offset of its local header
    std::uint64_t offset = 0, size = 0;  // of its data in the file
    std::uint64_t unpacked = 0;          // bytes when it is unpacked
    std::uint32_t checksum = 0;          // CRC-32
    std::uint16_t flags = 0, method = 0;
    bool has_checksum() const { return checksum != 0 || size == 0; }  // PyTorch can be told to compute none
};

class ZipArchive {
public:
    explicit ZipArchive(ByteSource source);

    const std::vector<ZipEntry>& entries() const { return entries_; }  // by name; 1..65,536
    const std::string& root() const { return root_; }                  // first part of all names: "archive"
    const ZipEntry* find(std::string_view name) const;
    std::uint64_t file_bytes() const { return source_.size; }
    void check_stored() const;  // E0417 for an entry that is packed, before any is read
    std::string place(const ZipEntry& entry) const { return source_.path + "!" + entry.name; }
    std::vector<std::byte> read(const ZipEntry& entry) const;  // E0421 if they are not those of its checksum

private:
    struct Directory {
        std::uint64_t offset = 0, size = 0, entries = 0;
    };
    struct End {
        std::uint64_t at = 0;   // offset of the end record
        Directory directory{};  // as it says
        bool is_open = false;   // some of its numbers stand in the ZIP64 record
    };
    Directory find_directory() const;
    End find_end() const;
    std::optional<std::uint64_t> find_zip64(std::uint64_t end) const;
    Directory read_zip64(std::uint64_t record, const End& end) const;
    void read_directory(const Directory& directory);
    ZipEntry read_entry(ByteReader& in) const;
    void read_extras(ByteReader& extras, ZipEntry& entry, std::uint64_t at) const;
    void check_names();
    void check_local_headers(std::uint64_t directory_offset);
    [[noreturn]] void fail(int id, std::string what, std::uint64_t offset, std::string why = {},
                           std::string advice = {}) const;

    ByteSource source_;
    std::string root_;
    std::vector<ZipEntry> entries_;
};

}
