#include "kernels/cases/check.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <exception>

namespace bkd::kernels {
namespace {

CaseResult failed(CaseResult result, FailKind kind, std::string detail) {
    result.status = CaseStatus::fail;
    result.kind = kind;
    result.detail = std::move(detail);
    return result;
}

// The first difference in bits between two runs, or nothing. -0 and 0 differ; a NaN equals a NaN.
std::string difference(const std::vector<HostTensor>& a, const std::vector<HostTensor>& b) {
    for (std::size_t t = 0; t < a.size(); ++t)
        for (std::size_t i = 0; i < a[t].values.size(); ++i) {
            const double x = a[t].values[i], y = b[t].values[i];
            if (std::bit_cast<std::uint64_t>(x) != std::bit_cast<std::uint64_t>(y) && !(std::isnan(x) && std::isnan(y)))
                return fmt::format("tensor {} {}, element {}: {:.9g} and {:.9g}", t, a[t].shape.str(), i, x, y);
        }
    return {};
}

class WorkCounter final : public LaunchObserver {
public:
    explicit WorkCounter(CaseTiming& timing) : timing_(timing) {}
    void after(const Launch& launch) override {
        timing_.flops += launch.flops;
        timing_.bytes_read += launch.bytes_read;
        timing_.bytes_written += launch.bytes_written;
    }

private:
    CaseTiming& timing_;
};

double quantile(const std::vector<double>& sorted, double q) {
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
}

}

const char* name_of(CaseStatus status) {
    constexpr const char* names[] = {"pass", "fail"};
    return names[static_cast<std::size_t>(status)];
}

const char* name_of(FailKind kind) {
    constexpr const char* names[] = {"none",  "error", "guard",     "input", "unwritten", "nan",
                                     "bound", "nmse",  "invariant", "bits",  "refusal"};
    return names[static_cast<std::size_t>(kind)];
}

// FNV-1a, 64 bits: stable across versions and machines.
std::uint64_t case_seed(const std::string& id, std::uint64_t seed) {
    std::uint64_t hash = 0xcbf29ce484222325 ^ seed * 0x9E3779B97F4A7C15;
    for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

CaseChecker::CaseChecker(Backend& tested, Backend& truth, const CheckOptions& options)
    : tested_(tested),
      truth_(truth),
      options_(options),
      tested_stream_(tested.make_stream()),
      truth_stream_(truth.make_stream()) {}

CaseMemoryOptions CaseChecker::memory_options(const CaseReference& c) const {
    const std::uint64_t seed = case_seed(c.id(), options_.seed);
    return {.storage = c.dtype, .seed = seed, .alignment = static_cast<int>(seed % 4)};
}

std::vector<HostTensor> CaseChecker::run(Backend& backend, Stream& stream, const CaseReference& c,
                                         const CaseMemoryOptions& options) const {
    CaseMemory memory(backend, stream, options);
    c.entry->prepare(memory, nullptr).launch(backend, stream);
    stream.synchronize();
    return memory.read();
}

CaseResult CaseChecker::agrees(const CaseReference& c) {
    CaseMemoryOptions memory = memory_options(c);
    CaseResult result{.id = c.id(), .seed = memory.seed};
    try {
        const std::vector<HostTensor> got = run(tested_, *tested_stream_, c, memory);
        memory.is_truth = true;
        const std::vector<HostTensor> want = run(truth_, *truth_stream_, c, memory);
        std::vector<HostTensor> magnitudes;
        const auto asks = [](const HostTensor& t) { return t.bound.terms != 0; };
        memory.magnitudes = true;
        if (std::any_of(want.begin(), want.end(), asks)) magnitudes = run(truth_, *truth_stream_, c, memory);
        compare(got, want, magnitudes, options_.tolerance_scale, result);
        if (result.status == CaseStatus::pass && c.entry->invariant) {
            const std::string broken = c.entry->invariant(got);
            if (!broken.empty()) return failed(std::move(result), FailKind::invariant, broken);
        }
    } catch (const std::exception& error) { return failed(std::move(result), FailKind::error, error.what()); }
    return result;
}

CaseResult CaseChecker::same(const CaseReference& c, std::span<Backend* const> others) {
    CaseMemoryOptions memory = memory_options(c);
    CaseResult result{.id = c.id(), .seed = memory.seed};
    try {
        const std::vector<HostTensor> first = run(tested_, *tested_stream_, c, memory);
        const auto against = [&](Backend& backend, Stream& stream, const std::string& how) {
            const std::string where = difference(first, run(backend, stream, c, memory));
            if (where.empty() || result.status == CaseStatus::fail) return;
            result = failed(std::move(result), FailKind::bits, how + ": " + where);
        };
        against(tested_, *tested_stream_, "run again");
        against(tested_, *tested_.make_stream(), "on another stream");
        memory.alignment = (memory.alignment + 1) % 4;
        against(tested_, *tested_stream_, "at other addresses");
        if (c.op->same_bits == SameBits::any_threads)
            for (Backend* other : others) against(*other, *other->make_stream(), "as " + other->description());
    } catch (const std::exception& error) { return failed(std::move(result), FailKind::error, error.what()); }
    return result;
}

CaseReference CaseChecker::fullest(const OpCases& op) const {
    constexpr std::size_t looked_at = 64;  // the first shape of a table comes with every option
    CaseReference best{&op, &op.entries.at(0), DType::f32};
    int most = 0;
    for (std::size_t i = 0; i < op.entries.size() && i < looked_at; ++i) {
        if (op.entries[i].bench) continue;
        CaseMemory memory(tested_, *tested_stream_, {});
        const int views = op.entries[i].prepare(memory, nullptr).view_count;
        if (views > most) best.entry = &op.entries[i];
        most = std::max(most, views);
    }
    return best;
}

std::vector<CaseResult> CaseChecker::refuses(const OpCases& op) {
    const CaseReference c = fullest(op);
    const CaseMemoryOptions options = memory_options(c);
    std::vector<CaseResult> results;
    int views = 1;
    for (int view = 0; view < views; ++view)
        for (const Spoil spoil : {Spoil::rank, Spoil::extent, Spoil::dtype}) {
            constexpr const char* names[] = {"rank", "extent", "dtype"};
            CaseMemory memory(tested_, *tested_stream_, options);
            const SpoiledArgument spoiled{view, spoil};
            const PreparedCase prepared = c.entry->prepare(memory, &spoiled);
            views = prepared.view_count;
            const bool is_legal = std::find(op.legal.begin(), op.legal.end(), std::pair{view, spoil}) != op.legal.end();
            if (!prepared.launch || is_legal) continue;
            const char* name = names[static_cast<std::size_t>(spoil)];
            CaseResult result{.id = fmt::format("{}/refuse/argument {} {}", op.op, view, name), .seed = options.seed};
            try {
                prepared.launch(tested_, *tested_stream_);
                tested_stream_->synchronize();
                result = failed(std::move(result), FailKind::refusal,
                                fmt::format("argument {} with another {} was taken", view, name));
            } catch (const LogicError&) {
                for (const HostTensor& tensor : memory.read())
                    if (tensor.is_changed || !tensor.guards_intact)
                        result = failed(std::move(result), FailKind::refusal,
                                        "refused, but " + tensor.shape.str() + " was written to");
            } catch (const std::exception& error) {
                result = failed(std::move(result), FailKind::refusal,
                                fmt::format("refused with another error: {}", error.what()));
            }
            results.push_back(std::move(result));
        }
    return results;
}

CaseTiming CaseChecker::time(const CaseReference& c, const TimingOptions& options) {
    using Clock = std::chrono::steady_clock;
    const auto seconds_since = [](Clock::time_point start) {
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    CaseTiming timing{.id = c.id()};
    CaseMemoryOptions memory_of_case = memory_options(c);
    memory_of_case.alignment = 0;  // as the engine's tensors
    CaseMemory memory(tested_, *tested_stream_, memory_of_case);
    const PreparedCase prepared = c.entry->prepare(memory, nullptr);
    {
        WorkCounter counter(timing);
        tested_stream_->observer = &counter;
        prepared.launch(tested_, *tested_stream_);
        tested_stream_->observer = nullptr;
    }
    const auto run_once = [&](std::int64_t calls) {
        const auto start = Clock::now();
        for (std::int64_t i = 0; i < calls; ++i) prepared.launch(tested_, *tested_stream_);
        tested_stream_->synchronize();
        return seconds_since(start) / static_cast<double>(calls);
    };
    double fastest = run_once(1);
    for (const auto start = Clock::now(); seconds_since(start) < options.warm_seconds;)
        fastest = std::min(fastest, run_once(1));
    // A sample lasts a millisecond at least: the clock is read in tens of nanoseconds, ops may take less.
    const auto calls = std::max<std::int64_t>(1, static_cast<std::int64_t>(1e-3 / std::max(fastest, 1e-8)));
    std::vector<double> samples;
    for (const auto start = Clock::now();
         static_cast<int>(samples.size()) < options.fewest_samples ||
         (seconds_since(start) < options.seconds && static_cast<int>(samples.size()) < options.most_samples);)
        samples.push_back(run_once(calls) * 1e9);
    std::sort(samples.begin(), samples.end());
    timing.samples = static_cast<std::int64_t>(samples.size());
    timing.median_ns = quantile(samples, 0.5);
    timing.quartile_range_ns = quantile(samples, 0.75) - quantile(samples, 0.25);
    timing.min_ns = samples.front();
    return timing;
}

}
