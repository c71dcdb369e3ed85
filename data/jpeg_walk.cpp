// The walk over a JPEG file (ITU-T T.81): every marker and segment up to EOI, and of the entropy-coded data its length
// and its restart markers. Where decoders differ in what they forgive, nothing is forgiven.
#include "data/jpeg_tables.h"
#include "kernels/error.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace bkd {
namespace {

// The second bytes of markers.
constexpr int dht = 0xc4, dac = 0xcc, rst0 = 0xd0, rst7 = 0xd7, eoi = 0xd9, sos = 0xda, dqt = 0xdb, dnl = 0xdc;
constexpr int dri = 0xdd, app0 = 0xe0, app1 = 0xe1, app2 = 0xe2, app15 = 0xef, sof48 = 0xf7, com = 0xfe;

constexpr int coefficients = jpeg_coefficients;

struct Component {
    int id = 0, across = 0, down = 0;  // sampling factors
    int quantization = 0;              // its table
    std::int64_t blocks_alone = 0;     // in a scan of this component only
    // Progressive: the lowest bit that was sent of each coefficient; -1: none yet.
    std::array<int, coefficients> sent_down_to{};
    bool is_sent = false;  // sequential: its one scan; progressive: the first scan of its DC coefficients
};

struct Scan {
    std::vector<Component*> components{};
    std::array<int, 4> dc_table{}, ac_table{};
    int first = 0, last = 0, above = 0, below = 0;  // coefficients; bit planes Ah, Al
};

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

class JpegWalk {
public:
    explicit JpegWalk(const PictureFile& file) : file_(file), reader_(file.reader()) {}

    PictureHeader walk() {
        reader_.skip(2);  // SOI
        for (int marker = next_marker(); marker != eoi; marker = next_marker()) take(marker);
        check_complete();
        header_.notes.bytes_after_end = reader_.left();
        return header_;
    }

private:
    const PictureFile& file_;
    ByteReader reader_;
    PictureHeader header_{.kind = PictureKind::jpeg};
    bool has_frame_ = false, is_progressive_ = false;
    std::vector<Component> components_{};
    std::int64_t mcus_ = 0;  // of a scan of all components
    JpegTables tables_{};
    std::int64_t restart_interval_ = 0;
    int scans_ = 0;
    // The first coefficient whose bits come out of order; -1: none. Too many scans go before it.
    int disordered_ = -1;
    std::uint64_t disordered_at_ = 0;

    std::uint64_t offset() const { return reader_.offset(); }
    [[noreturn]] void refuse(std::string what, std::string why = {}) const {
        refuse_at(offset(), std::move(what), std::move(why));
    }
    [[noreturn]] void refuse_at(std::uint64_t at, std::string what, std::string why = {}) const {
        file_.refuse(437, std::move(what), at, std::move(why));
    }
    [[noreturn]] void refuse_cut(const std::string& inside) const {
        file_.refuse_cut("JPEG", inside + ", without EOI");
    }
    std::string place() const {
        return scans_ > 0 ? fmt::format("after scan {}", scans_) : std::string("before its first scan");
    }

