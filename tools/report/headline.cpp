// What a reader looks for first: the last epoch, the best beside it, and the paper's cell.
#include "tools/report/html.h"
#include "tools/report/report.h"

namespace bkd {
namespace {

std::string state_of(const RunRecord& run, const Series& series, const std::optional<Headline>& headline) {
    std::string progress = headline ? fmt::format("epoch {}", headline->epoch) : std::string("no evaluation yet");
    if (headline && headline->epochs > 0) progress += fmt::format(" of {}", headline->epochs);
    if (headline && !headline->is_logged)
        return fmt::format("last {}, not in the log: from {}", progress,
                           series.evaluation() ? "its evaluation\u2019s file" : "run.json");
    if (!run.damage.missing.empty() && !series.stage->is_finished)
        return fmt::format("{}; the last that the log holds: {} of {}", run.state(), progress, series.stage->name);
    if (run.state() == "done") return headline ? "last " + progress : progress;
    return fmt::format("{}, {} of {} at {}", run.state(), progress, series.stage->name, run.time);
}

std::string card(const Series& series, std::size_t runs) {
    const RunRecord& run = series.run->record;
    const std::optional<Headline> headline = headline_of(series);
    std::string out = fmt::format("<div class=\"card s{}\"><div class=\"name\">{}</div>", series.look.colour,
                                  escaped(runs == 1 ? series.stage->name : series.label));
    out += fmt::format("<div class=\"number\">{} <small>% top-1 on {}</small></div>",
                       headline ? percent_text(headline->last.top1) : "-", escaped(series.split()));
    std::string trained;
    for (const std::string& what : {series.stage->method, series.stage->network, run.text("data.name")})
        if (!what.empty()) trained += (trained.empty() ? "" : ", ") + what;  // a log may have lost the first two
    out += fmt::format("<div class=\"soft\">{}<br>{}</div></div>\n", escaped(trained),
                       escaped(state_of(run, series, headline)));
    return out;
}

std::vector<std::string> row_of(const Series& series) {
    const std::string name =
        fmt::format("<span class=\"swatch s{}\"></span>{}", series.look.colour, escaped(series.label));
    const std::optional<Headline> h = headline_of(series);
    if (!h) return {name, "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"};
    const Metrics& m = h->last;
    const std::string best =
        h->best ? fmt::format("{} <span class=\"soft\">epoch {}</span>", percent_text(h->best->value), h->best->epoch)
                : "-";
    const std::string paper =
        h->paper ? fmt::format("{}<br><span class=\"soft\">{}</span>", percent_text(h->paper), escaped(h->paper_says))
                 : "-";
    return {name,
            "<strong>" + percent_text(m.top1) + "</strong>",
            percent_text(m.top5),
            percent_text(m.balanced),
            percent_text(h->macro_f1),
            percent_text(m.shot(Shot::many)),
            percent_text(m.shot(Shot::medium)),
            percent_text(m.shot(Shot::few)),
            percent_text(expected_calibration_error(series.calibration())),
            best,
            paper,
            difference_text(h->difference)};
}

}

std::string headline_section(std::span<const ReportedRun> runs, std::span<const Series> series) {
    std::string out;
    for (const ReportedRun& run : runs)
        if (const LogDamage& damage = run.record.damage; !damage.missing.empty())
            out +=
                fmt::format("<p class=\"warning\">{}: <strong>log.jsonl is not whole.</strong> Missing: {}. It holds "
                            "{}. Curves show what it holds.</p>\n",
                            escaped(run.label), escaped(damage.missing), escaped(damage.held));
    out += "<div class=\"cards\">\n";
    for (const Series& s : series) out += card(s, runs.size());
    out += "</div>\n";
    const std::string split = series.empty() ? "test" : series.front().split();
    HtmlTable table{.rows = {{"percent", "last epoch", "top-5", "balanced", "macro-F1", "many", "medium", "few", "ECE",
                              "best, chosen on " + escaped(split), "paper", "difference"}}};
    for (const Series& s : series) table.rows.push_back(row_of(s));
    out += table.str();
    out += seeds_part(series);
    for (const Series& s : series)
        if (s.split() == "test" && s.stage->best) {
            out += "<p class=\"warning\">The best epoch was chosen on the test split: it says how well the test images "
                   "were picked for, not how well a new image is judged. The last epoch is the result.</p>\n";
            break;
        }
    for (const Series& s : series)
        if (const auto h = headline_of(s); h && !h->paper)
            out += fmt::format("<p class=\"soft\">{}: the paper has no cell for {}.</p>\n", escaped(s.label),
                               escaped(h->paper_says));
    out += "<p class=\"soft\">Many, medium, few: classes by their number of training images. ECE: the expected "
           "calibration error. The paper\u2019s numbers are single runs.</p>\n";
    for (const ReportedRun& run : runs) {
        for (const std::string& warning : run.record.warnings)
            out += fmt::format("<p class=\"warning\">{}: {}</p>\n", escaped(run.label), escaped(warning));
        if (const Json* error = run.record.facts.find("error"))
            out += fmt::format("<p class=\"warning\">{} failed: {}</p>\n", escaped(run.label),
                               escaped(error->at("what").text()));
    }
    return out;
}

}
