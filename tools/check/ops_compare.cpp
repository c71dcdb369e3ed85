#include "tools/check/ops_compare.h"

#include "engine/file.h"
#include "kernels/cases/renamed.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

constexpr std::uint64_t most_bytes = 1 << 28;

// By "op dtype".
std::map<std::string, double> worst_ratios(const auto& records) {
    std::map<std::string, double> worst;
    for (const CaseRecord& record : records) {
        double& w = worst[record.op + " " + record.dtype];
        w = std::max(w, record.result.worst_ratio);
    }
    return worst;
}

// A normal distribution's standard deviation is 0.741 of its quartile range.
double spread(const CaseRecord& record) { return 0.741 * record.quartile_range_ns; }

}

EarlierRun EarlierRun::read(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path, most_bytes, "option --compare");
    const Json json = Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
    const Json* schema = json.is_object() ? json.find("schema") : nullptr;
    if (schema == nullptr || !schema->is_text() || schema->text() != "bkd.check-ops/1" || json.find("cases") == nullptr)
        throw InputError({.id = 404,
                          .what = "this JSON is no result of check-ops with its cases",
                          .at = path,
                          .try_ = "bkd check-ops --json > OLD.json"});
    EarlierRun run;
    for (const Json& row : json.at("cases").elements()) {
        CaseRecord record = record_from(row);
        const std::string id = kernels::current_id(record.result.id);
        if (id.find("/refuse/") != std::string::npos) continue;  // no number in them
        const auto [held, is_new] = run.cases_.try_emplace(id, record);
        if (!is_new && record.result.worst_ratio > held->second.result.worst_ratio) held->second = std::move(record);
    }
    return run;
}

std::vector<EarlierRun::Difference> EarlierRun::differences(std::span<const CaseRecord> records,
                                                            const std::set<std::string>& ids) const {
    std::vector<Difference> all;
    std::vector<CaseRecord> earlier;
    for (const auto& [id, record] : cases_) {
        if (!ids.contains(id)) all.push_back({"missing", fmt::format("missing {}", printable(id))});
        earlier.push_back(record);
    }
    const std::map<std::string, double> before = worst_ratios(earlier), now = worst_ratios(records);
    for (const auto& [name, worst] : now)
        if (const auto old = before.find(name); old != before.end() && worst > 2 * old->second)
            all.push_back({"worse", fmt::format("worse {}: the worst error was {:.3g} of its limit, now {:.3g}", name,
                                                old->second, worst)});
    return all;
}

bool EarlierRun::is_slower(const CaseRecord& record) const {
    const auto old = cases_.find(record.result.id);
    if (old == cases_.end() || old->second.median_ns <= 0 || record.median_ns <= 0) return false;
    const double pooled = std::sqrt((std::pow(spread(old->second), 2) + std::pow(spread(record), 2)) / 2);
    return record.median_ns - old->second.median_ns > std::max(0.05 * old->second.median_ns, 3 * pooled);
}

EarlierRun::Difference EarlierRun::slower(const CaseRecord& record) const {
    const double before = cases_.at(record.result.id).median_ns;
    return {"slower", fmt::format("slower {}: {:.2f} us, now {:.2f} us ({:+.1f} %)", record.result.id, before / 1000,
                                  record.median_ns / 1000, 100 * (record.median_ns / before - 1))};
}

}
