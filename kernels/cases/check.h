#pragma once
// CaseChecker runs cases: one backend under test against another that is the truth (reference). It looks, in this
// order, at guard bands, inputs, elements nobody wrote, NaN and infinities, the bound of each element, the sum of
// squares, the case's invariant. `same` demands equal bits, `refuses` an error for spoiled arguments, `time` measures.
#include "kernels/cases/table.h"

#include <span>

namespace bkd::kernels {

enum class CaseStatus : std::uint8_t { pass, fail };
enum class FailKind : std::uint8_t { none, error, guard, input, unwritten, nan, bound, nmse, invariant, bits, refusal };
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
    // The first element at fault: of which tensor (in the order the case requests them), where, what.
    int tensor = -1;
    std::vector<std::int64_t> index{};
    double got = 0, want = 0, bound = 0;
    std::int64_t faults = 0, elements = 0;
};

struct CheckOptions {
    std::uint64_t seed = 0;
    double tolerance_scale = 1;  // of every bound
};

struct TimingOptions {
    double seconds = 1;  // of samples
    int fewest_samples = 5, most_samples = 1000;
    double warm_seconds = 0.2;
};

struct CaseTiming {
    std::string id;
    double median_ns = 0, quartile_range_ns = 0, min_ns = 0;  // of one call
    std::int64_t samples = 0;
    double flops = 0;                                // of one call, as far as the op counts them
    std::int64_t bytes_read = 0, bytes_written = 0;  // each tensor once
    double gigaflops() const { return flops / median_ns; }
    double gigabytes_per_second() const { return static_cast<double>(bytes_read + bytes_written) / median_ns; }
};

std::uint64_t case_seed(const std::string& id, std::uint64_t seed);

class CaseChecker {
public:
    CaseChecker(Backend& tested, Backend& truth, const CheckOptions& options = {});

    // The op under test agrees with the truth.
    CaseResult agrees(const CaseReference& c);
    // Equal bits when run again, with tensors at other addresses, and on each of `others`: the same device with other
    // numbers of threads, left out for ops that promise equal bits for the same number only.
    CaseResult same(const CaseReference& c, std::span<Backend* const> others);
    // Every spoiled argument is refused with a LogicError, and nothing is written: of the case with the most arguments
    // among the op's first. One result a spoiled argument, its id "op/refuse/argument 2 extent".
    std::vector<CaseResult> refuses(const OpCases& op);
    CaseTiming time(const CaseReference& c, const TimingOptions& options = {});

private:
    std::vector<HostTensor> run(Backend& backend, Stream& stream, const CaseReference& c,
                                const CaseMemoryOptions& memory) const;
    CaseMemoryOptions memory_options(const CaseReference& c) const;
    CaseReference fullest(const OpCases& op) const;

    Backend& tested_;
    Backend& truth_;
    CheckOptions options_;
    std::unique_ptr<Stream> tested_stream_, truth_stream_;
};

// Looks at the tensors of a run beside those of the truth and, where bounds ask for it, those of the truth on
// magnitudes (else empty); fills all of `result` but id and seed. The parts of agrees() that need no backend.
void compare(const std::vector<HostTensor>& got, const std::vector<HostTensor>& want,
             const std::vector<HostTensor>& magnitudes, double tolerance_scale, CaseResult& result);

}
