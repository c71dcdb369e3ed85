#include "train/evaluation_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace bkd {
namespace {

constexpr std::string_view eval_schema = "bkd.eval/1";

// Null: there is no such number. A number that is none, as of a class without samples, is "nan".
std::optional<double> number_in(const Json& object, std::string_view key) {
    const Json& value = object.at(key);
    if (value.is_null()) return std::nullopt;
    return value.number();
}

Json record_json(const EvaluationRecord& record) {
    const Metrics& m = record.metrics;
    Json::Object object{{"model", record.model},  {"network", record.network},
                        {"data", record.data},    {"split", record.split},
                        {"n", m.count},           {"loss", m.loss},
                        {"top1", m.top1},         {"top5", Json::or_null(m.top5)},
                        {"balanced", m.balanced}, {"macro_f1", m.macro_f1}};
    for (const Shot shot : all_shots) object.emplace_back(std::string(name_of(shot)), Json::or_null(m.shot(shot)));
    object.emplace_back("groups", Json::Array{record.groups.many, record.groups.few});
    object.emplace_back("nonfinite", m.nonfinite);
    if (record.epoch) object.emplace_back("epoch", *record.epoch);
    object.emplace_back("classes", Json::array(record.class_names));
    object.emplace_back("class_counts", Json::array(record.class_counts));
    object.emplace_back("class_samples", Json::array(m.class_samples));
    object.emplace_back("per_class", Json::array(m.per_class));
    object.emplace_back("confusion", Json::array(m.confusion));
    if (!m.calibration.empty()) object.emplace_back("calibration", calibration_json(m.calibration));
    return object;
}

[[noreturn]] void fail(const std::string& where, const std::string& what) {
    throw InputError({.id = 404, .what = what, .at = printable(where), .try_ = "bkd eval --json writes such a file"});
}

// Bins hold all samples whose logits are numbers, each those of its confidence.
std::vector<ConfidenceBin> parse_calibration(const Json& object, const Metrics& metrics, const std::string& where) {
    const std::vector<std::int64_t> samples = object.at("samples").integers(), hits = object.at("hits").integers();
    const Json::Array& confidence = object.at("confidence").elements();
    if (samples.size() != confidence_bins || hits.size() != confidence_bins || confidence.size() != confidence_bins)
        fail(where, fmt::format("calibration must have {} bins", confidence_bins));
    if (metrics.nonfinite < 0 || metrics.count < metrics.nonfinite)
        fail(where, fmt::format("{} of {} samples are nonfinite", metrics.nonfinite, metrics.count));
    std::vector<ConfidenceBin> bins;
    std::int64_t left = metrics.count - metrics.nonfinite;
    for (std::size_t b = 0; b < confidence_bins; ++b) {
        const ConfidenceBin bin{samples[b], hits[b], confidence[b].number()};
        bins.push_back(bin);
        // A mean of values at an edge may lie beyond it by its rounding.
        const double low = static_cast<double>(b) / confidence_bins - 1e-6, high = low + 1.0 / confidence_bins + 2e-6;
        if (bin.hits < 0 || bin.samples < bin.hits || bin.samples > left ||
            (bin.samples > 0 && !(bin.confidence >= low && bin.confidence <= high)))
            fail(where, fmt::format("bin {} of calibration has {} hits in {} samples of mean confidence {}", b + 1,
                                    bin.hits, bin.samples, bin.confidence));
        left -= bin.samples;
    }
    if (left != 0) fail(where, fmt::format("{} samples are in no bin of calibration", left));
    return bins;
}

// Every row of the confusion matrix counts at most the samples of its class.
void check_counts(const EvaluationRecord& record, const std::string& where) {
    const Metrics& m = record.metrics;
    const std::size_t classes = record.class_names.size();
    const auto is_of_classes = [&](std::size_t n) { return n == classes; };
    if (classes == 0 || !is_of_classes(m.class_samples.size()) || !is_of_classes(m.per_class.size()) ||
        (!record.class_counts.empty() && !is_of_classes(record.class_counts.size())) ||
        m.confusion.size() != classes * classes)
        fail(where,
             fmt::format("classes, class_samples, per_class and confusion are not of the same {} classes", classes));
    constexpr std::int64_t most = std::int64_t{1} << 40;  // sums of so many classes stay whole numbers
    const auto is_count = [](std::int64_t n) { return n >= 0 && n <= most; };
    if (!std::ranges::all_of(m.confusion, is_count) || !std::ranges::all_of(m.class_samples, is_count) ||
        !std::ranges::all_of(record.class_counts, is_count))
        fail(where, "a count is outside 0..2^40");
    for (std::size_t c = 0; c < classes; ++c) {
        const auto row = m.confusion.begin() + static_cast<std::ptrdiff_t>(c * classes);
        const std::int64_t predicted =
            std::accumulate(row, row + static_cast<std::ptrdiff_t>(classes), std::int64_t{0});
        if (predicted > m.class_samples[c])
            fail(where,
                 fmt::format("row {} of confusion counts {}, class_samples {}", c, predicted, m.class_samples[c]));
    }
}

}

