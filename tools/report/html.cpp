#include "tools/report/html.h"

#include "kernels/error.h"

#include <algorithm>
#include <cmath>

namespace bkd {

std::string escaped(std::string_view text) {
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    std::string out;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const char c = text.front();
        const bool is_control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ||
                                (length == 2 && c == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0);
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else if (c == '\'')
            out += "&#39;";
        else if (length == 0 || is_control)
            out += replacement;
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string percent_text(std::optional<double> value) {
    return value && std::isfinite(*value) ? fmt::format("{:.2f}", *value) : "-";
}

std::string difference_text(std::optional<double> value) {
    if (!value || !std::isfinite(*value)) return "-";
    return fmt::format("{}{:.2f}", *value < 0 ? "\u2212" : "+", std::abs(*value));
}

std::string short_number(double value) {
    if (!std::isfinite(value)) return "-";
    const double size = std::abs(value);
    if (size != 0 && (size < 1e-3 || size >= 1e5)) return fmt::format("{:.2g}", value);
    return fmt::format("{:.3g}", value);
}

std::string plural(std::int64_t count, std::string_view one) {
    const bool hisses = one.ends_with('s') || one.ends_with("ch");
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : hisses ? "es" : "s");
}

std::string HtmlTable::str() const {
    std::string out = fmt::format("<div class=\"scroll\"><table{}>", has_text_cells ? " class=\"words\"" : "");
    if (!caption.empty()) out += "<caption>" + caption + "</caption>";
    for (std::size_t r = 0; r < rows.size(); ++r) {
        out += r == 0 ? "<thead><tr>" : r == 1 ? "<tbody><tr>" : "<tr>";
        for (std::size_t c = 0; c < rows[r].size(); ++c) {
            const bool is_head = r == 0 || c == 0;
            out += fmt::format("<{0}{1}>{2}</{0}>", is_head ? "th" : "td",
                               r == 0   ? " scope=\"col\""
                               : c == 0 ? " scope=\"row\""
                                        : "",
                               rows[r][c]);
        }
        out += r == 0 ? "</tr></thead>\n" : "</tr>\n";
    }
    return out + (rows.size() > 1 ? "</tbody></table></div>\n" : "</table></div>\n");
}

std::string html_figure(std::string_view title, std::string_view svg, std::string_view note) {
    return fmt::format("<figure><h3>{}</h3>{}{}</figure>\n", title, svg,
                       note.empty() ? "" : fmt::format("<figcaption>{}</figcaption>", note));
}

std::string html_section(std::string_view id, std::string_view title, std::string_view body) {
    if (body.empty()) return {};
    return fmt::format("<section id=\"{0}\">\n<h2>{1}</h2>\n{2}</section>\n", id, title, body);
}

std::string html_details(std::string_view summary, std::string_view body) {
    return fmt::format("<details><summary>{}</summary>\n{}</details>\n", summary, body);
}

std::string html_page(std::string_view title, std::string_view body) {
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        escaped(title), page_style, body);
}

}
