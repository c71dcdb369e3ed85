#pragma once
// Text for an HTML page, and the page itself: one file that needs nothing else, and no script to be read.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

// Text from anywhere as the content of an element or an attribute's value in double quotes: & < > " ' become entities,
// control characters and bytes that are no UTF-8 U+FFFD.
std::string escaped(std::string_view text);

// "73.36"; "-" for no number.
std::string percent_text(std::optional<double> value);
// "+8.44", with a minus sign of the width of the plus; "-" for no number.
std::string difference_text(std::optional<double> value);
// "0.0312", "1.5e-05": three digits that count.
std::string short_number(double value);
std::string plural(std::int64_t count, std::string_view one);  // "1 class", "2 classes"

// A table whose cells are markup; the first row is its head, the first column names the rows. Numbers stand right.
struct HtmlTable {
    std::vector<std::vector<std::string>> rows{};
    std::string caption{};        // markup
    bool has_text_cells = false;  // cells are words: they stand left
    std::string str() const;
};

// <figure> of an SVG with its title above and what to know of it below. All three are markup.
std::string html_figure(std::string_view title, std::string_view svg, std::string_view note = {});
// <section> with an anchor.
std::string html_section(std::string_view id, std::string_view title, std::string_view body);
// The rest behind a line to click at; readable without a script.
std::string html_details(std::string_view summary, std::string_view body);
// `title` is text, `body` markup.
std::string html_page(std::string_view title, std::string_view body);

// The page's style sheet (style.cpp): light and dark, one accent colour a run.
extern const std::string_view page_style;

}
