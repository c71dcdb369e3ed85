// The page as a whole, and its numbers as JSON.
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <cmath>

namespace bkd {
namespace {

Json series_json(const Series& series) {
    Json::Object object{{"stage", series.stage->name},
                        {"method", series.stage->method},
                        {"network", series.stage->network},
                        {"split", series.split()}};
    const std::optional<Headline> headline = headline_of(series);
    if (!headline) return object;
    const Metrics& m = headline->last;
    object.emplace_back("epoch", headline->epoch);
    object.emplace_back("epochs", headline->epochs);
    object.emplace_back("top1", m.top1);
    object.emplace_back("balanced", m.balanced);
    object.emplace_back("macro_f1", Json::or_null(headline->macro_f1));
    for (const Shot shot : all_shots) object.emplace_back(std::string(name_of(shot)), Json::or_null(m.shot(shot)));
    if (headline->best)
        object.emplace_back("best", Json::Object{{"epoch", headline->best->epoch},
                                                 {"value", headline->best->value},
                                                 {"chosen_on", series.split()}});
    object.emplace_back("paper", Json::or_null(headline->paper));
    object.emplace_back("difference", Json::or_null(headline->difference));
    Json::Array intervals;
    if (const EvaluationRecord* e = series.evaluation())
        for (std::size_t c = 0; c < e->class_names.size(); ++c) {
            const Interval i =
                wilson_interval(static_cast<double>(e->metrics.class_hits[c]), e->metrics.class_samples[c]);
            intervals.push_back(Json::Array{i.low, i.high});
        }
    object.emplace_back("per_class", Json::array(accuracy_by_class(series)));
    object.emplace_back("intervals", std::move(intervals));
    if (const std::span<const ConfidenceBin> bins = series.calibration(); !bins.empty())
        object.emplace_back("calibration", calibration_json(bins));
    if (const std::vector<double>* norms = series.norms()) object.emplace_back("classifier_norms", Json::array(*norms));
    if (const StageStudy* study = series.study())
        for (Json::Member& member : study_json(*study)) object.push_back(std::move(member));
    return object;
}

std::string title_of(std::span<const ReportedRun> runs) {
    if (runs.size() == 1) return runs.front().record.name();
    std::string title;
    for (const ReportedRun& run : runs) title += (title.empty() ? "" : ", ") + run.label;
    return title;
}

}

std::string report_page(std::span<const ReportedRun> runs) {
    const std::vector<Series> series = series_of(runs);
    const std::vector<ClassGroup> groups = class_groups(series);
    const std::string title = title_of(runs);
    const std::string body = headline_section(runs, series) + curves_section(series) + classes_section(groups) +
                             confusion_section(groups) + calibration_section(series) + gradients_section(groups) +
                             teacher_section(groups) + environment_section(runs, series) + recipe_section(runs);
    return html_page(title,
                     fmt::format("<h1>{}</h1>\n<p class=\"soft\">{}</p>\n{}", escaped(title),
                                 runs.size() == 1 ? "A run and its stages"
                                                  : fmt::format("{} runs, each with its last stage", runs.size()),
                                 body));
}

Json report_json(std::span<const ReportedRun> runs, const std::string& path) {
    Json::Array all;
    for (const ReportedRun& run : runs) {
        Json::Array stages, missing = Json::array(run.missing).elements();
        for (const std::string& what : run.study.missing) missing.emplace_back(what);
        for (const StageRecord& stage : run.record.stages) stages.push_back(series_json({&run, &stage, stage.name}));
        all.push_back(Json::Object{{"run", run.record.path.string()},
                                   {"name", run.record.name()},
                                   {"state", run.record.state()},
                                   {"config_hash", run.record.facts.at("config_hash")},
                                   {"stages", std::move(stages)},
                                   {"log_lacks", run.record.damage.missing},
                                   {"log_holds", run.record.damage.held},
                                   {"missing", std::move(missing)}});
    }
    return Json::Object{
        {"schema", "bkd.report/1"}, {"report", path}, {"runs", std::move(all)}, {"seeds", seeds_json(series_of(runs))}};
}

}
