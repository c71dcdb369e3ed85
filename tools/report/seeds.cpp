// Spread over seeds: runs of one recipe that differ in the seed alone, and what that says of the paper's single runs.
#include "tools/report/html.h"
#include "tools/report/report.h"
#include "train/schema.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

std::int64_t seed_of(const Series& series) { return series.run->record.facts.at("seed").integer(); }

// The values that decide results, but the seed.
std::vector<std::pair<std::string, std::string>> deciding_values(const RunRecord& run) {
    std::vector<std::pair<std::string, std::string>> values;
    for (const RecipeLine& line : run.recipe) {
        const Key* key = find_key(line.key);
        const bool decides = key == nullptr || key->effect == KeyEffect::result;
        if (line.is_used && decides && line.key != "run.seed") values.emplace_back(line.key, line.value);
    }
    std::ranges::sort(values);
    return values;
}

bool is_same_but_for_seed(const Series& a, const Series& b) {
    const auto data_of = [](const Series& s) {
        const Json* sha = s.run->record.facts.at("data").find("sha256");
        return sha == nullptr ? Json() : *sha;
    };
    return a.stage->name == b.stage->name && data_of(a) == data_of(b) &&
           deciding_values(a.run->record) == deciding_values(b.run->record);
}

struct Number {
    const char *title, *key;
    std::optional<double> (*of)(const Series& series, const Headline& headline);
};

constexpr Number numbers[] = {
    {"last epoch", "top1", [](const Series&, const Headline& h) { return std::optional(h.last.top1); }},
    {"top-5", "top5", [](const Series&, const Headline& h) { return h.last.top5; }},
    {"balanced", "balanced", [](const Series&, const Headline& h) { return std::optional(h.last.balanced); }},
    {"macro-F1", "macro_f1", [](const Series&, const Headline& h) { return h.macro_f1; }},
    {"many", "many", [](const Series&, const Headline& h) { return h.last.shot(Shot::many); }},
    {"medium", "medium", [](const Series&, const Headline& h) { return h.last.shot(Shot::medium); }},
    {"few", "few", [](const Series&, const Headline& h) { return h.last.shot(Shot::few); }},
    {"ECE", "ece",
     [](const Series& s, const Headline&) { return std::optional(expected_calibration_error(s.calibration())); }},
};

// Over those of the group's series that have the number.
std::optional<Spread> spread_over(const SeedGroup& group, const Number& number) {
    std::vector<double> values;
    for (const Series* s : group.series)
        if (const std::optional<double> value = number.of(*s, *headline_of(*s)); value && std::isfinite(*value))
            values.push_back(*value);
    return spread_of(values);
}

std::string spread_text(const std::optional<Spread>& spread, std::size_t seeds) {
    if (!spread) return "-";
    std::string text = percent_text(spread->mean);
    if (spread->deviation) text += fmt::format(" <span class=\"soft\">\u00B1 {:.2f}</span>", *spread->deviation);
    if (spread->n < seeds) text += fmt::format(" <span class=\"soft\">of {}</span>", spread->n);
    return text;
}

std::string table_of(std::span<const SeedGroup> groups) {
    HtmlTable table{.rows = {{"over seeds", "seeds"}},
                    .caption = "Mean and sample standard deviation over the seeds, in percent."};
    for (const Number& number : numbers) table.rows.front().emplace_back(number.title);
    for (const SeedGroup& group : groups) {
        if (group.series.size() < 2) continue;
        std::vector<std::string> row{escaped(group.label()), fmt::format("{}", group.series.size())};
        for (const Number& number : numbers)
            row.push_back(spread_text(spread_over(group, number), group.series.size()));
        table.rows.push_back(std::move(row));
    }
    return table.rows.size() > 1 ? table.str() : "";
}

std::string verdict_of(const SeedGroup& group) {
    return fmt::format(
        "<p>{}: the mean over {} seeds differs from the paper\u2019s {} ({}) by {}. That is {} the spread, "
        "one standard deviation of {:.2f}.</p>\n",
        escaped(group.label()), group.series.size(), percent_text(group.paper()),
        escaped(headline_of(*group.series.front())->paper_says), difference_text(group.difference()),
        *group.is_within() ? "within" : "outside", *group.top1()->deviation);
}

}

