#pragma once
// CaseRunner: the jobs of a run of check-ops, and the backends, checkers and record they need.
#include "tools/check/corpus.h"
#include "tools/check/ops_report.h"

#include <memory>
#include <optional>

namespace bkd {

// One case with one seed, or (refused) the spoiled arguments of one op.
struct CaseJob {
    kernels::CaseReference c{};
    const kernels::OpCases* refused = nullptr;
    std::uint64_t seed = 0;
    const std::string& op() const { return refused != nullptr ? refused->op : c.op->op; }
    std::string id() const { return refused != nullptr ? refused->op + "/refuse" : c.id(); }
};

// What the filters let through, once a trial, and after that the refusals of every op that has an f32 case among them;
// of these the shard's. In table order, for Budget::smoke one case of each op after another. InputError E0203 if
// nothing is left.
std::vector<CaseJob> jobs_of(const std::string& mode, const OpsReportOptions& options,
                             const std::vector<kernels::OpCases>& table);

// What the options say of a run; its device is not asked.
RunFacts facts_of(const std::string& mode, const OpsReportOptions& options);

// The device that `against` names; nothing if it is a folder.
std::optional<Device> device_against(const std::string& against);

class CaseRunner {
public:
    // Opens the devices. InputError as open_backend and Corpus.
    CaseRunner(const std::string& mode, const OpsReportOptions& options);

    // One record, or one for each spoiled argument. `round` is added to the job's seed.
    std::vector<CaseRecord> run(const CaseJob& job, std::uint64_t round = 0);
    // Of a case that cannot be run here: its reproducer is saved without what the device gives.
    std::string save_inputs(const CaseJob& job, CaseRecord record);
    RunFacts facts() const;
    CorpusWriter& written() { return writer_; }

private:
    kernels::CaseChecker& checker(std::uint64_t seed);
    CaseRecord run_case(const CaseJob& job, std::uint64_t seed);

    std::string mode_;
    const OpsReportOptions& options_;
    std::unique_ptr<Backend> tested_, truth_;
    std::vector<std::unique_ptr<Backend>> others_;  // of mode same: other numbers of threads
    std::optional<Corpus> corpus_;
    CorpusWriter writer_;
    std::unique_ptr<kernels::CaseChecker> checker_;
    std::uint64_t checker_seed_ = 0;
    std::optional<kernels::Ceilings> ceilings_[2];  // of mode perf, by dtype
};

// The command that runs one case again.
std::string again_command(const std::string& mode, const OpsReportOptions& options, const CaseRecord& record,
                          std::uint64_t seed);

}