    int next_marker();
    void take(int marker);
    ByteReader segment(int marker);
    void take_application(int marker, ByteReader data);
    void take_frame(int marker, ByteReader data);
    void lay_out_blocks();
    Scan scan_header(ByteReader data);
    void check_bands(const Scan& scan);
    void check_tables(const Scan& scan) const;
    void take_scan();
    void walk_entropy_coded(const Scan& scan);
    void check_complete() const;
};

int JpegWalk::next_marker() {
    if (reader_.left() < 2) refuse_cut(place());
    if (const int byte = reader_.u8(); byte != 0xff)
        refuse_at(offset() - 1, fmt::format("JPEG has byte {:02x} {} where a marker must stand", byte, place()));
    int marker = 0xff;
    while (marker == 0xff) {  // a marker may be preceded by any number of FF
        if (reader_.left() == 0) refuse_cut(place());
        marker = reader_.u8();
    }
    return marker;
}

// The contents of the segment that begins here.
ByteReader JpegWalk::segment(int marker) {
    if (reader_.left() < 2) refuse_cut(fmt::format("inside segment FF{:02X}", marker));
    const std::uint64_t length = reader_.u16be();
    if (length < 2)
        refuse_at(offset() - 2, fmt::format("JPEG segment FF{:02X} has length {}", marker, length), "at least 2");
    if (reader_.left() < length - 2) refuse_cut(fmt::format("inside segment FF{:02X} of {} bytes", marker, length));
    const std::uint64_t begin = offset();
    return {reader_.bytes(length - 2), file_.name, begin};
}

void JpegWalk::take(int marker) {
    if (marker == sos) return take_scan();
    if (marker == dac || (marker >= 0xc0 && marker <= 0xcf && marker != dht) || marker == sof48)
        return take_frame(marker, segment(marker));
    if (marker == dnl)
        file_.refuse(434, "JPEG gives its height after its first scan (DNL)", offset(), "no decoder here reads it");
    if (marker == dht) return tables_.take_huffman(file_, segment(marker));
    if (marker == dqt) return tables_.take_quantization(file_, segment(marker));
    if ((marker >= app0 && marker <= app15) || marker == com) return take_application(marker, segment(marker));
    if (marker != dri) refuse_at(offset() - 1, fmt::format("JPEG marker FF{:02X} {} is not known", marker, place()));
    ByteReader data = segment(marker);
    if (data.left() != 2) refuse(fmt::format("JPEG restart interval (DRI) of {} bytes", data.left()), "it has 2");
    restart_interval_ = data.u16be();
}

void JpegWalk::take_application(int marker, ByteReader data) {
    const auto begins = [](std::span<const std::byte> bytes, std::string_view with) {
        return bytes.size() >= with.size() && std::memcmp(bytes.data(), with.data(), with.size()) == 0;
    };
    constexpr std::string_view exif{"Exif\0\0", 6}, icc{"ICC_PROFILE\0", 12};
    const std::span<const std::byte> bytes = data.bytes(data.left());
    if (marker == app1 && begins(bytes, exif)) header_.notes.orientation = exif_orientation(bytes.subspan(exif.size()));
    if (marker == app2 && begins(bytes, icc)) header_.notes.has_icc_profile = true;
}

void JpegWalk::take_frame(int marker, ByteReader data) {
    const std::uint64_t at = data.offset();
    const auto refuse_kind = [&](const std::string& what) {
        file_.refuse(434, what, at, "8 bit, baseline or progressive, grey or three colours are read");
    };
    if (marker == dac || (marker >= 0xc9 && marker <= 0xcf)) refuse_kind("JPEG is arithmetic coded");
    if (marker == 0xc3 || marker == sof48) refuse_kind("JPEG is lossless");
    if (marker >= 0xc5) refuse_kind("JPEG is hierarchical");
    if (has_frame_) refuse_at(at, "JPEG has a second frame header (SOF)");
    if (data.left() < 6) refuse_at(at, fmt::format("JPEG frame header (SOF) of {} bytes", data.left()), "at least 6");
    const int precision = data.u8();
    const std::uint64_t height = data.u16be(), width = data.u16be(), count = data.u8();
    if (precision != 8) refuse_kind(fmt::format("JPEG of {} bit", precision));
    if (height == 0) refuse_kind("JPEG does not give its height (0, for DNL)");
    if (width == 0) refuse_at(at + 3, "JPEG of width 0");
    if (count == 4) refuse_kind("JPEG of four components (CMYK or YCCK)");
    if (count != 1 && count != 3) refuse_kind(fmt::format("JPEG of {} components", count));
    if (data.left() != 3 * count)
        refuse_at(data.offset(), fmt::format("JPEG frame header has {} bytes for {} components", data.left(), count));
    file_.check_extent(height, width, at + 1);
    header_.height = static_cast<std::int64_t>(height), header_.width = static_cast<std::int64_t>(width);
    header_.channels = static_cast<std::int64_t>(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        Component c{.id = data.u8()};
        const int sampling = data.u8();
        c.across = sampling >> 4, c.down = sampling & 15, c.quantization = data.u8();
        c.sent_down_to.fill(-1);
        if (c.across < 1 || c.across > 4 || c.down < 1 || c.down > 4)
            refuse_at(data.offset() - 2, fmt::format("JPEG sampling factors {} x {}", c.across, c.down), "1..4 each");
        if (c.quantization > 3)
            refuse_at(data.offset() - 1, fmt::format("JPEG quantization table {}", c.quantization), "0..3");
        if (std::ranges::any_of(components_, [&](const Component& other) { return other.id == c.id; }))
            refuse_at(data.offset() - 3, fmt::format("JPEG has component {} twice", c.id));
        components_.push_back(c);
    }
    has_frame_ = true;
    is_progressive_ = marker == 0xc2;
    lay_out_blocks();
}

// Blocks of 8 x 8: a scan of one component has those that cover it, one of several has whole MCUs.
void JpegWalk::lay_out_blocks() {
    const int across = std::ranges::max(components_, {}, &Component::across).across;
    const int down = std::ranges::max(components_, {}, &Component::down).down;
    for (Component& c : components_) {
        if (across % c.across != 0 || down % c.down != 0)
            file_.refuse(434, fmt::format("JPEG sampling {} x {} beside {} x {}", c.across, c.down, across, down),
                         offset(), "factors must divide the largest");
        c.blocks_alone = ceil_div(ceil_div(header_.width * c.across, across), 8) *
                         ceil_div(ceil_div(header_.height * c.down, down), 8);
    }
    mcus_ = ceil_div(header_.width, 8 * across) * ceil_div(header_.height, 8 * down);
}

Scan JpegWalk::scan_header(ByteReader data) {
    const std::uint64_t at = data.offset(), count = data.left() > 0 ? data.u8() : 0;
    if (count < 1 || count > components_.size()) refuse_at(at, fmt::format("JPEG scan of {} components", count));
    if (data.left() != 2 * count + 3)
        refuse_at(at, fmt::format("JPEG scan header of {} bytes for {} components", data.left(), count));
    Scan scan;
    int blocks = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const int id = data.u8(), tables = data.u8();
        const auto found = std::ranges::find(components_, id, &Component::id);
        if (found == components_.end() || std::ranges::count(scan.components, &*found) > 0)
            refuse_at(data.offset() - 2,
                      fmt::format("JPEG scan names component {}, which is not there or named before", id));
        scan.components.push_back(&*found);
        scan.dc_table[i] = tables >> 4, scan.ac_table[i] = tables & 15;
        blocks += found->across * found->down;
    }
    if (count > 1 && blocks > 10)
        refuse_at(at, fmt::format("JPEG scan with {} blocks in an MCU", blocks), "at most 10");
    scan.first = data.u8(), scan.last = data.u8();
    const int planes = data.u8();
    scan.above = planes >> 4, scan.below = planes & 15;
    return scan;
}

