#include "tools/check/case_record.h"

#include "tools/version.h"

namespace bkd {

using kernels::CaseStatus;
using kernels::FailKind;

namespace {

template <class Enum>
Enum named(const std::string& name, int count, const char* what) {
    for (int i = 0; i < count; ++i)
        if (name == kernels::name_of(static_cast<Enum>(i))) return static_cast<Enum>(i);
    throw InputError({.id = 404, .what = fmt::format("\"{}\" is no {} of a case", printable(name), what)});
}

}

bool CaseRecord::is_failure() const {
    return result.status == CaseStatus::fail || result.status == CaseStatus::crash ||
           result.status == CaseStatus::timeout;
}

CaseRecord record_of(kernels::CaseResult result) {
    const std::string& id = result.id;
    const std::size_t first = id.find('/'), last = id.rfind('/');
    const std::size_t middle = last == 0 || last == std::string::npos ? first : id.rfind('/', last - 1);
    CaseRecord record;
    record.op = id.substr(0, first);
    if (id.find("/refuse/") != std::string::npos) record.dtype = "f32";  // what refusals are tried on
    if (middle != std::string::npos && middle > first) {
        record.dtype = id.substr(middle + 1, last - middle - 1);
        record.dist = id.substr(last + 1);
    }
    record.result = std::move(result);
    return record;
}

Json to_json(const CaseRecord& record) {
    const kernels::CaseResult& r = record.result;
    Json::Object row{{"case", r.id},
                     {"seed", std::to_string(r.seed)},
                     {"status", kernels::name_of(r.status)},
                     {"kind", kernels::name_of(r.kind)},
                     {"worst_ratio", r.worst_ratio},
                     {"max_abs", r.max_abs},
                     {"max_rel", r.max_rel},
                     {"ulp", r.ulp},
                     {"nmse", r.nmse}};
    if (record.is_failure()) {
        row.emplace_back("detail", r.detail);
        row.emplace_back("pattern", r.pattern);
        row.emplace_back("first_bad_index", Json::array(r.index));
        row.emplace_back("got", r.got);
        row.emplace_back("want", r.want);
        row.emplace_back("reproducer", record.reproducer);
        row.emplace_back("again", record.again);
    }
    if (record.median_ns > 0) {
        row.emplace_back("ns_median", record.median_ns);
        row.emplace_back("ns_iqr", record.quartile_range_ns);
        row.emplace_back("ns_min", record.min_ns);
        row.emplace_back("flops", record.flops);
        row.emplace_back("bytes", record.bytes);
        row.emplace_back("roofline", record.share);
    }
    return row;
}

CaseRecord record_from(const Json& json) {
    kernels::CaseResult r{.id = json.at("case").text()};
    r.seed = std::strtoull(json.at("seed").text().c_str(), nullptr, 10);
    r.status = named<CaseStatus>(json.at("status").text(), static_cast<int>(CaseStatus::timeout) + 1, "status");
    r.kind = named<FailKind>(json.at("kind").text(), static_cast<int>(FailKind::grad) + 1, "kind of failure");
    r.worst_ratio = json.at("worst_ratio").number();
    r.max_abs = json.at("max_abs").number();
    r.max_rel = json.at("max_rel").number();
    r.ulp = json.at("ulp").number();
    r.nmse = json.at("nmse").number();
    CaseRecord record = record_of(std::move(r));
    const auto number = [&](const char* key) { return json.find(key) == nullptr ? 0 : json.at(key).number(); };
    const auto text = [&](const char* key) { return json.find(key) == nullptr ? "" : json.at(key).text(); };
    record.result.detail = text("detail");
    record.result.pattern = text("pattern");
    if (json.find("first_bad_index") != nullptr) record.result.index = json.at("first_bad_index").integers();
    record.result.got = number("got");
    record.result.want = number("want");
    record.reproducer = text("reproducer");
    record.again = text("again");
    record.median_ns = number("ns_median");
    record.quartile_range_ns = number("ns_iqr");
    record.min_ns = number("ns_min");
    record.flops = number("flops");
    record.bytes = number("bytes");
    record.share = number("roofline");
    return record;
}

std::string build_description() {
#ifdef __OPTIMIZE__
    return "g++ " __VERSION__ ", optimised";
#else
    return "g++ " __VERSION__ ", not optimised";
#endif
}

std::string failure_text(const RunFacts& facts, const CaseRecord& record) {
    const kernels::CaseResult& r = record.result;
    const std::string kind = r.status == CaseStatus::fail ? kernels::name_of(r.kind) : kernels::name_of(r.status);
    std::string text = fmt::format("FAIL {}  seed {}  {}  {} vs {}\n  {}\n", printable(r.id), r.seed, kind,
                                   facts.device, printable(facts.against), printable(r.detail));
    if (!r.pattern.empty()) text += fmt::format("  pattern: {}\n", r.pattern);
    if (!record.again.empty()) text += fmt::format("  again: {}\n", printable(record.again));
    return text;
}

}
