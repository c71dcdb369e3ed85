// What the losses do inside: gradients by class, class weights, what has become of the classifier, and the teacher's
// probabilities before and after the weights.
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

struct ClassLine {
    std::string name{};
    std::vector<double> values{};  // by label
    Look look{};
};

Range log_range(const Range& range) {
    return {std::pow(10, std::floor(std::log10(range.low) * 3) / 3),
            std::pow(10, std::ceil(std::log10(range.high) * 3) / 3)};
}

// Lines over the classes by falling training count; on a logarithmic axis where `is_log`.
std::string class_plot(const ClassGroup& group, const std::string& about, const std::string& title,
                       std::span<const ClassLine> lines, bool is_log, std::optional<double> level,
                       const std::string& level_says) {
    std::vector<double> all;
    std::vector<std::string> names;
    for (const ClassLine& line : lines) {
        for (const double v : line.values)
            if (!is_log || v > 0) all.push_back(v);
        names.push_back(line.name);
    }
    if (level) all.push_back(*level), names.push_back(level_says);
    const Range range = range_of(all);
    const Range y = is_log ? log_range(range) : Range{0, 1.08 * range.high};
    PlotOptions options{
        .about = about,
        .y = {.range = y, .ticks = is_log ? log_ticks_of(y) : ticks_of(y, 5), .title = title, .is_log = is_log},
        .right = room_for_names(names)};
    options.tilts_x = group.place_ticks(options.x);
    if (options.tilts_x) options.bottom = 84, options.height = 340;
    Plot figure(options);
    if (level) figure.level(*level, level_says);
    const std::vector<double> ranks = group.ranks();
    for (const ClassLine& line : lines) {
        const std::vector<double> sorted = group.sorted(line.values);
        figure.line(ranks, sorted, line.look, ranks.size() <= 50);
        if (!sorted.empty()) figure.name_end(ranks.back(), sorted.back(), line.name, line.look);
    }
    return figure.str();
}

// A line of each series for which `value` gives one of the study's classes.
template <class Value>
std::vector<ClassLine> gradient_lines(const ClassGroup& group, Value value) {
    std::vector<ClassLine> lines;
    for (const Series* s : group.series) {
        const StageStudy* study = s->study();
        if (study == nullptr || study->encouraging.empty()) continue;
        ClassLine line{.name = s->label, .look = s->look};
        for (std::size_t c = 0; c < study->encouraging.size(); ++c)
            line.values.push_back(study->encouraging[c] > 0 ? value(*study, c) / study->encouraging[c] : std::nan(""));
        lines.push_back(std::move(line));
    }
    return lines;
}

// paper: section 3.1, Fig. 2b
std::string gradient_figures(const ClassGroup& group) {
    const auto ratios = gradient_lines(group, [](const StageStudy& s, std::size_t c) { return s.discouraging[c]; });
    const auto foreign =
        gradient_lines(group, [](const StageStudy& s, std::size_t c) { return 100 * s.encouraging_by_others[c]; });
    if (ratios.empty()) return {};
    std::string out = html_figure(
        "Discouraging over encouraging gradient",
        class_plot(group, "ratio of discouraging to encouraging gradient of each class",
                   "all that lowers the class\u2019s logit / all that raises it", ratios, true, 1, "balance"),
        "Paper: section 3.1, Fig. 2b. Sums of \u2202L/\u2202z over all training images, at the last weights, of each "
        "run\u2019s own loss, without augmentation and mixing. Above 1 the next steps would lower the class.");
    const bool has_foreign = std::ranges::any_of(foreign, [](const ClassLine& line) {
        return std::ranges::any_of(line.values, [](double v) { return v > 0; });
    });
    if (has_foreign)
        out += html_figure(
            "Raised by images of other classes",
            class_plot(group, "share of the encouraging gradient that comes from other classes\u2019 images",
                       "percent of all that raises the class\u2019s logit", foreign, false, std::nullopt, ""),
            "By cross-entropy only a class\u2019s own images raise its logit: 0. A distilled target lets the "
            "images of other classes raise it, too, and rare classes have few of their own.");
    return out;
}