// Which coefficients and bits a scan sends: all in one scan, or each after what it builds upon.
void JpegWalk::check_bands(const Scan& scan) {
    const std::string shown = fmt::format("{}..{}, bits {}..{}", scan.first, scan.last, scan.above, scan.below);
    if (!is_progressive_) {
        if (scan.first != 0 || scan.last != coefficients - 1 || scan.above != 0 || scan.below != 0)
            refuse("JPEG scan of coefficients " + shown, "a scan that is not progressive has 0..63, bits 0..0");
        for (Component* c : scan.components) {
            if (c->is_sent) refuse(fmt::format("JPEG sends component {} twice", c->id));
            c->is_sent = true;
        }
        return;
    }
    const bool is_dc = scan.first == 0;
    const bool fits =
        is_dc ? scan.last == 0 : scan.first <= scan.last && scan.last < coefficients && scan.components.size() == 1;
    if (!fits || scan.below > 13 || (scan.above != 0 && scan.above != scan.below + 1))
        refuse("JPEG progressive scan of coefficients " + shown);
    for (Component* c : scan.components) {
        if (!is_dc && !c->is_sent) refuse("JPEG progressive scan of AC coefficients before those of DC");
        for (int k = scan.first; k <= scan.last; ++k) {
            int& sent = c->sent_down_to[static_cast<std::size_t>(k)];
            if (sent != (scan.above == 0 ? -1 : scan.above) && disordered_ < 0)
                disordered_ = k, disordered_at_ = offset();
            sent = scan.below;
        }
        c->is_sent = true;
    }
}

