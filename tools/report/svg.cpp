#include "tools/report/svg.h"

#include "kernels/error.h"
#include "tools/report/html.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

std::string open_svg(double width, double height, std::string_view about) {
    return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">", width, height,
                       escaped(about));
}

std::string text_at(double x, double y, std::string_view classes, std::string_view text, std::string_view more = {}) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\"{}>{}</text>", x, y, classes, more, escaped(text));
}

// Distance between ticks: 1, 2 or 5 times a power of ten.
double round_step(double raw) {
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (factor * power >= raw * 0.999) return factor * power;
    return 10 * power;
}

}

double room_for_names(std::span<const std::string> names) {
    std::size_t longest = 4;
    for (const std::string& name : names) longest = std::max(longest, name.size());
    return 14 + 7.2 * static_cast<double>(std::min<std::size_t>(longest, 20));
}

std::string shortened(std::string_view text, std::size_t characters) {
    std::size_t at = 0;
    for (std::size_t n = 0; at < text.size(); ++n) {
        if (n + 1 >= characters) {
            const std::size_t next = std::max<std::size_t>(utf8_length(text.substr(at)), 1);
            return at + next >= text.size() ? std::string(text) : std::string(text.substr(0, at)) + "\u2026";
        }
        at += std::max<std::size_t>(utf8_length(text.substr(at)), 1);
    }
    return std::string(text);
}

std::string Look::classes() const {
    std::string out = is_grey ? "grey" : fmt::format("s{}", colour % series_colours);
    if (dash % series_colours > 0) out += fmt::format(" d{}", dash % series_colours);
    return out;
}

Range range_of(std::span<const double> values) {
    Range range{INFINITY, -INFINITY};
    for (const double v : values)
        if (std::isfinite(v)) range = {std::min(range.low, v), std::max(range.high, v)};
    return range.low <= range.high ? range : Range{};
}

std::vector<Tick> ticks_of(const Range& range, int count) {
    const double span = range.high - range.low;
    if (!(span > 0)) return {{range.low, short_number(range.low)}};
    const double step = round_step(span / count);
    // As many decimals as tell neighbours apart.
    const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step * 1.001))), 0, 9);
    std::vector<Tick> ticks;
    for (double k = std::ceil(range.low / step - 1e-9); k * step <= range.high + span * 1e-9; ++k)
        ticks.push_back({k * step, fmt::format("{:.{}f}", std::abs(k) < 0.5 ? 0 : k * step, decimals)});
    return ticks;
}

std::vector<Tick> log_ticks_of(const Range& range) {
    const bool is_narrow = std::log10(range.high / range.low) < 2.2;
    std::vector<Tick> ticks;
    for (double power = std::pow(10, std::floor(std::log10(range.low))); power <= range.high * 1.0001; power *= 10)
        for (const double factor : {1.0, 2.0, 5.0}) {
            const double at = power * factor;
            if ((factor > 1 && !is_narrow) || at < range.low * 0.999 || at > range.high * 1.001) continue;
            ticks.push_back({at, short_number(at)});
        }
    return ticks;
}

Plot::Plot(PlotOptions options) : options_(std::move(options)) { draw_axes(); }

double Plot::x_at(double value) const {
    const Range& r = options_.x.range;
    const double inner = options_.width - options_.left - options_.right;
    return options_.left + (r.high > r.low ? (value - r.low) / (r.high - r.low) : 0.5) * inner;
}

double Plot::y_at(double value) const {
    const Axis& y = options_.y;
    const auto scaled = [&](double v) { return y.is_log ? std::log10(v) : v; };
    const double low = scaled(y.range.low), high = scaled(y.range.high);
    const double share = high > low ? (scaled(std::clamp(value, y.range.low, y.range.high)) - low) / (high - low) : 0.5;
    return options_.height - options_.bottom - share * (options_.height - options_.top - options_.bottom);
}

