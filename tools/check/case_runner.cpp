#include "tools/check/case_runner.h"

#include "kernels/machine.h"
#include "tools/check/reproducer.h"
#include "tools/options.h"

#include <algorithm>

namespace bkd {

using kernels::CaseEvidence;
using kernels::CaseReference;
using kernels::OpCases;

namespace {

std::vector<DType> dtypes(const std::string& names) {
    std::vector<DType> all;
    for (const std::string& name : split_at_commas(names)) {
        if (name == "f32")
            all.push_back(DType::f32);
        else if (name == "bf16")
            all.push_back(DType::bf16);
        else
            throw InputError({.id = 203,
                              .what = fmt::format("--dtype must be f32 or bf16, got \"{}\"", printable(name)),
                              .at = "option --dtype"});
    }
    return all;
}

std::vector<std::string> distributions(const std::string& names, const std::vector<OpCases>& table) {
    std::vector<std::string> known, asked = split_at_commas(names);
    for (const OpCases& op : table)
        for (const kernels::CaseEntry& entry : op.entries)
            if (std::ranges::find(known, entry.distribution) == known.end()) known.push_back(entry.distribution);
    std::ranges::sort(known);
    for (const std::string& name : asked)
        if (std::ranges::find(known, name) == known.end())
            throw InputError({.id = 203,
                              .what = fmt::format("no case draws from \"{}\"", printable(name)),
                              .at = "option --dist",
                              .try_ = fmt::format("one of: {}", fmt::join(known, ", "))});
    return asked;
}

// One job of each op, then the second of each, and so on.
void take_turns(std::vector<CaseJob>& jobs) {
    std::map<std::string, int> seen;
    std::vector<std::pair<int, CaseJob>> ranked;
    for (const CaseJob& job : jobs) ranked.emplace_back(seen[job.op()]++, job);
    std::ranges::stable_sort(ranked, {}, [](const auto& r) { return r.first; });
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i] = ranked[i].second;
}

}

std::vector<CaseJob> jobs_of(const std::string& mode, const OpsReportOptions& options,
                             const std::vector<OpCases>& table) {
    const std::vector<CaseReference> cases =
        kernels::select(table, {.ops = split_at_commas(options.ops),
                                .id_regex = options.cases,
                                .dtypes = dtypes(options.dtypes),
                                .distributions = distributions(options.dists, table),
                                .tests = mode != "perf",
                                .bench = mode == "perf"});
    if (cases.empty())
        throw InputError({.id = 203,
                          .what = fmt::format("no case of any op passes the filters (--op \"{}\", --case \"{}\")",
                                              printable(options.ops), printable(options.cases)),
                          .at = "option --op",
                          .try_ = "bkd check-ops list"});
    std::vector<CaseJob> jobs;
    for (std::int64_t trial = 0; trial < options.trials; ++trial)
        for (const CaseReference& c : cases)
            jobs.push_back({c, nullptr, options.seed + static_cast<std::uint64_t>(trial)});
    // Refusals are tried on f32 arguments, and say nothing of a distribution.
    if (mode == "test" && options.dists.empty())
        for (const OpCases& op : table)
            if (std::ranges::any_of(cases,
                                    [&](const CaseReference& c) { return c.op == &op && c.dtype == DType::f32; }))
                jobs.push_back({{}, &op, options.seed});
    std::vector<CaseJob> part;
    for (std::size_t i = 0; i < jobs.size(); ++i)
        if (static_cast<std::int64_t>(i) % options.shard.of == options.shard.part - 1) part.push_back(jobs[i]);
    if (part.empty())
        throw InputError({.id = 203,
                          .what = fmt::format("part {} of {} has none of the {} cases", options.shard.part,
                                              options.shard.of, jobs.size()),
                          .at = "option --shard"});
    if (options.budget == Budget::smoke) take_turns(part);
    return part;
}

std::optional<Device> device_against(const std::string& against) {
    if (against == "plan")
        throw InputError({.id = 203,
                          .what = "--against plan has no numbers",
                          .at = "option --against",
                          .try_ = "--against reference"});
    const bool is_device =
        against == "reference" || against == "cpu" || against == "cuda" || against.starts_with("cuda:");
    return is_device ? std::optional(Device::parse(against)) : std::nullopt;
}

CaseRunner::CaseRunner(const std::string& mode, const OpsReportOptions& options)
    : mode_(mode), options_(options), writer_(options.seed) {
    const std::optional<Device> against = device_against(options.against);
    tested_ = open_backend(options.device, options.backend);
    truth_ = open_backend(against.value_or(Device{DeviceKind::reference, 0}), options.backend);
    if (!against) corpus_.emplace(options.against, options.seed);
    if (mode == "same" && options.device.kind == DeviceKind::cpu)
        for (const int threads : {1, 2, 3, 7, 16})
            others_.push_back(open_backend(options.device, {.threads = threads}));
}

