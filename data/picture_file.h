#pragma once
// The bytes of one picture from a stranger, and the refusals that its readers share.
//
//   E0433 cut off          E0434 of a kind that is not read     E0435 the decoder failed after a clean walk
//   E0436 too large        E0437 structure or checksum
#include "data/picture_header.h"
#include "engine/byte_reader.h"

#include <memory>
#include <vector>

namespace bkd {

struct PictureFile {
    std::span<const std::byte> bytes;
    std::string name;  // as the caller has it; messages make it printable

    ByteReader reader() const { return {bytes, name}; }
    [[noreturn]] void refuse(int id, std::string what, std::uint64_t at_byte, std::string why = {}) const;
    // `where` as in "JPEG of 18432 bytes ends {inside scan 1, without EOI}".
    [[noreturn]] void refuse_cut(const char* kind, const std::string& where) const;
    void check_extent(std::uint64_t height, std::uint64_t width, std::uint64_t at_byte) const;  // E0436
};

// By the first bytes. E0433 for none, E0434 for another kind with what it is, E0436 for more than 256 MiB.
PictureKind picture_kind(const PictureFile& file);

// Orientation 1..8 of an EXIF block, which is a TIFF file: tag 0112 of its first directory. 1 where it says none, or
// nothing that can be read: a picture is not refused for what its camera noted.
int exif_orientation(std::span<const std::byte> tiff);

// Everything of the table of JPEG: markers, tables, scans, restarts, EOI.
PictureHeader walk_jpeg(const PictureFile& file);

// Chunks, checksums and their order. What is compressed is not unpacked here.
struct PngWalk {
    PictureHeader header;
    int depth = 0, colour = 0;             // of a sample in bits; 0 2 3 4 6, as the file has it
    bool is_interlaced = false;            // Adam7
    std::span<const std::byte> palette{};  // R G B of each entry; empty: none
    std::span<const std::byte> data{};     // the chunks IDAT, each with length, name and checksum
    std::uint64_t row_bytes = 0;           // of all rows of all passes, a filter byte before each
};
PngWalk walk_png(const PictureFile& file);

// A walk that went well, as a PNG that is written anew while it is read: IHDR, a palette of 2^depth entries (black
// where the file had none), one IDAT of stored blocks, IEND. What a decoder sees of a stranger's file is its pixels
// alone: no Huffman code, no chunk and no length is theirs.
class PngStream {
public:
    PngStream(const PictureFile& file, const PngWalk& walk);
    ~PngStream();

    // Fewer bytes than asked for only at the end, or where the compressed data fails.
    std::size_t read(std::span<std::byte> out);
    bool at_end() const;
    // The rows alone, thrown away.
    void skip_rows();
    // After all was read: E0437 for damaged data or too few rows. Whether there were too many.
    bool check_end();

private:
    struct Rows;
    std::unique_ptr<Rows> rows_;
    std::vector<std::byte> pending_;  // of the frame around the rows, to be handed out next
    std::size_t handed_out_ = 0;      // of `pending_`
    std::uint64_t block_left_ = 0, rows_left_;
    bool is_closed_ = false;

    void frame_next();
};

}
