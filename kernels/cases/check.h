#pragma once
// CaseChecker runs cases: one backend under test against another that is the truth (reference). It looks, in this
// order, at guard bands, inputs, elements nobody wrote, NaN and infinities, the bound of each element, the sum of
// squares, the case's invariant. `same` demands equal bits, `refuses` an error for spoiled arguments, `time` measures.
#include "kernels/cases/table.h"
#include "kernels/cases/timing.h"

#include <span>

namespace bkd::kernels {

enum class CaseStatus : std::uint8_t { pass, fail, unsupported, skip, crash, timeout };
enum class FailKind : std::uint8_t {
    none,
    error,
    guard,
    input,
    unwritten,
    nan,
    bound,
    nmse,
    invariant,
    bits,
    refusal,
    device,  // the device itself reported an error
    grad
};
const char* name_of(CaseStatus status);
const char* name_of(FailKind kind);

struct CaseResult {
    std::string id;
    std::uint64_t seed = 0;  // of the case: from its id and the run's seed
    CaseStatus status = CaseStatus::pass;
    FailKind kind = FailKind::none;
    std::string detail{};    // of a failure, one line
    double worst_ratio = 0;  // largest error / bound over all outputs
    double max_abs = 0, max_rel = 0, nmse = 0;
    double ulp = 0;  // largest error in units of the last place of the output's dtype
    // The first element at fault: of which tensor (in the order the case requests them), where, what.
    int tensor = -1;
    std::vector<std::int64_t> index{};
    double got = 0, want = 0, bound = 0;
    std::int64_t faults = 0, elements = 0;
    std::string pattern{};  // what the elements at fault have in common, or nothing
};

// What a case ran on, what it should have given and what it gave. Tensors in the order the case requests them.
struct CaseEvidence {
    std::vector<HostTensor> initial{}, want{}, got{};  // want: with limits
};

struct CheckOptions {
    std::uint64_t seed = 0;
    double tolerance_scale = 1;  // of every bound
};

std::uint64_t case_seed(const std::string& id, std::uint64_t seed);

class CaseChecker {
public:
    CaseChecker(Backend& tested, Backend& truth, const CheckOptions& options = {});

    // The op under test agrees with the truth. `evidence`, where given, is filled in.
    CaseResult agrees(const CaseReference& c, CaseEvidence* evidence = nullptr);
    // The op under test, on given numbers, agrees with given results to within their limits. Contents must fit the case
    // (CaseMemoryOptions); `seed`, of the case, says where its tensors lie.
    CaseResult agrees_with(const CaseReference& c, const CaseContents& contents, const std::vector<HostTensor>& want,
                           std::uint64_t seed);
    // What the case runs on and what the truth gives; nothing is run on the backend under test.
    CaseEvidence expected(const CaseReference& c);
    // What the backend under test gives.
    std::vector<HostTensor> outputs(const CaseReference& c);
    // Equal bits when run again, with tensors at other addresses, and on each of `others`: the same device with other
    // numbers of threads, left out for ops that promise equal bits for the same number only.
    CaseResult same(const CaseReference& c, std::span<Backend* const> others);
    // Every spoiled argument is refused with a LogicError, and nothing is written: of the case with the most arguments
    // among the op's first. One result a spoiled argument, its id "op/refuse/argument 2 extent".
    std::vector<CaseResult> refuses(const OpCases& op);
    CaseTiming time(const CaseReference& c, const TimingOptions& options = {});

private:
    std::vector<HostTensor> run(Backend& backend, Stream& stream, const CaseReference& c,
                                const CaseMemoryOptions& memory, std::vector<HostTensor>* initial = nullptr) const;
    CaseMemoryOptions memory_options(const CaseReference& c) const;
    CaseReference fullest(const OpCases& op) const;
    std::vector<HostTensor> truth(const CaseReference& c, CaseMemoryOptions memory,
                                  const std::vector<HostTensor>& like);
    CaseResult judged(const CaseReference& c, std::uint64_t seed, const CaseEvidence& evidence) const;

    Backend& tested_;
    Backend& truth_;
    CheckOptions options_;
    std::unique_ptr<Stream> tested_stream_, truth_stream_;
};

// How far each element of `got` may lie from `want`; `magnitudes` are the truth's on absolute inputs, where the bound
// asks for them (else null).
std::vector<double> limits_of(const HostTensor& got, const HostTensor& want, const HostTensor* magnitudes,
                              double tolerance_scale);

// Looks at the tensors of a run beside those of the truth, which hold their limits; fills all of `result` but id and
// seed. The parts of agrees() that need no backend.
void compare(const std::vector<HostTensor>& got, const std::vector<HostTensor>& want, double tolerance_scale,
             CaseResult& result);

// What the flat indices of elements in a shape have in common: "all in axis 2 = 4 (last)"; nothing if nothing is seen.
std::string pattern_of(const Shape& shape, std::span<const std::int64_t> elements);

}