kernels::CaseChecker& CaseRunner::checker(std::uint64_t seed) {
    // Of two devices that may both be off by the bound, the difference may be twice as large.
    const double apart = truth_->device.kind == DeviceKind::reference ? 1 : 2;
    if (checker_ == nullptr || checker_seed_ != seed)
        checker_ = std::make_unique<kernels::CaseChecker>(
            *tested_, *truth_, kernels::CheckOptions{seed, apart * options_.tolerance_scale});
    checker_seed_ = seed;
    return *checker_;
}

CaseRecord CaseRunner::run_case(const CaseJob& job, std::uint64_t seed) {
    kernels::CaseChecker& with = checker(seed);
    if (mode_ == "same") {
        std::vector<Backend*> others;
        for (const auto& other : others_) others.push_back(other.get());
        return record_of(with.same(job.c, others));
    }
    if (mode_ == "perf") {
        std::optional<kernels::Ceilings>& ceilings = ceilings_[job.c.dtype == DType::bf16 ? 1 : 0];
        const kernels::TimingOptions timing{.seconds = options_.min_time};
        if (!ceilings) ceilings = kernels::measured_ceilings(*tested_, job.c.dtype, timing);
        const kernels::CaseTiming t = with.time(job.c, timing);
        CaseRecord record = record_of({.id = t.id, .seed = kernels::case_seed(t.id, seed)});
        record.median_ns = t.median_ns;
        record.quartile_range_ns = t.quartile_range_ns;
        record.min_ns = t.min_ns;
        record.flops = t.flops;
        record.bytes = t.bytes();
        record.share = ceilings->share(t);
        return record;
    }
    if (corpus_) return corpus_->compare(with, job.c);
    CaseEvidence evidence;
    const bool keeps = !options_.save_failures.empty() || !options_.record.empty();
    CaseRecord record = record_of(with.agrees(job.c, keeps ? &evidence : nullptr));
    if (!options_.record.empty()) writer_.add(job.c, evidence.got);
    if (record.is_failure() && !options_.save_failures.empty() && !evidence.initial.empty())
        record.reproducer = save_reproducer(options_.save_failures, record, evidence, tested_->description()).string();
    return record;
}

std::vector<CaseRecord> CaseRunner::run(const CaseJob& job, std::uint64_t round) {
    const std::uint64_t seed = job.seed + round;
    std::vector<CaseRecord> records;
    if (job.refused != nullptr)
        for (kernels::CaseResult& refusal : checker(seed).refuses(*job.refused))
            records.push_back(record_of(std::move(refusal)));
    else
        records.push_back(run_case(job, seed));
    for (CaseRecord& record : records)
        if (record.is_failure()) record.again = again_command(mode_, options_, record, seed);
    return records;
}

std::string CaseRunner::save_inputs(const CaseJob& job, CaseRecord record) {
    const CaseEvidence evidence = checker(job.seed).expected(job.c);
    record.result.seed = kernels::case_seed(record.result.id, job.seed);
    return save_reproducer(options_.save_failures, record, evidence, tested_->description()).string();
}

RunFacts facts_of(const std::string& mode, const OpsReportOptions& options) {
    return {.mode = mode,
            .device = options.device.str(),
            .against = options.against,
            .seed = options.seed,
            .trials = options.trials,
            .tolerance_scale = options.tolerance_scale};
}

RunFacts CaseRunner::facts() const {
    RunFacts facts = facts_of(mode_, options_);
    facts.description = tested_->description();
    if (options_.device.kind != DeviceKind::cuda) return facts;
    for (const Fact& fact : machine_facts()) {
        if (fact.name == "cuda driver") facts.driver = fact.value;
        if (fact.name != "cuda libraries") continue;
        const std::size_t at = fact.value.find("cuDNN");
        facts.cuda = fact.value.substr(0, at);
        if (at != std::string::npos) facts.cudnn = fact.value.substr(at);
    }
    return facts;
}

std::string again_command(const std::string& mode, const OpsReportOptions& options, const CaseRecord& record,
                          std::uint64_t seed) {
    if (!record.reproducer.empty())
        return fmt::format("bkd check-ops replay {} --device {}", record.reproducer, options.device.str());
    const std::string& id = record.result.id;
    const bool is_refusal = id.find("/refuse/") != std::string::npos;
    std::string command = "bkd check-ops";
    if (mode != "test") command += " " + mode;
    command += fmt::format(" --op {}", record.op);
    if (!is_refusal) command += fmt::format(" --case '^{}$'", id);
    return command + fmt::format(" --seed {} --device {}{}", seed, options.device.str(),
                                 options.against == "reference" ? "" : " --against " + options.against);
}

}
