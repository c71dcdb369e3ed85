#pragma once
// A run held against an earlier one's JSON: cases that are gone, errors that grew, calls that take longer.
#include "tools/check/case_record.h"

#include <map>
#include <set>

namespace bkd {

class EarlierRun {
public:
    // What `bkd check-ops --json` printed, in a file. InputError E0403, E0404 for anything else.
    static EarlierRun read(const std::string& path);

    struct Difference {
        std::string what;  // "missing", "worse" or "slower"
        std::string text;  // one line
    };
    // `ids`: of the cases this run has, whether they were begun or not. Worst errors, of their limits, are compared by
    // op and dtype: more than twice the earlier one is worse.
    std::vector<Difference> differences(std::span<const CaseRecord> records, const std::set<std::string>& ids) const;
    // Whether the median of a timed case exceeds the earlier one's by more than 5 % and three times the spread of both.
    bool is_slower(const CaseRecord& record) const;
    Difference slower(const CaseRecord& record) const;

private:
    std::map<std::string, CaseRecord> cases_;  // by today's id; the worst of several trials
};

}