void Plot::draw_axes() {
    const PlotOptions& o = options_;
    const double floor = o.height - o.bottom;
    for (const Tick& tick : o.y.ticks) {
        const double y = y_at(tick.at);
        back_ += fmt::format("<path class=\"grid-line\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", o.left, y, o.width - o.right);
        back_ += text_at(o.left - 7, y + 4, "tick small e", tick.text);
    }
    for (const Tick& tick : o.x.ticks) {
        const double x = x_at(tick.at);
        const std::string turn =
            o.tilts_x ? fmt::format(" transform=\"rotate(-38 {:.1f} {:.1f})\"", x, floor + 14) : "";
        back_ +=
            text_at(x, floor + (o.tilts_x ? 14 : 17), o.tilts_x ? "tick small e" : "tick small m", tick.text, turn);
    }
    if (!o.y.title.empty()) back_ += text_at(0, 11, "tick small", o.y.title);
    if (!o.x.title.empty()) back_ += text_at((o.left + o.width - o.right) / 2, o.height - 4, "tick small m", o.x.title);
}

std::string Plot::marker(double x, double y, const Look& look) const {
    const std::string shape = [&] {
        switch (look.dash % 4) {
            case 0:
                return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"", x, y);
            case 1:
                return fmt::format("<path d=\"M{:.1f} {:.1f}h7v7h-7z\"", x - 3.5, y - 3.5);
            case 2:
                return fmt::format("<path d=\"M{:.1f} {:.1f}l4.2 7.4h-8.4z\"", x, y - 4.6);
            default:
                return fmt::format("<path d=\"M{:.1f} {:.1f}l4.4 4.4-4.4 4.4-4.4-4.4z\"", x, y - 4.4);
        }
    }();
    return shape + fmt::format(" class=\"dot {}\"/>", look.is_grey ? "grey" : fmt::format("s{}", look.colour));
}

void Plot::line(std::span<const double> x, std::span<const double> y, const Look& look, bool has_markers) {
    std::string path, markers;
    bool is_open = false;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (!std::isfinite(y[i]) || (options_.y.is_log && y[i] <= 0)) {
            is_open = false;
            continue;
        }
        path += fmt::format("{}{:.1f} {:.1f}", is_open ? "L" : "M", x_at(x[i]), y_at(y[i]));
        is_open = true;
        if (has_markers) markers += marker(x_at(x[i]), y_at(y[i]), look);
    }
    if (path.empty()) return;
    marks_ += fmt::format("<path class=\"line {}\" d=\"{}\"/>{}", look.classes(), path, markers);
}

void Plot::column(double x, double width, double low, double high) {
    const double left = x_at(x - width / 2), right = x_at(x + width / 2);
    back_ += fmt::format("<path class=\"under\" d=\"M{:.1f} {:.1f}H{:.1f}V{:.1f}H{:.1f}z\"/>", left, y_at(low), right,
                         y_at(high), left);
}

void Plot::whisker(double x, double shift_px, double low, double high, const Look& look) {
    if (!std::isfinite(low) || !std::isfinite(high)) return;
    marks_ += fmt::format("<path class=\"whisker {}\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", Look{look.colour}.classes(),
                          x_at(x) + shift_px, y_at(low), y_at(high));
}

void Plot::level(double y, std::string_view text) {
    const double right = options_.width - options_.right;
    back_ += fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", options_.left, y_at(y), right);
    ends_.push_back({right + 8, y_at(y), std::string(text), {.is_grey = true}});
}

void Plot::name_end(double x, double y, std::string_view text, const Look& look) {
    if (std::isfinite(y) && !(options_.y.is_log && y <= 0))
        ends_.push_back({x_at(x) + 8, y_at(y), std::string(text), look});
}

std::string Plot::str() {
    constexpr double apart = 15;
    std::ranges::stable_sort(ends_, {}, &End::y);
    for (std::size_t i = 1; i < ends_.size(); ++i) ends_[i].y = std::max(ends_[i].y, ends_[i - 1].y + apart);
    const double lowest = options_.height - options_.bottom + 4;
    for (std::size_t i = ends_.size(); i-- > 0;)
        ends_[i].y = std::min(ends_[i].y, i + 1 < ends_.size() ? ends_[i + 1].y - apart : lowest);
    std::string names;
    for (const End& end : ends_)
        names +=
            text_at(end.x, end.y + 4,
                    fmt::format("s end {}", end.look.is_grey ? "grey" : fmt::format("s{}", end.look.colour)), end.text);
    return open_svg(options_.width, options_.height, options_.about) + back_ + marks_ + names + "</svg>";
}

