// How the runs came about: environment, data, and the recipe with the origin of each value.
#include "tools/report/html.h"
#include "tools/report/report.h"

#include <algorithm>
#include <set>

namespace bkd {
namespace {

std::string fact(const Json& facts, std::string_view key) {
    const Json* value = facts.find(key);
    if (value == nullptr || value->is_null()) return "-";
    if (value->is_text()) return escaped(value->text());
    if (value->is_boolean()) return value->boolean() ? "yes" : "no";
    return escaped(value->dump());
}

std::string command_of(const Json& facts) {
    const Json* words = facts.find("argv");
    std::string out;
    if (words == nullptr || !words->is_array()) return "-";
    for (const Json& word : words->elements())
        out += (out.empty() ? "" : " ") + (word.is_text() ? word.text() : word.dump());
    return "<code>" + escaped(out) + "</code>";
}

std::string files_of(const Json& data) {
    std::string out;
    if (const Json* files = data.find("files"))
        for (const Json& file : files->elements())
            out += fmt::format("{}<code>{}</code> <span class=\"soft\">sha256 {}</span>", out.empty() ? "" : "<br>",
                               escaped(file.at("path").text()), escaped(shortened(file.at("sha256").text(), 13)));
    return out.empty() ? "-" : out;
}

std::string data_of(const RunRecord& run) {
    const Json& data = run.facts.at("data");
    const std::vector<std::int64_t> counts = run.class_counts();
    if (counts.empty()) return fact(data, "n");
    return fmt::format("{}: {} training images of {}, {} to {} each", escaped(run.text("data.name")), fact(data, "n"),
                       plural(static_cast<std::int64_t>(counts.size()), "class"), std::ranges::max(counts),
                       std::ranges::min(counts));
}

std::string stages_of(const RunRecord& run) {
    std::string out;
    for (const StageRecord& stage : run.stages)
        out += fmt::format("{}{}: {}, {} of {} epochs", out.empty() ? "" : "<br>", escaped(stage.name),
                           stage.method.empty() ? "its beginning is not in the log"
                                                : fmt::format("{}, {}, {} parameters", escaped(stage.method),
                                                              escaped(stage.network), stage.parameters),
                           stage.done.empty() ? 0 : stage.done.back().epoch,
                           stage.epochs > 0 ? fmt::format("{}", stage.epochs) : "unknown");
    return out.empty() ? "-" : out;
}

std::vector<std::string> head_of(std::span<const ReportedRun> runs, std::string first) {
    std::vector<std::string> row{std::move(first)};
    for (const ReportedRun& run : runs) row.push_back(escaped(run.label));
    return row;
}

// Value and origin of a key as the run's recipe has them; empty where it has none that counts.
std::string value_of(const RunRecord& run, const std::string& key) {
    const RecipeLine* line = run.find(key);
    return line == nullptr || !line->is_used ? std::string() : line->value;
}

std::string differences(std::span<const ReportedRun> runs) {
    HtmlTable table{.rows = {head_of(runs, "key")}, .caption = "Where the recipes differ", .has_text_cells = true};
    std::set<std::string> seen;
    for (const ReportedRun& any : runs)
        for (const RecipeLine& line : any.record.recipe) {
            if (!seen.insert(line.key).second || line.key.starts_with("run.name") || line.key.starts_with("run.dir"))
                continue;
            const std::string first = value_of(runs.front().record, line.key);
            if (std::ranges::all_of(runs,
                                    [&](const ReportedRun& run) { return value_of(run.record, line.key) == first; }))
                continue;
            std::vector<std::string> row{"<code>" + escaped(line.key) + "</code>"};
            for (const ReportedRun& run : runs) {
                const std::string value = value_of(run.record, line.key);
                row.push_back(value.empty() ? "<span class=\"soft\">not used</span>"
                                            : fmt::format("<code>{}</code> <span class=\"soft\">{}</span>",
                                                          escaped(value), escaped(run.record.find(line.key)->origin)));
            }
            table.rows.push_back(std::move(row));
        }
    return table.rows.size() > 1 ? table.str() : "<p class=\"soft\">The recipes have the same values.</p>\n";
}

std::string whole_recipe(const ReportedRun& run) {
    HtmlTable table{.rows = {{"key", "value", "from"}}, .has_text_cells = true};
    std::size_t unused = 0;
    for (const RecipeLine& line : run.record.recipe) {
        if (!line.is_used) {
            ++unused;
            continue;
        }
        table.rows.push_back({"<code>" + escaped(line.key) + "</code>", "<code>" + escaped(line.value) + "</code>",
                              escaped(line.origin)});
    }
    const std::string summary = fmt::format("{}: recipe {}, {} values", escaped(run.label),
                                            fact(run.record.facts, "recipe"), table.rows.size() - 1);
    return html_details(summary,
                        table.str() + fmt::format("<p class=\"soft\">{} defaults that this run does not read are "
                                                  "left out.</p>\n",
                                                  unused));
}

}

std::string environment_section(std::span<const ReportedRun> runs, std::span<const Series> series) {
    HtmlTable table{.rows = {head_of(runs, "")}, .has_text_cells = true};
    const auto add = [&](const char* name, auto value) {
        std::vector<std::string> row{name};
        for (const ReportedRun& run : runs) row.push_back(value(run.record));
        table.rows.push_back(std::move(row));
    };
    const auto of_facts = [](const char* key) { return [key](const RunRecord& run) { return fact(run.facts, key); }; };
    add("run", of_facts("name"));
    add("command", [](const RunRecord& run) { return command_of(run.facts); });
    add("state", of_facts("state"));
    add("begun", of_facts("start"));
    add("ended", of_facts("end"));
    add("processes, one after another", of_facts("segments"));
    add("stages", stages_of);
    add("data", data_of);
    add("files", [](const RunRecord& run) { return files_of(run.facts.at("data")); });
    add("seed", of_facts("seed"));
    add("deterministic", of_facts("deterministic"));
    add("device", of_facts("device"));
    add("dtype", of_facts("dtype"));
    add("TF32", of_facts("tf32"));
    add("program", [](const RunRecord& run) {
        return fmt::format("bkd {}, commit {}", fact(run.facts, "version"), fact(run.facts, "commit"));
    });
    add("compiler", of_facts("compiler"));
    add("recipe\u2019s hash",
        [](const RunRecord& run) { return "<code>" + fact(run.facts, "config_hash") + "</code>"; });
    std::string missing;
    for (const Series& s : series)
        if (s.evaluation() != nullptr && s.calibration().empty())
            missing += fmt::format("<li>{}: calibration: the evaluation was written by an earlier version, without "
                                   "confidences, and was not made again</li>\n",
                                   escaped(s.label));
    for (const Series& s : series)
        if (const EpochRecord* last = s.stage->last_evaluated(); last != nullptr && s.evaluation() == nullptr)
            missing +=
                fmt::format("<li>{}: confusion matrix and intervals: there is no evaluation file of epoch {}; one "
                            "is written when the stage ends</li>\n",
                            escaped(s.label), last->epoch);
    for (const ReportedRun& run : runs) {
        std::vector<std::string> all = run.missing;
        all.insert(all.end(), run.study.missing.begin(), run.study.missing.end());
        for (const std::string& what : all)
            missing += fmt::format("<li>{}: {}</li>\n", escaped(run.label), escaped(what));
    }
    if (!missing.empty())
        missing = "<h3>What is not on this page, and why</h3>\n<ul class=\"soft\">\n" + missing + "</ul>\n";
    return html_section("environment", "Where the numbers come from", missing + table.str());
}

std::string recipe_section(std::span<const ReportedRun> runs) {
    std::string out = runs.size() > 1 ? differences(runs) : "";
    for (const ReportedRun& run : runs) out += whole_recipe(run);
    return html_section("recipe", "Recipes", out);
}

}
