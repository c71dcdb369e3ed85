#include "tools/eval_report.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>

namespace bkd {
namespace {

std::string percent(const std::optional<double>& value) {
    return value && *value == *value ? fmt::format("{:.2f}", *value) : "-";
}

// "teacher.last" of ".../teacher.last.safetensors"
std::string short_name(const std::string& path) { return printable(std::filesystem::path(path).stem().string()); }

class Table {
public:
    Table(std::FILE* out, const std::vector<EvaluatedModel>& models) : out_(out), models_(models) {}

    // One row: a name, a number for each model and, with two models, the difference.
    template <class Value>
    void row(const std::string& name, Value value) {
        fmt::print(out_, "{:<30}", name);
        for (const EvaluatedModel& m : models_) fmt::print(out_, " {:>18}", percent(value(m.result)));
        if (models_.size() == 2) {
            const std::optional<double> a = value(models_[0].result), b = value(models_[1].result);
            fmt::print(out_, " {:>11}", a && b ? fmt::format("{:+.2f}", *b - *a) : "-");
        }
        fmt::print(out_, "\n");
    }
    void head() {
        fmt::print(out_, "{:<30}", "accuracy in percent");
        for (const EvaluatedModel& m : models_) fmt::print(out_, " {:>18}", short_name(m.path));
        fmt::print(out_, "{}\n", models_.size() == 2 ? fmt::format(" {:>11}", "difference") : "");
    }

private:
    std::FILE* out_;
    const std::vector<EvaluatedModel>& models_;
};

void print_calibration(std::FILE* out, const EvaluatedModel& model) {
    fmt::print(out, "calibration of {}, in percent: samples by the probability of the predicted class\n",
               short_name(model.path));
    fmt::print(out, "{:<14} {:>8} {:>9} {:>16}\n", "confidence", "samples", "accuracy", "mean confidence");
    const std::vector<ConfidenceBin>& bins = model.result.evaluation.metrics.calibration;
    for (std::size_t b = 0; b < bins.size(); ++b) {
        const double width = 100 / static_cast<double>(bins.size()), low = width * static_cast<double>(b);
        const double accuracy = 100 * static_cast<double>(bins[b].hits) / static_cast<double>(bins[b].samples);
        fmt::print(out, "{:>5.1f} - {:<6.1f} {:>8} {:>9} {:>16}\n", low, low + width, bins[b].samples,
                   percent(accuracy), percent(100 * bins[b].confidence));
    }
}

}

void print_eval(std::FILE* out, const std::vector<EvaluatedModel>& models, const std::string& split,
                const EvalParts& parts) {
    const ModelEvaluation& first = models.front().result;
    fmt::print(out, "{} of {}, {} samples, network {}\n", split, first.data, first.evaluation.metrics.count,
               first.network);
    Table table(out, models);
    table.head();
    const auto metric = [](auto member) {
        return [member](const ModelEvaluation& m) -> std::optional<double> { return m.evaluation.metrics.*member; };
    };
    table.row("top-1", metric(&Metrics::top1));
    table.row("top-5", metric(&Metrics::top5));
    table.row("balanced", metric(&Metrics::balanced));
    table.row("macro-F1", metric(&Metrics::macro_f1));
    for (const Shot shot : all_shots) {
        if (first.class_counts.empty()) break;
        std::size_t classes = 0;
        for (const std::int64_t n : first.class_counts) classes += shot_of(n, {}) == shot;
        table.row(fmt::format("{} ({} classes)", name_of(shot), classes),
                  [shot](const ModelEvaluation& m) { return m.evaluation.metrics.shot(shot); });
    }
    if (parts.calibration)
        table.row(fmt::format("ECE ({} bins)", confidence_bins), [](const ModelEvaluation& m) -> std::optional<double> {
            return expected_calibration_error(m.evaluation.metrics.calibration);
        });
    if (parts.per_class)
        for (std::size_t c = 0; c < first.class_names.size(); ++c)
            table.row(
                fmt::format("{:>4} {}{}", c, printable(first.class_names[c]),
                            c < first.class_counts.size() ? fmt::format(", {} trained", first.class_counts[c]) : ""),
                [c](const ModelEvaluation& m) -> std::optional<double> {
                    return m.evaluation.metrics.per_class.at(c);
                });
    for (const EvaluatedModel& m : models)
        fmt::print(out, "{}: {} of {} correct, mean cross-entropy {:.6f}\n", short_name(m.path),
                   std::accumulate(m.result.evaluation.metrics.class_hits.begin(),
                                   m.result.evaluation.metrics.class_hits.end(), std::int64_t{0}),
                   m.result.evaluation.metrics.count, m.result.evaluation.metrics.loss);
    if (parts.calibration) print_calibration(out, models.back());
    if (parts.confusion) {
        const Metrics& metrics = models.back().result.evaluation.metrics;
        const std::size_t classes = models.back().result.class_names.size();
        fmt::print(out, "confusion of {}: a row for each true class, a column for each predicted one\n",
                   short_name(models.back().path));
        for (std::size_t t = 0; t < classes; ++t) {
            for (std::size_t p = 0; p < classes; ++p)
                fmt::print(out, "{}{:>5}", p ? " " : "", metrics.confusion[t * classes + p]);
            fmt::print(out, "\n");
        }
    }
}

Json eval_json(const std::vector<EvaluatedModel>& models, const std::string& split) {
    std::vector<EvaluationRecord> records;
    for (const EvaluatedModel& m : models)
        records.push_back({.model = m.path,
                           .network = m.result.network,
                           .data = m.result.data,
                           .split = split,
                           .class_names = m.result.class_names,
                           .class_counts = m.result.class_counts,
                           .metrics = m.result.evaluation.metrics});
    return evaluation_document(records);
}

bool meets(const Metrics& metrics, const std::string& expectation) {
    const std::size_t sign = expectation.find(">=");
    const std::string name = expectation.substr(0, sign);
    double least = 0;
    const char* const end = expectation.data() + expectation.size();
    if (sign != std::string::npos) {
        const auto [stop, error] = std::from_chars(expectation.data() + sign + 2, end, least);
        const bool is_number = error == std::errc{} && stop == end && std::isfinite(least);
        if (is_number && name == "top1") return metrics.top1 >= least;
        if (is_number && name == "balanced") return metrics.balanced >= least;
        if (is_number && name == "top5" && metrics.top5) return *metrics.top5 >= least;
    }
    throw InputError(
        {.id = 203,
         .what = fmt::format("--expect takes top1>=N, top5>=N or balanced>=N, got \"{}\"", printable(expectation)),
         .at = "option --expect"});
}

}