Json calibration_json(std::span<const ConfidenceBin> bins) {
    const auto column = [&](auto member) {
        Json::Array values;
        for (const ConfidenceBin& bin : bins) values.emplace_back(bin.*member);
        return values;
    };
    return Json::Object{{"ece", expected_calibration_error(bins)},
                        {"samples", column(&ConfidenceBin::samples)},
                        {"hits", column(&ConfidenceBin::hits)},
                        {"confidence", column(&ConfidenceBin::confidence)}};
}

Json evaluation_document(std::span<const EvaluationRecord> records) {
    Json::Array models;
    for (const EvaluationRecord& record : records) models.push_back(record_json(record));
    return Json::Object{{"schema", std::string(eval_schema)}, {"models", models}};
}

EvaluationRecord parse_evaluation(const Json& document, const std::string& where) {
    const Json* schema = document.is_object() ? document.find("schema") : nullptr;
    if (schema == nullptr || !schema->is_text() || schema->text() != eval_schema)
        throw InputError(
            {.id = 1006,
             .what = schema != nullptr && schema->is_text() ? "schema is " + printable(schema->text()) : "no schema",
             .at = printable(where),
             .why = fmt::format("this version reads {}", eval_schema)});
    const Json::Array& models = document.at("models").elements();
    if (models.size() != 1) fail(where, fmt::format("{} models where one belongs", models.size()));
    const Json& object = models.front();
    EvaluationRecord record{.model = object.at("model").text(),
                            .network = object.at("network").text(),
                            .data = object.at("data").text(),
                            .split = object.at("split").text(),
                            .class_names = object.at("classes").texts(),
                            .class_counts = object.at("class_counts").integers()};
    if (const Json* epoch = object.find("epoch")) record.epoch = epoch->integer();
    const std::vector<std::int64_t> groups = object.at("groups").integers();
    if (groups.size() != 2) fail(where, "groups must be [many, few]");
    record.groups = {.many = groups[0], .few = groups[1]};
    Metrics& m = record.metrics;
    m.count = object.at("n").integer();
    m.nonfinite = object.at("nonfinite").integer();
    m.loss = object.at("loss").number();
    m.top1 = object.at("top1").number();
    m.top5 = number_in(object, "top5");
    m.balanced = object.at("balanced").number();
    m.macro_f1 = object.at("macro_f1").number();
    for (const Shot shot : all_shots) m.shots[static_cast<std::size_t>(shot)] = number_in(object, name_of(shot));
    for (const Json& accuracy : object.at("per_class").elements()) m.per_class.push_back(accuracy.number());
    m.class_samples = object.at("class_samples").integers();
    m.confusion = object.at("confusion").integers();
    if (const Json* calibration = object.find("calibration")) m.calibration = parse_calibration(*calibration, m, where);
    check_counts(record, where);
    // A hit is a prediction of the own class: ties go to the lower class in both.
    for (std::size_t c = 0; c < record.class_names.size(); ++c)
        m.class_hits.push_back(m.confusion[c * (record.class_names.size() + 1)]);
    return record;
}

}
