#pragma once
// Figures as SVG: a plot with axes, lines, bars and labels at their ends; rows of bars; a heat map. Every text is
// escaped here; colours and dashes are the page's classes s0..s5 and d1..d5.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

inline constexpr int series_colours = 6;

struct Range {
    double low = 0, high = 1;
};

// Smallest and largest of the finite values; {0, 1} without any.
Range range_of(std::span<const double> values);

struct Tick {
    double at = 0;
    std::string text{};
};
// About `count` round numbers within the range. Of a logarithmic axis: powers of ten, with 2 and 5 where they are few.
std::vector<Tick> ticks_of(const Range& range, int count);
std::vector<Tick> log_ticks_of(const Range& range);

struct Axis {
    Range range{};
    std::vector<Tick> ticks{};
    std::string title{};
    bool is_log = false;
};

struct PlotOptions {
    std::string about{};  // what a screen reader says of it
    Axis x{}, y{};
    double width = 520, height = 300;
    double left = 48, right = 12, top = 22, bottom = 40;
    bool tilts_x = false;  // the texts of x stand aslant
};

// A series' look: colour, and dash with marker.
struct Look {
    int colour = 0, dash = 0;
    bool is_grey = false;
    std::string classes() const;  // "s0 d1"
};

class Plot {
public:
    explicit Plot(PlotOptions options);

    // Values that are not finite leave a gap.
    void line(std::span<const double> x, std::span<const double> y, const Look& look, bool has_markers);
    void column(double x, double width, double low, double high);  // in the background, in units of the axes
    void whisker(double x, double shift_px, double low, double high, const Look& look);
    void level(double y, std::string_view text);  // a dotted line across, with its name behind it
    // A line's name behind its last point; names that would overlap are moved apart.
    void name_end(double x, double y, std::string_view text, const Look& look);
    std::string str();

private:
    double x_at(double value) const;
    double y_at(double value) const;
    void draw_axes();
    std::string marker(double x, double y, const Look& look) const;

    PlotOptions options_;
    std::string back_, marks_;
    struct End {
        double x = 0, y = 0;
        std::string text;
        Look look;
    };
    std::vector<End> ends_;
};

// One row of bars: its name, a value in 0..100 with an interval, and what it says.
struct BarRow {
    std::string name{};
    double value = 0, low = 0, high = 0;  // value not finite: no bar; low == high: no interval
    std::string text{};
    Look look{};
};
struct BarGroup {
    std::string title{};
    std::vector<BarRow> rows{};
};
std::string bar_rows(std::string_view about, std::span<const BarGroup> groups);

// Shares [n, n] in 0..1, row by row; names may be empty. Up to 14 rows say their numbers.
struct HeatMap {
    std::string about{}, row_title{}, column_title{};
    std::vector<std::string> names{};
    std::vector<double> shares{};
    int colour = 0;
};
std::string heat_map(const HeatMap& map);

// What PlotOptions::right must be for the longest of these names behind the ends of lines.
double room_for_names(std::span<const std::string> names);

// Cut to so many characters, with an ellipsis.
std::string shortened(std::string_view text, std::size_t characters);

}
