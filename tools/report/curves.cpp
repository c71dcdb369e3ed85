// Loss and accuracy over the epochs.
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

struct Curve {
    const Series* series = nullptr;
    std::vector<double> epochs{}, values{};
};

double room_for(std::span<const Curve> curves) {
    std::vector<std::string> labels;
    for (const Curve& curve : curves) labels.push_back(curve.series->label);
    return room_for_names(labels);
}

std::string plot(const std::string& about, const std::string& title, std::span<const Curve> curves) {
    std::vector<double> all, epochs{1};
    for (const Curve& curve : curves) {
        all.insert(all.end(), curve.values.begin(), curve.values.end());
        epochs.insert(epochs.end(), curve.epochs.begin(), curve.epochs.end());
    }
    Range y = range_of(all);
    const double margin = 0.06 * std::max(y.high - y.low, 0.1 * std::abs(y.high));
    y = {y.low >= 0 ? std::max(0.0, y.low - margin) : y.low - margin, y.high + margin};
    Range x = range_of(epochs);
    if (x.high == x.low) x = {x.low - 0.5, x.high + 0.5};
    std::vector<Tick> epoch_ticks = ticks_of(x, 6);
    std::erase_if(epoch_ticks, [](const Tick& tick) { return tick.at != std::floor(tick.at); });
    for (Tick& tick : epoch_ticks) tick.text = fmt::format("{:.0f}", tick.at);
    Plot figure({.about = about,
                 .x = {.range = x, .ticks = std::move(epoch_ticks), .title = "epoch"},
                 .y = {.range = y, .ticks = ticks_of(y, 5), .title = title},
                 .right = room_for(curves)});
    for (const Curve& curve : curves) {
        figure.line(curve.epochs, curve.values, curve.series->look, curve.values.size() <= 30);
        for (std::size_t i = curve.values.size(); i-- > 0;)
            if (std::isfinite(curve.values[i])) {
                figure.name_end(curve.epochs[i], curve.values[i], curve.series->label, curve.series->look);
                break;
            }
    }
    return figure.str();
}

template <class Value>
std::vector<Curve> curves_of(std::span<const Series> series, Value value) {
    std::vector<Curve> curves;
    for (const Series& s : series) {
        Curve curve{.series = &s};
        std::int64_t before = 0;
        for (const EpochRecord& epoch : s.stage->done) {
            if (!epoch.is_logged) continue;
            if (epoch.epoch > before + 1 && !curve.values.empty()) {  // a gap where the log lacks epochs
                curve.epochs.push_back(static_cast<double>(before + 1));
                curve.values.push_back(std::nan(""));
            }
            before = epoch.epoch;
            if (const std::optional<double> v = value(epoch)) {
                curve.epochs.push_back(static_cast<double>(epoch.epoch));
                curve.values.push_back(*v);
            }
        }
        if (!curve.values.empty()) curves.push_back(std::move(curve));
    }
    return curves;
}

}

std::string curves_section(std::span<const Series> series) {
    const auto loss = curves_of(series, [](const EpochRecord& e) { return std::optional(e.loss); });
    const auto of_metrics = [&](auto member) {
        return curves_of(series, [member](const EpochRecord& e) {
            return e.metrics ? std::optional<double>((*e.metrics).*member) : std::nullopt;
        });
    };
    const auto top1 = of_metrics(&Metrics::top1), cross_entropy = of_metrics(&Metrics::loss);
    if (loss.empty()) return {};
    const std::string split = escaped(series.front().split());
    std::string out = "<div class=\"grid\">\n";
    if (!top1.empty())
        out += html_figure("Accuracy on " + split, plot("top-1 accuracy by epoch", "top-1, percent", top1));
    out += html_figure("Training loss", plot("training loss by epoch", "mean over the images of an epoch", loss),
                       "Of each stage\u2019s own loss: methods minimise different sums, so heights do not compare.");
    if (!cross_entropy.empty())
        out += html_figure("Cross-entropy on " + split,
                           plot("cross-entropy by epoch", "mean over the images", cross_entropy),
                           "The same measure for all methods.");
    return html_section("curves", "Learning", out + "</div>\n");
}

}
