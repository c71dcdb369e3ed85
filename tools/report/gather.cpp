// What the sections of a report share: names of runs, series, groups of classes, the headline.
#include "data/dataset.h"
#include "tools/report/html.h"
#include "tools/report/report.h"
#include "train/classifier_norms.h"
#include "train/paper_cells.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

namespace bkd {
namespace {

constexpr std::size_t longest_label = 16;

using Bins = std::span<const ConfidenceBin>;

// "a", "_b", "-c" of "a_b-c".
std::vector<std::string> words_of(const std::string& name) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t end = std::min(name.find_first_of("_-.", at + 1), name.size());
        words.push_back(name.substr(at, end - at));
        at = end;
    }
    return words;
}

bool is_separator(char c) { return std::string_view("_-.").find(c) != std::string_view::npos; }

std::string without_separator(const std::string& word) {
    return word.size() > 1 && is_separator(word.front()) ? word.substr(1) : word;
}

// The words of a name that some other run's lacks; without any the last one.
std::string telling_part(const std::vector<std::string>& words, const std::vector<std::set<std::string>>& all) {
    std::string part;
    for (const std::string& word : words)
        if (!std::ranges::all_of(all, [&](const auto& others) { return others.contains(without_separator(word)); }))
            part += word;
    return without_separator(part.empty() && !words.empty() ? words.back() : part);
}

// The end tells more than the beginning.
std::string end_of(const std::string& label) {
    if (label.size() <= longest_label) return label;
    std::size_t at = label.size() - (longest_label - 1);
    while (at < label.size() && (static_cast<unsigned char>(label[at]) & 0xC0) == 0x80) ++at;  // whole characters
    return "\u2026" + label.substr(at);
}

double number_in(const RunRecord& run, std::string_view key, double otherwise) {
    const RecipeLine* line = run.find(key);
    double value = otherwise;
    if (line != nullptr) std::from_chars(line->value.data(), line->value.data() + line->value.size(), value);
    return value;
}

std::vector<std::string> names_of_classes(const Series& series) {
    if (const EvaluationRecord* evaluation = series.evaluation()) return evaluation->class_names;
    std::vector<std::string> names;
    for (const DatasetEntry& entry : datasets())
        if (entry.name == series.run->record.text("data.name")) names = entry.describe({}).class_names;
    const std::size_t classes = accuracy_by_class(series).size();
    if (names.size() != classes) {
        names.clear();
        for (std::size_t c = 0; c < classes; ++c) names.push_back(fmt::format("class {}", c));
    }
    return names;
}

ShotThresholds thresholds_of(const Series& series) {
    if (const EvaluationRecord* evaluation = series.evaluation()) return evaluation->groups;
    const RecipeLine* line = series.run->record.find("eval.groups");
    if (line == nullptr) return {};
    const std::vector<std::int64_t> groups = Json::parse(line->value, "eval.groups").integers();
    return groups.size() == 2 ? ShotThresholds{groups[0], groups[1]} : ShotThresholds{};
}

}

void label_runs(std::span<ReportedRun> runs) {
    std::vector<std::set<std::string>> all;
    for (const ReportedRun& run : runs) {
        all.emplace_back();
        for (const std::string& word : words_of(run.record.name())) all.back().insert(without_separator(word));
    }
    std::set<std::string> taken;
    for (ReportedRun& run : runs) {
        const std::string name = run.record.name();
        const std::string label = runs.size() == 1 ? name : end_of(telling_part(words_of(name), all));
        run.label = label;
        for (int n = 2; !taken.insert(run.label).second; ++n) run.label = fmt::format("{} ({})", label, n);
    }
}

const EvaluationRecord* Series::evaluation() const {
    const std::string model = stage->name + ".last";
    const EvaluationRecord* record = run->record.evaluation(model);
    for (const EvaluationRecord& made : run->study.evaluations)
        if (record == nullptr && made.model == model) record = &made;
    // A run that went on to more epochs has an earlier one's until it ends again.
    const EpochRecord* last = stage->last_evaluated();
    return record != nullptr && last != nullptr && record->epoch == last->epoch ? record : nullptr;
}

const StageStudy* Series::study() const {
    const auto found = std::ranges::find(run->study.stages, stage->name, &StageStudy::stage);
    return found == run->study.stages.end() ? nullptr : &*found;
}

const std::vector<double>* Series::norms() const {
    const auto found = run->norms.find(stage->name);
    return found == run->norms.end() ? nullptr : &found->second;
}

std::span<const ConfidenceBin> Series::calibration() const {
    const EvaluationRecord* kept = evaluation();
    if (kept == nullptr || !kept->metrics.calibration.empty()) return kept ? kept->metrics.calibration : Bins{};
    const auto again = std::ranges::find(run->study.evaluations, kept->model, &EvaluationRecord::model);
    return again == run->study.evaluations.end() ? Bins{} : again->metrics.calibration;
}

void read_norms(ReportedRun& run, bool only_last_stage) {
    const std::vector<StageRecord>& stages = run.record.stages;
    for (const StageRecord& stage : stages) {
        if (only_last_stage && &stage != &stages.back()) continue;
        const auto say = [&](const std::string& why) {
            run.missing.push_back(fmt::format("norms of the classifier by class, stage {}: {}", stage.name, why));
        };
        if (!stage.is_finished) {
            say("it has not ended yet");
            continue;
        }
        try {
            run.norms[stage.name] = classifier_norms(run.record.model_path(stage.name, "last"));
        } catch (const InputError& error) { say(fmt::format("{} ({})", error.parts().what, error.parts().at)); }
    }
}