void JpegWalk::check_tables(const Scan& scan) const {
    const bool needs_dc = !is_progressive_ || (scan.first == 0 && scan.above == 0);
    const bool needs_ac = !is_progressive_ || scan.first > 0;
    const auto check = [&](const char* kind, const std::array<bool, 4>& defined, int table) {
        if (table > 3 || !defined[static_cast<std::size_t>(table)])
            refuse(fmt::format("JPEG scan {} uses {} table {}, which is not defined", scans_, kind, table));
    };
    for (std::size_t i = 0; i < scan.components.size(); ++i) {
        check("quantization", tables_.quantization, scan.components[i]->quantization);
        if (needs_dc) check("DC", tables_.dc, scan.dc_table[i]);
        if (needs_ac) check("AC", tables_.ac, scan.ac_table[i]);
        if (scan.dc_table[i] > 3 || scan.ac_table[i] > 3) refuse("JPEG scan names a Huffman table above 3");
    }
}

void JpegWalk::take_scan() {
    if (!has_frame_) refuse("JPEG has a scan before its frame header (SOF)");
    if (++scans_ > most_jpeg_scans)
        file_.refuse(436, fmt::format("JPEG has more than {} scans", most_jpeg_scans), offset(),
                     "each is a pass over the picture");
    const Scan scan = scan_header(segment(sos));
    check_bands(scan);
    check_tables(scan);
    walk_entropy_coded(scan);
}

void JpegWalk::walk_entropy_coded(const Scan& scan) {
    const std::uint64_t begin = offset();
    const std::span<const std::byte> bytes = file_.bytes.subspan(static_cast<std::size_t>(begin));
    const bool is_alone = scan.components.size() == 1;
    std::int64_t blocks = is_alone ? scan.components[0]->blocks_alone : 0;
    const std::int64_t mcus = is_alone ? blocks : mcus_;
    if (!is_alone)
        for (const Component* c : scan.components) blocks += mcus * c->across * c->down;

    std::int64_t restarts = 0;
    std::size_t end = 0;
    for (;; ++end) {
        const void* found = std::memchr(bytes.data() + end, 0xff, bytes.size() - end);
        if (found == nullptr) refuse_cut(fmt::format("inside scan {}", scans_));
        end = static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
        if (end + 1 == bytes.size()) refuse_cut(fmt::format("inside scan {}", scans_));
        const int next = std::to_integer<int>(bytes[end + 1]);
        if (next == 0xff) continue;  // fill before a marker
        const bool is_restart = next >= rst0 && next <= rst7;
        if (next != 0 && !is_restart) break;
        if (is_restart && next - rst0 != restarts % 8)
            refuse_at(begin + end,
                      fmt::format("JPEG restart marker RST{} in scan {} is out of order", next - rst0, scans_));
        restarts += is_restart ? 1 : 0;
        ++end;
    }
    reader_.skip(end);

    // Sequential: a code of a bit for DC, one for AC; progressive: a bit for DC; runs of blocks without AC cost none.
    const std::int64_t least_bits = blocks * (!is_progressive_ ? 2 : scan.first == 0 ? 1 : 0);
    if (least_bits > 8 * static_cast<std::int64_t>(end))
        file_.refuse(433,
                     fmt::format("image is cut off: scan {} of JPEG has {} bytes, its {} blocks need {} or more",
                                 scans_, end, blocks, ceil_div(least_bits, 8)),
                     offset());
    const std::int64_t interval = restart_interval_;
    const std::int64_t expected = interval > 0 ? ceil_div(mcus, interval) - 1 : 0;
    const bool may_close = interval > 0 && mcus % interval == 0;  // some encoders end the last interval, too
    if (restarts != expected && !(may_close && restarts == expected + 1))
        refuse(fmt::format("JPEG scan {} has {} restart markers, must have {}", scans_, restarts, expected));
}

void JpegWalk::check_complete() const {
    if (scans_ == 0) file_.refuse_cut("JPEG", "before its first scan");
    if (disordered_ >= 0)
        refuse_at(disordered_at_, fmt::format("JPEG sends bits of coefficient {} out of order", disordered_));
    for (const Component& c : components_)
        if (!c.is_sent) file_.refuse_cut("JPEG", fmt::format("without a scan of component {}", c.id));
}

}

PictureHeader walk_jpeg(const PictureFile& file) { return JpegWalk(file).walk(); }

}
