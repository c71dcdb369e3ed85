// Confusion matrices. Of more than 200 classes by shot group, with the commonest confusions.      paper: Fig. 3
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

constexpr std::size_t most_cells_a_side = 200;

double share(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? std::nan("") : static_cast<double>(part) / static_cast<double>(whole);
}

std::string by_class(const ClassGroup& group, const Series& series, const Metrics& m) {
    const std::size_t classes = group.order.size();
    HeatMap map{.about = fmt::format("confusion matrix of {}", series.label),
                .row_title = "true class",
                .column_title = "predicted; percent of the row",
                .colour = series.look.colour};
    for (const std::size_t row : group.order) {
        map.names.push_back(group.names[row]);
        for (const std::size_t column : group.order)
            map.shares.push_back(share(m.confusion[row * classes + column], m.class_samples[row]));
    }
    return heat_map(map);
}

std::string by_shot(const ClassGroup& group, const Series& series, const Metrics& m) {
    const std::size_t classes = group.order.size();
    std::array<std::int64_t, 9> counts{};
    std::array<std::int64_t, 3> samples{};
    const auto place = [&](std::size_t c) {
        return static_cast<std::size_t>(shot_of(group.counts[c], group.thresholds));
    };
    for (std::size_t row = 0; row < classes; ++row) {
        samples[place(row)] += m.class_samples[row];
        for (std::size_t column = 0; column < classes; ++column)
            counts[place(row) * 3 + place(column)] += m.confusion[row * classes + column];
    }
    HeatMap map{.about = fmt::format("confusion of {} by shot group", series.label),
                .row_title = "true group",
                .column_title = "predicted; percent of the row",
                .names = {"many", "medium", "few"},
                .colour = series.look.colour};
    for (std::size_t i = 0; i < 9; ++i) map.shares.push_back(share(counts[i], samples[i / 3]));
    return heat_map(map);
}

std::string commonest(const ClassGroup& group, const Metrics& m, std::size_t rows) {
    struct Confusion {
        std::int64_t count;
        std::size_t label, predicted;
    };
    const std::size_t classes = group.order.size();
    std::vector<Confusion> all;
    for (std::size_t row = 0; row < classes; ++row)
        for (std::size_t column = 0; column < classes; ++column)
            if (row != column && m.confusion[row * classes + column] > 0)
                all.push_back({m.confusion[row * classes + column], row, column});
    rows = std::min(rows, all.size());
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(rows);
    std::ranges::partial_sort(all, end, [](const Confusion& a, const Confusion& b) {
        return a.count != b.count ? a.count > b.count
                                  : std::pair(a.label, a.predicted) < std::pair(b.label, b.predicted);
    });
    HtmlTable table{.rows = {{"true class", "predicted", "images", "percent of the class"}},
                    .caption = "The commonest confusions"};
    for (auto it = all.begin(); it != end; ++it)
        table.rows.push_back({fmt::format("{} ({})", escaped(group.names[it->label]), group.counts[it->label]),
                              fmt::format("{} ({})", escaped(group.names[it->predicted]), group.counts[it->predicted]),
                              fmt::format("{}", it->count),
                              percent_text(100 * share(it->count, m.class_samples[it->label]))});
    return rows == 0 ? "" : table.str();
}

}

std::string confusion_section(std::span<const ClassGroup> groups) {
    std::string out;
    for (const ClassGroup& group : groups) {
        const bool is_large = group.order.size() > most_cells_a_side;
        std::string figures;
        for (const Series* s : group.series) {
            const EvaluationRecord* e = s->evaluation();
            if (e == nullptr) continue;
            std::string body = is_large ? by_shot(group, *s, e->metrics) : by_class(group, *s, e->metrics);
            if (group.order.size() > 14) body += commonest(group, e->metrics, is_large ? 20 : 10);
            figures += html_figure(escaped(s->label), body);
        }
        if (figures.empty()) continue;
        if (groups.size() > 1) out += fmt::format("<h3>{}</h3>\n", escaped(group.title));
        out += "<div class=\"grid\">\n" + figures + "</div>\n";
        out += is_large
                   ? "<p class=\"soft\">More than 200 classes: summed over the shot groups.</p>\n"
                   : "<p class=\"soft\">Paper: Fig. 3. Classes by falling training count, from top and left; a full "
                     "diagonal is a perfect model. A full left side: rare classes are taken for frequent ones.</p>\n";
    }
    return html_section("confusion", "Who is taken for whom", out);
}

}