std::string omega_figure(const ClassGroup& group) {
    std::vector<ClassLine> lines;
    for (const Series* s : group.series)
        if (const StageStudy* study = s->study(); study != nullptr && !study->omega.empty())
            lines.push_back({s->label, study->omega, s->look});
    if (lines.empty()) return {};
    return html_figure(
        "Class weights \u03C9",
        class_plot(group, "class weight of each class", "weight, in the last epoch", lines, true, 1, "even"),
        "Paper: Eq. 2. Runs whose loss has no class weights are not drawn.");
}

std::string norms_figure(const ClassGroup& group) {
    std::vector<ClassLine> lines;
    for (const Series* s : group.series)
        if (const std::vector<double>* norms = s->norms(); norms != nullptr && norms->size() == group.names.size())
            lines.push_back({s->label, *norms, s->look});
    if (lines.empty()) return {};
    return html_figure(
        "Norm of the classifier\u2019s weight vector",
        class_plot(group, "norm of the classifier's weight vector of each class", "|w| of the class, last model", lines,
                   false, std::nullopt, ""),
        "A longer vector makes larger logits, whatever the image. After cross-entropy frequent classes have the "
        "longer ones (Kang et al. 2020).");
}

// paper: Eq. 9, 10
std::string teacher_figures(const ClassGroup& group, const Series& series, const StageStudy& study) {
    const auto lines = [&](auto member) {
        std::vector<ClassLine> all;
        const auto percent = [&](const ClassProbabilities& p) {
            std::vector<double> values = p.*member;
            for (double& v : values) v *= 100;
            return values;
        };
        all.push_back({"teacher", percent(*study.teacher), {.dash = 1, .is_grey = true}});
        if (study.balanced) all.push_back({"\u03C9 \u00B7 teacher", percent(*study.balanced), {series.look.colour, 2}});
        all.push_back({"student", percent(study.student), {series.look.colour, 0}});
        return all;
    };
    const auto of_class = lines(&ClassProbabilities::of_class), of_label = lines(&ClassProbabilities::of_label);
    const double even = 100 / static_cast<double>(group.order.size());
    const std::string split = series.split();
    return html_figure(
               fmt::format("{}: the share each class is given", escaped(series.label)),
               class_plot(group, "mean probability of each class over all images",
                          fmt::format("mean probability over all {} images, percent", split), of_class, false, even,
                          "even"),
               fmt::format("softmax(z/T), T = {}.{}", short_number(study.temperature),
                           study.balanced ? " \u03C9 \u00B7 teacher is normalised for each image: the target of Eq. 8."
                                          : " This loss does not re-weight its teacher.")) +
           html_figure(fmt::format("{}: what the right class is given", escaped(series.label)),
                       class_plot(group, "mean probability of the right class by class",
                                  fmt::format("mean over the class\u2019s {} images, percent", split), of_label, false,
                                  std::nullopt, ""),
                       study.balanced ? "Where \u03C9 \u00B7 teacher lies above teacher, the target gives the class "
                                        "what the teacher withheld."
                                      : "");
}

}

std::string gradients_section(std::span<const ClassGroup> groups) {
    std::string out;
    for (const ClassGroup& group : groups) {
        const std::string figures = gradient_figures(group) + omega_figure(group) + norms_figure(group);
        if (figures.empty()) continue;
        if (groups.size() > 1) out += fmt::format("<h3>{}</h3>\n", escaped(group.title));
        out += "<div class=\"grid\">\n" + figures + "</div>\n";
    }
    return html_section("gradients", "What the loss does to each class", out);
}

std::string teacher_section(std::span<const ClassGroup> groups) {
    std::string out;
    for (const ClassGroup& group : groups)
        for (const Series* s : group.series)
            if (const StageStudy* study = s->study(); study != nullptr && study->teacher)
                out += teacher_figures(group, *s, *study);
    return html_section("teacher", "Teacher and student",
                        out.empty() ? out : "<div class=\"grid\">\n" + out + "</div>\n");
}

}
