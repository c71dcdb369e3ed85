#pragma once
// OpsTally: counts the records of a run by op and dtype, prints failures as they come, and at the end the table or the
// JSON document, and writes the files that were asked for.
#include "tools/check/case_record.h"
#include "tools/check/ops_compare.h"
#include "tools/check/ops_report.h"

#include <map>

namespace bkd {

// Refuses beforehand what writing the results would meet: E0601, E0604, E0605, E0607. Makes the folders of
// --save-failures and --record.
void check_places(const OpsReportOptions& options);

class OpsTally {
public:
    OpsTally(const OpsReportOptions& options, std::FILE* out) : options_(options), out_(out) {}

    void add(const RunFacts& facts, std::size_t job, CaseRecord record);
    const CaseRecord& last() const { return records_.back().second; }
    void differs(const EarlierRun::Difference& difference) { differences_.push_back(difference); }
    void compared(const EarlierRun& earlier, const std::set<std::string>& ids);
    void note(const std::string& line) { notes_.push_back(line); }
    // Prints, writes, and returns the exit code.
    int finish(const RunFacts& facts, double seconds, int left_out);

private:
    struct Counts {
        int passed = 0, failed = 0, skipped = 0;
        double worst_ratio = 0;
        std::string worst_case{};
    };
    std::vector<CaseRecord> in_order() const;
    void print_json(const RunFacts& facts, double seconds, int left_out, const std::vector<CaseRecord>& records) const;
    void print_table(const RunFacts& facts, double seconds, int left_out) const;
    void print_times(const RunFacts& facts, const std::vector<CaseRecord>& records) const;

    OpsReportOptions options_;
    std::FILE* out_;
    std::map<std::string, Counts> by_op_;
    std::map<std::string, Counts, std::greater<>> by_dtype_;  // f32 before bf16
    Counts all_;
    std::vector<std::pair<std::size_t, CaseRecord>> records_;  // with their jobs
    std::vector<EarlierRun::Difference> differences_;
    std::vector<std::string> notes_;
};

}