std::string bar_rows(std::string_view about, std::span<const BarGroup> groups) {
    constexpr double width = 520, left = 142, right = 52, row_height = 22, title_height = 26;
    const auto x_at = [&](double percent) { return left + percent / 100 * (width - left - right); };
    double y = 0;
    std::string out;
    for (const BarGroup& group : groups) {
        out += text_at(0, y + 17, "", group.title, " font-weight=\"600\"");
        y += title_height;
        for (const BarRow& row : group.rows) {
            const double middle = y + row_height / 2;
            out += text_at(left - 8, middle + 4, "small e", row.name);
            out += fmt::format("<path class=\"grid-line\" d=\"M{:.1f} {:.1f}v{:.0f}\"/>", left, y, row_height);
            if (std::isfinite(row.value))
                out += fmt::format("<path class=\"box {}\" d=\"M{:.1f} {:.1f}H{:.1f}v14H{:.1f}z\"/>",
                                   Look{row.look.colour}.classes(), left, middle - 7, x_at(row.value), left);
            if (std::isfinite(row.value) && row.high > row.low)
                out += fmt::format(
                    "<path class=\"ink\" d=\"M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}v8M{1:.1f} {3:.1f}v8\"/>",
                    x_at(row.low), x_at(row.high), middle, middle - 4);
            out += text_at((std::isfinite(row.value) ? x_at(std::max(row.value, row.high)) : left) + 7, middle + 4,
                           "small", row.text);
            y += row_height;
        }
        y += 8;
    }
    return open_svg(width, y, about) + out + "</svg>";
}

std::string heat_map(const HeatMap& map) {
    const auto n = static_cast<std::size_t>(std::llround(std::sqrt(static_cast<double>(map.shares.size()))));
    const bool has_names = n <= 40 && map.names.size() == n, has_numbers = n <= 14;
    const double width = 520, left = has_names ? 96 : 24, top = 20, side = width - left - 2;
    const double cell = side / static_cast<double>(n), height = top + side + (has_names ? 78 : 24);
    // One path a shade: ten thousand cells are ten thousand short words, not elements.
    constexpr int shades = 12;
    std::vector<std::string> paths(shades + 1);
    std::string texts;
    for (std::size_t r = 0; r < n; ++r)
        for (std::size_t c = 0; c < n; ++c) {
            const double share = map.shares[r * n + c];
            const int shade = std::isfinite(share) ? static_cast<int>(std::ceil(std::sqrt(share) * shades - 1e-9)) : 0;
            if (shade > 0) paths[static_cast<std::size_t>(shade)] += fmt::format("M{} {}h1v1h-1z", c, r);
            if (has_numbers && std::isfinite(share) && std::lround(100 * share) > 0)
                texts += text_at(left + (static_cast<double>(c) + 0.5) * cell,
                                 top + (static_cast<double>(r) + 0.5) * cell + 4, shade > 7 ? "small m on" : "small m",
                                 fmt::format("{}", std::lround(100 * share)));
        }
    std::string cells;
    for (int shade = 1; shade <= shades; ++shade)
        if (const std::string& path = paths[static_cast<std::size_t>(shade)]; !path.empty())
            cells += fmt::format("<path class=\"heat s{}\" fill-opacity=\"{:.2f}\" d=\"{}\"/>", map.colour,
                                 static_cast<double>(shade) / shades, path);
    std::string out = open_svg(width, height, map.about);
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" class=\"grid-line\"/>", left,
        top, side, side);
    out += fmt::format("<g transform=\"translate({:.1f} {:.1f}) scale({:.4f})\" shape-rendering=\"crispEdges\">{}</g>",
                       left, top, cell, cells);
    for (std::size_t i = 0; has_names && i < n; ++i) {
        const double at = (static_cast<double>(i) + 0.5) * cell, floor = top + side + 12;
        const std::string_view classes = n > 20 ? "tick tiny e" : "tick small e";
        const std::string name = shortened(map.names[i], 14);
        out += text_at(left - 6, top + at + 4, classes, name);
        out += text_at(left + at + 3, floor, classes, name,
                       fmt::format(" transform=\"rotate(-45 {:.1f} {:.1f})\"", left + at + 3, floor));
    }
    out += text_at(left, 13, "tick small", fmt::format("rows: {}, columns: {}", map.row_title, map.column_title));
    return out + texts + "</svg>";
}

}