std::vector<Series> series_of(std::span<const ReportedRun> runs) {
    std::vector<Series> all;
    for (const ReportedRun& run : runs) {
        const std::vector<StageRecord>& stages = run.record.stages;
        for (std::size_t i = runs.size() == 1 || stages.empty() ? 0 : stages.size() - 1; i < stages.size(); ++i) {
            const int place = static_cast<int>(all.size());
            // A later stage that has not come to its first evaluation leaves the one before it.
            const bool has_begun = stages[i].last_evaluated() != nullptr;
            const StageRecord& stage = has_begun || i == 0 || runs.size() == 1 ? stages[i] : stages[i - 1];
            const bool is_result = &stage == &stages.back() && run.record.state() == "done";
            all.push_back({&run, &stage,
                           runs.size() == 1 ? shortened(stage.name, longest_label)
                           : is_result      ? run.label
                                            : shortened(run.label + " " + stage.name, longest_label),
                           Look{place, place}});
        }
    }
    return all;
}

std::vector<double> accuracy_by_class(const Series& series) {
    const EpochRecord* last = series.stage->last_evaluated();
    return last == nullptr ? std::vector<double>{} : last->metrics->per_class;
}

std::vector<ClassGroup> class_groups(std::span<const Series> series) {
    std::vector<ClassGroup> groups;
    for (const Series& s : series) {
        if (accuracy_by_class(s).empty()) continue;
        const std::vector<std::string> names = names_of_classes(s);
        const EvaluationRecord* evaluation = s.evaluation();
        const std::vector<std::int64_t> counts = evaluation != nullptr && !evaluation->class_counts.empty()
                                                     ? evaluation->class_counts
                                                     : s.run->record.class_counts();
        if (counts.size() != names.size() || accuracy_by_class(s).size() != names.size()) continue;
        const auto same =
            std::ranges::find_if(groups, [&](const ClassGroup& g) { return g.names == names && g.counts == counts; });
        if (same != groups.end()) {
            same->series.push_back(&s);
            continue;
        }
        ClassGroup group{.title = fmt::format("{}, {}", s.run->record.text("data.name"),
                                              plural(static_cast<std::int64_t>(names.size()), "class")),
                         .names = names,
                         .counts = counts,
                         .thresholds = thresholds_of(s),
                         .series = {&s}};
        group.order.resize(names.size());
        std::iota(group.order.begin(), group.order.end(), std::size_t{0});
        std::ranges::stable_sort(group.order, [&](std::size_t a, std::size_t b) { return counts[a] > counts[b]; });
        groups.push_back(std::move(group));
    }
    return groups;
}

std::size_t ClassGroup::together() const { return (order.size() + 99) / 100; }

std::vector<double> ClassGroup::sorted(std::span<const double> values) const {
    std::vector<double> result;
    for (std::size_t first = 0; first < order.size(); first += together()) {
        double sum = 0, n = 0;
        for (std::size_t i = first; i < std::min(first + together(), order.size()); ++i)
            if (order[i] < values.size() && std::isfinite(values[order[i]])) sum += values[order[i]], ++n;
        result.push_back(n > 0 ? sum / n : std::nan(""));
    }
    return result;
}

std::vector<double> ClassGroup::ranks() const {
    std::vector<double> result;
    for (std::size_t first = 0; first < order.size(); first += together()) {
        const std::size_t end = std::min(first + together(), order.size());
        result.push_back(static_cast<double>(first + 1 + end) / 2);
    }
    return result;
}

bool ClassGroup::place_ticks(Axis& axis) const {
    const std::size_t classes = order.size();
    axis.range = {0.4, static_cast<double>(classes) + 0.6};
    if (classes <= 20) {
        for (std::size_t i = 0; i < classes; ++i)
            axis.ticks.push_back({static_cast<double>(i + 1), shortened(names[order[i]], 14)});
        return true;
    }
    for (std::size_t i = 0; i < 5; ++i) {
        const std::size_t at = i * (classes - 1) / 4;
        axis.ticks.push_back({static_cast<double>(at + 1), fmt::format("{}", at + 1)});
    }
    axis.title = together() > 1 ? fmt::format("classes by falling training count, means of {}", together())
                                : std::string("classes by falling training count");
    return false;
}

std::optional<Headline> headline_of(const Series& series) {
    const EpochRecord* last = series.stage->last_evaluated();
    if (last == nullptr) return std::nullopt;
    Headline result{.last = *last->metrics,
                    .is_logged = last->is_logged,
                    .epoch = last->epoch,
                    .epochs = series.stage->epochs,
                    .best = series.stage->best};
    if (const EvaluationRecord* evaluation = series.evaluation()) result.macro_f1 = evaluation->metrics.macro_f1;
    const RunRecord& run = series.run->record;
    const PaperSetting setting{.data = run.text("data.name"),
                               .network = series.stage->network,
                               .method = series.stage->method,
                               .imbalance = run.text("data.imbalance"),
                               .ratio = number_in(run, "data.imbalance_ratio", 0),
                               .mixes = number_in(run, "mixup.alpha", 0) > 0 && run.find("mixup.alpha")->is_used};
    if (const std::optional<PaperCell> cell = paper_cell(setting)) {
        result.paper = cell->top1;
        result.difference = last->metrics->top1 - cell->top1;
        result.paper_says = std::string(cell->table);
        if (series.stage->epochs != paper_epochs) result.paper_says += fmt::format(", {} epochs", paper_epochs);
    } else {
        result.paper_says = fmt::format("{} with {} by {}{}", setting.data, setting.network,
                                        setting.method.empty() ? "a method that the log does not say" : setting.method,
                                        setting.mixes && setting.method != "mixup" ? " and mixup" : "");
    }
    return result;
}

}
