#pragma once
// What a stranger's picture is, found by walking its bytes from end to end before a decoder sees any: JPEG (baseline,
// extended, progressive; 8 bit; one or three components) and PNG (every kind). All that breaks the format is refused
// here, so that what a decoder does with a broken file never matters.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bkd {

constexpr std::uint64_t most_picture_bytes = std::uint64_t{256} << 20;  // as it lies on disk
constexpr std::uint64_t most_picture_pixels = std::uint64_t{64} << 20;  // 8192 x 8192
constexpr std::uint64_t most_picture_side = 32768;
constexpr int most_jpeg_scans = 100;  // encoders write up to 14; each costs a pass over all blocks

enum class PictureKind : std::uint8_t { jpeg, png };
const char* name_of(PictureKind kind);  // "JPEG"

// What is odd about a picture that is read all the same.
struct PictureNotes {
    std::uint64_t bytes_after_end = 0;  // of the file: cameras append, and so do downloads
    int orientation = 1;                // EXIF, 1..8
    bool has_icc_profile = false;       // ignored: pixels are taken as they stand
    bool has_alpha = false;             // dropped
    bool is_palette_short = false;      // entries that it lacks are black
    bool is_16_bit = false;             // the high byte is taken
    bool inflates_too_far = false;      // PNG: rows beyond the last one
};

struct PictureHeader {
    PictureKind kind = PictureKind::jpeg;
    std::int64_t height = 0, width = 0;
    std::int64_t channels = 0;  // in the file: 1 grey, 2 grey and alpha, 3 colours (or a palette), 4 colours and alpha
    PictureNotes notes{};
};

// Walks all of `bytes`; of a PNG it unpacks the rows, 64 KiB at a time. `name` is for messages, and says nothing about
// the kind, which the bytes tell. E0433 .. E0437.
PictureHeader read_picture_header(std::span<const std::byte> bytes, const std::string& name);

}
