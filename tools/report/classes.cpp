// Accuracy by class: over sorted training counts, by shot group, and as a table.
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

std::optional<Interval> interval_of(const Series& series, std::size_t label) {
    const EvaluationRecord* e = series.evaluation();
    if (e == nullptr || e->metrics.class_samples.at(label) == 0) return std::nullopt;
    return wilson_interval(static_cast<double>(e->metrics.class_hits[label]), e->metrics.class_samples[label]);
}

double label_room(const ClassGroup& group) {
    std::vector<std::string> labels;
    for (const Series* s : group.series) labels.push_back(s->label);
    return room_for_names(labels);
}

// paper: Fig. 4
std::string by_count(const ClassGroup& group) {
    const std::size_t classes = group.order.size();
    PlotOptions options{.about = "accuracy of each class, classes by falling training count",
                        .y = {.range = {0, 100}, .ticks = ticks_of({0, 100}, 5), .title = "accuracy, percent"},
                        .height = 340,
                        .right = label_room(group)};
    options.tilts_x = group.place_ticks(options.x);
    options.bottom = options.tilts_x ? 84 : 40;
    Plot figure(options);
    // Training counts behind it on a logarithmic scale of their own: the largest class reaches the top.
    const auto most = static_cast<double>(std::max<std::int64_t>(*std::ranges::max_element(group.counts), 2));
    const std::vector<double> ranks = group.ranks();
    const std::vector<double> counts = group.sorted(std::vector<double>(group.counts.begin(), group.counts.end()));
    for (std::size_t i = 0; i < ranks.size(); ++i)
        figure.column(ranks[i], classes <= 50 ? 0.8 : static_cast<double>(group.together()), 0,
                      100 * std::log(std::max(counts[i], 1.0)) / std::log(most));
    const auto lines = static_cast<double>(group.series.size());
    for (std::size_t s = 0; s < group.series.size(); ++s) {
        const Series& series = *group.series[s];
        const double shift = 4 * (static_cast<double>(s) - (lines - 1) / 2);
        for (std::size_t i = 0; classes <= 20 && i < classes; ++i)
            if (const auto interval = interval_of(series, group.order[i]))
                figure.whisker(ranks[i], shift, interval->low, interval->high, series.look);
        const std::vector<double> accuracy = group.sorted(accuracy_by_class(series));
        figure.line(ranks, accuracy, series.look, classes <= 50);
        if (!accuracy.empty()) figure.name_end(ranks.back(), accuracy.back(), series.label, series.look);
    }
    return html_figure(
        "Accuracy over training counts", figure.str(),
        fmt::format("Paper: Fig. 4. Grey columns: training images of the class, {} to {}, on a logarithmic "
                    "scale. {}",
                    *std::ranges::max_element(group.counts), *std::ranges::min_element(group.counts),
                    classes <= 20 ? "Upright lines: 95 % intervals." : ""));
}

// The group's accuracy is the mean of its classes'; its interval is that of one class with all the group's test images.
BarRow group_row(const Series& series, const std::vector<std::int32_t>& classes) {
    BarRow row{.name = series.label, .value = std::nan(""), .text = "-", .look = series.look};
    if (classes.empty()) return row;
    const std::vector<double> accuracy = accuracy_by_class(series);
    double sum = 0;
    std::int64_t samples = 0;
    for (const std::int32_t c : classes) {
        sum += accuracy[static_cast<std::size_t>(c)];
        if (const EvaluationRecord* e = series.evaluation())
            samples += e->metrics.class_samples[static_cast<std::size_t>(c)];
    }
    row.value = sum / static_cast<double>(classes.size());
    row.text = percent_text(row.value);
    if (samples > 0 && std::isfinite(row.value)) {
        const Interval interval = wilson_interval(row.value / 100 * static_cast<double>(samples), samples);
        row.low = interval.low, row.high = interval.high;
    }
    return row;
}

std::string shot_title(Shot shot, const ShotThresholds& t, std::size_t classes) {
    const std::string rule = shot == Shot::many     ? fmt::format("over {} images", t.many)
                             : shot == Shot::medium ? fmt::format("{} to {}", t.few, t.many)
                                                    : fmt::format("under {}", t.few);
    return fmt::format("{}: {}, {}", name_of(shot), plural(static_cast<std::int64_t>(classes), "class"), rule);
}

// paper: Fig. 7
std::string by_group(const ClassGroup& group) {
    const ShotGroups shots = shot_groups(group.counts, group.thresholds);
    std::vector<BarGroup> bars;
    for (const Shot shot : all_shots) {
        BarGroup bar{.title = shot_title(shot, group.thresholds, shots.of(shot).size())};
        for (const Series* s : group.series) bar.rows.push_back(group_row(*s, shots.of(shot)));
        bars.push_back(std::move(bar));
    }
    return html_figure(
        "Many, medium, few", bar_rows("accuracy of the shot groups", bars),
        "Groups by training images; a group\u2019s accuracy is the mean of its classes\u2019, a dash an empty "
        "group. Whiskers: 95 % Wilson intervals over the group\u2019s test images.");
}

std::string class_table(const ClassGroup& group) {
    HtmlTable table{.rows = {{"class", "trained", "tested"}},
                    .caption = "Accuracy in percent after the last epoch, with its 95 % Wilson interval."};
    for (const Series* s : group.series)
        table.rows.front().push_back(
            fmt::format("<span class=\"swatch s{}\"></span>{}", s->look.colour, escaped(s->label)));
    if (group.series.size() == 2) table.rows.front().emplace_back("difference");
    const EvaluationRecord* first = nullptr;
    for (const Series* s : group.series)
        if (first == nullptr) first = s->evaluation();
    for (const std::size_t c : group.order) {
        std::vector<std::string> row{escaped(group.names[c]), fmt::format("{}", group.counts[c]),
                                     first ? fmt::format("{}", first->metrics.class_samples[c]) : "-"};
        std::vector<double> values;
        for (const Series* s : group.series) {
            values.push_back(accuracy_by_class(*s)[c]);
            row.push_back(percent_text(values.back()));
            if (const auto interval = interval_of(*s, c))
                row.back() +=
                    fmt::format(" <span class=\"soft\">{:.1f}\u2013{:.1f}</span>", interval->low, interval->high);
        }
        if (values.size() == 2) row.push_back(difference_text(values[1] - values[0]));
        table.rows.push_back(std::move(row));
    }
    return group.order.size() <= 20
               ? table.str()
               : html_details(plural(static_cast<std::int64_t>(group.order.size()), "class"), table.str());
}

}

std::string classes_section(std::span<const ClassGroup> groups) {
    std::string out;
    for (const ClassGroup& group : groups) {
        if (groups.size() > 1) out += fmt::format("<h3>{}</h3>\n", escaped(group.title));
        out += "<div class=\"grid\">\n" + by_count(group) + by_group(group) + "</div>\n" + class_table(group);
    }
    return html_section("classes", "Class by class", out);
}

}
