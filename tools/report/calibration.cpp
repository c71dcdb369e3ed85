// Calibration: whether a model is right as often as it is sure to be. A reliability diagram of each series.
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

using Bins = std::span<const ConfidenceBin>;

constexpr double bin_width = 100.0 / confidence_bins;  // percent
constexpr const char* ideal = "calibrated";            // the diagonal

std::int64_t samples_in(Bins bins) {
    std::int64_t n = 0;
    for (const ConfidenceBin& bin : bins) n += bin.samples;
    return n;
}

double accuracy_in(const ConfidenceBin& bin) {
    return 100 * static_cast<double>(bin.hits) / static_cast<double>(bin.samples);
}

std::string diagram(const Series& series, Bins bins) {
    Plot figure(
        {.about = fmt::format("accuracy of {} against its confidence", series.label),
         .x = {.range = {0, 100}, .ticks = ticks_of({0, 100}, 5), .title = "mean confidence of the bin, percent"},
         .y = {.range = {0, 100}, .ticks = ticks_of({0, 100}, 5), .title = "accuracy, percent"},
         .height = 340,
         .right = room_for_names(std::vector<std::string>{ideal})});
    const auto all = static_cast<double>(samples_in(bins));
    const std::vector<double> ends{0, 100};
    figure.line(ends, ends, {.dash = 2, .is_grey = true}, false);
    figure.name_end(100, 100, ideal, {.is_grey = true});
    std::vector<double> confidence, accuracy;
    for (std::size_t b = 0; b < bins.size(); ++b) {
        const ConfidenceBin& bin = bins[b];
        if (bin.samples == 0) continue;
        figure.column((static_cast<double>(b) + 0.5) * bin_width, 0.94 * bin_width, 0,
                      100 * static_cast<double>(bin.samples) / all);
        confidence.push_back(100 * bin.confidence);
        accuracy.push_back(accuracy_in(bin));
        const Interval interval = wilson_interval(static_cast<double>(bin.hits), bin.samples);
        figure.whisker(confidence.back(), 0, interval.low, interval.high, series.look);
    }
    figure.line(confidence, accuracy, series.look, true);
    return figure.str();
}

std::string bin_table(Bins bins) {
    HtmlTable table{.rows = {{"confidence", "samples", "accuracy", "mean confidence", "difference"}}};
    for (std::size_t b = 0; b < bins.size(); ++b) {
        const ConfidenceBin& bin = bins[b];
        std::vector<std::string> row{fmt::format("{:.1f}\u2013{:.1f}", static_cast<double>(b) * bin_width,
                                                 static_cast<double>(b + 1) * bin_width),
                                     fmt::format("{}", bin.samples)};
        const double accuracy = accuracy_in(bin), confidence = 100 * bin.confidence;  // NaN without samples
        for (std::string text :
             {percent_text(accuracy), percent_text(confidence), difference_text(accuracy - confidence)})
            row.push_back(std::move(text));
        table.rows.push_back(std::move(row));
    }
    return html_details("samples in each bin", table.str());
}

std::string verdict(Bins bins) {
    double hits = 0, confidence = 0;
    for (const ConfidenceBin& bin : bins) {
        hits += static_cast<double>(bin.hits);
        if (bin.samples > 0) confidence += static_cast<double>(bin.samples) * bin.confidence;
    }
    const auto n = static_cast<double>(samples_in(bins));
    return fmt::format("ECE {}. Right in {} percent, sure of {}: {}.", percent_text(expected_calibration_error(bins)),
                       percent_text(100 * hits / n), percent_text(100 * confidence / n),
                       confidence > hits ? "over-confident" : "under-confident");
}

}

std::string calibration_section(std::span<const Series> series) {
    std::string figures, split;
    for (const Series& s : series) {
        const Bins bins = s.calibration();
        if (samples_in(bins) == 0) continue;
        figures += html_figure(escaped(s.label), diagram(s, bins) + bin_table(bins), verdict(bins));
        split = s.split();
    }
    if (figures.empty()) return {};
    return html_section(
        "calibration", "How sure it may be",
        "<div class=\"grid\">\n" + figures + "</div>\n" +
            fmt::format(
                "<p class=\"soft\">Confidence: the probability of the predicted class, softmax of the logits, on "
                "{}, in {} bins of the same width. Grey columns: the share of the samples in each bin. Upright "
                "lines: 95 % Wilson intervals. Points below the diagonal are over-confident. ECE, the expected "
                "calibration error: the mean distance from it over the samples (Guo et al. 2017).</p>\n",
                escaped(split), confidence_bins));
}

}