std::optional<Spread> spread_of(std::span<const double> values) {
    if (values.empty()) return std::nullopt;
    const auto n = static_cast<double>(values.size());
    Spread spread{.n = values.size()};
    for (const double v : values) spread.mean += v / n;
    double squares = 0;
    for (const double v : values) squares += (v - spread.mean) * (v - spread.mean);
    if (values.size() > 1) spread.deviation = std::sqrt(squares / (n - 1));
    return spread;
}

std::string SeedGroup::label() const {
    std::string all;
    for (const Series* s : series) all += (all.empty() ? "" : ", ") + s->label;
    return all;
}

std::optional<Spread> SeedGroup::top1() const { return spread_over(*this, numbers[0]); }

std::optional<double> SeedGroup::paper() const {
    return series.empty() ? std::nullopt : headline_of(*series.front())->paper;
}

std::optional<double> SeedGroup::difference() const {
    const std::optional<double> cell = paper();
    return cell ? std::optional(top1()->mean - *cell) : std::nullopt;
}

std::optional<bool> SeedGroup::is_within() const {
    const std::optional<double> by = difference();
    if (!by || !top1()->deviation) return std::nullopt;
    return std::abs(*by) <= *top1()->deviation;
}

std::vector<SeedGroup> seed_groups(std::span<const Series> series) {
    struct Seen {
        const Series* first;
        SeedGroup group;
    };
    std::vector<Seen> seen;
    for (const Series& s : series) {
        auto same =
            std::ranges::find_if(seen, [&](const Seen& other) { return is_same_but_for_seed(*other.first, s); });
        if (same == seen.end()) same = seen.insert(seen.end(), {&s, {}});
        SeedGroup& group = same->group;
        if (!s.stage->is_finished || !headline_of(s))
            group.left_out.push_back(s.label + ": it has not ended");
        else if (std::ranges::any_of(group.series, [&](const Series* other) { return seed_of(*other) == seed_of(s); }))
            group.left_out.push_back(fmt::format("{}: seed {} once more", s.label, seed_of(s)));
        else
            group.series.push_back(&s);
    }
    std::vector<SeedGroup> groups;
    for (Seen& s : seen) groups.push_back(std::move(s.group));
    return groups;
}

std::string seeds_part(std::span<const Series> series) {
    const std::vector<SeedGroup> groups = seed_groups(series);
    std::string out = table_of(groups), single, left_out;
    int singles = 0;
    for (const SeedGroup& group : groups) {
        if (group.is_within()) out += verdict_of(group);
        if (group.series.size() == 1 && group.paper()) single += (singles++ > 0 ? ", " : "") + group.label();
        for (const std::string& what : group.left_out)
            if (!group.series.empty()) left_out += (left_out.empty() ? "" : "; ") + what;
    }
    if (!single.empty())
        out += fmt::format("<p class=\"soft\">{}: one seed{}, so no spread is known: whether the difference from the "
                           "paper is more than chance cannot be told.</p>\n",
                           escaped(single), singles > 1 ? " each" : "");
    if (!left_out.empty())
        out += fmt::format("<p class=\"soft\">Not counted among the seeds: {}.</p>\n", escaped(left_out));
    return out;
}

Json seeds_json(std::span<const Series> series) {
    Json::Array all;
    for (const SeedGroup& group : seed_groups(series)) {
        if (group.series.empty()) continue;
        Json::Array runs, seeds;
        for (const Series* s : group.series) runs.emplace_back(s->run->record.name()), seeds.emplace_back(seed_of(*s));
        Json::Object object{
            {"runs", std::move(runs)}, {"stage", group.series.front()->stage->name}, {"seeds", std::move(seeds)}};
        for (const Number& number : numbers)
            if (const std::optional<Spread> spread = spread_over(group, number))
                object.emplace_back(number.key, Json::Object{{"n", static_cast<std::int64_t>(spread->n)},
                                                             {"mean", spread->mean},
                                                             {"deviation", Json::or_null(spread->deviation)}});
        object.emplace_back("paper", Json::or_null(group.paper()));
        object.emplace_back("difference", Json::or_null(group.difference()));
        object.emplace_back("within_spread", group.is_within() ? Json(*group.is_within()) : Json());
        all.push_back(std::move(object));
    }
    return all;
}

}
