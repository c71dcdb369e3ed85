#include "kernels/cases/check.h"

#include <algorithm>
#include <bit>
#include <exception>

namespace bkd::kernels {
namespace {

CaseResult failed(CaseResult result, FailKind kind, std::string detail) {
    result.status = CaseStatus::fail;
    result.kind = kind;
    result.detail = std::move(detail);
    return result;
}

// A device that reports an error (exit code 8) is told from an op that throws.
CaseResult failed(CaseResult result, const std::exception& error) {
    const auto* input = dynamic_cast<const InputError*>(&error);
    const bool is_device = input != nullptr && input->exit_code() == 8;
    return failed(std::move(result), is_device ? FailKind::device : FailKind::error, error.what());
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

}

const char* name_of(CaseStatus status) {
    constexpr const char* names[] = {"pass", "fail", "unsupported", "skip", "crash", "timeout"};
    return names[static_cast<std::size_t>(status)];
}

const char* name_of(FailKind kind) {
    constexpr const char* names[] = {"none", "error",     "guard", "input",   "unwritten", "nan", "bound",
                                     "nmse", "invariant", "bits",  "refusal", "device",    "grad"};
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
                                         const CaseMemoryOptions& options, std::vector<HostTensor>* initial) const {
    CaseMemory memory(backend, stream, options);
    const PreparedCase prepared = c.entry->prepare(memory, nullptr);
    if (initial != nullptr) *initial = memory.initial();
    prepared.launch(backend, stream);
    stream.synchronize();
    return memory.read();
}

// With limits for tensors like those of the backend under test.
std::vector<HostTensor> CaseChecker::truth(const CaseReference& c, CaseMemoryOptions memory,
                                           const std::vector<HostTensor>& like) {
    memory.is_truth = true;
    std::vector<HostTensor> want = run(truth_, *truth_stream_, c, memory), magnitudes;
    memory.magnitudes = true;
    const auto asks = [](const HostTensor& t) { return t.bound.terms != 0; };
    if (std::any_of(want.begin(), want.end(), asks)) magnitudes = run(truth_, *truth_stream_, c, memory);
    for (std::size_t t = 0; t < want.size(); ++t)
        if (want[t].role != HostTensor::Role::input)
            want[t].limits =
                limits_of(like[t], want[t], magnitudes.empty() ? nullptr : &magnitudes[t], options_.tolerance_scale);
    return want;
}

CaseEvidence CaseChecker::expected(const CaseReference& c) {
    const CaseMemoryOptions memory = memory_options(c);
    CaseEvidence evidence;
    CaseMemory tensors(tested_, *tested_stream_, memory);
    c.entry->prepare(tensors, nullptr);
    evidence.initial = tensors.initial();
    evidence.want = truth(c, memory, evidence.initial);
    return evidence;
}

std::vector<HostTensor> CaseChecker::outputs(const CaseReference& c) {
    return run(tested_, *tested_stream_, c, memory_options(c));
}

CaseResult CaseChecker::judged(const CaseReference& c, std::uint64_t seed, const CaseEvidence& evidence) const {
    CaseResult result{.id = c.id(), .seed = seed};
    compare(evidence.got, evidence.want, options_.tolerance_scale, result);
    if (result.status == CaseStatus::pass && c.entry->invariant) {
        const std::string broken = c.entry->invariant(evidence.got);
        if (!broken.empty()) return failed(std::move(result), FailKind::invariant, broken);
    }
    return result;
}

CaseResult CaseChecker::agrees(const CaseReference& c, CaseEvidence* evidence) {
    CaseEvidence own;
    CaseEvidence& filled = evidence == nullptr ? own : *evidence;
    const CaseMemoryOptions memory = memory_options(c);
    try {
        filled.got = run(tested_, *tested_stream_, c, memory, evidence == nullptr ? nullptr : &filled.initial);
        filled.want = truth(c, memory, filled.got);
        return judged(c, memory.seed, filled);
    } catch (const std::exception& error) { return failed({.id = c.id(), .seed = memory.seed}, error); }
}

CaseResult CaseChecker::agrees_with(const CaseReference& c, const CaseContents& contents,
                                    const std::vector<HostTensor>& want, std::uint64_t seed) {
    const CaseMemoryOptions memory{
        .storage = c.dtype, .seed = seed, .alignment = static_cast<int>(seed % 4), .contents = &contents};
    CaseEvidence evidence{.want = want};
    try {
        evidence.got = run(tested_, *tested_stream_, c, memory);
        return judged(c, seed, evidence);
    } catch (const std::exception& error) { return failed({.id = c.id(), .seed = memory.seed}, error); }
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
    } catch (const std::exception& error) { return failed(std::move(result), error); }
    return result;
}

CaseReference CaseChecker::fullest(const OpCases& op) const {
    constexpr std::size_t looked_at = 128;  // the first shapes of a table come with every option
    CaseReference best{&op, &op.entries.at(0), DType::f32};
    std::pair<int, int> most{0, -1};  // arguments, and those among them that every way to spoil applies to
    for (std::size_t i = 0; i < op.entries.size() && i < looked_at; ++i) {
        if (op.entries[i].bench) continue;
        CaseMemory memory(tested_, *tested_stream_, {});
        const PreparedCase prepared = op.entries[i].prepare(memory, nullptr);
        const std::pair<int, int> has{prepared.view_count, prepared.matrix_count};
        if (has > most) best.entry = &op.entries[i];
        most = std::max(most, has);
    }
    return best;
}

std::vector<CaseResult> CaseChecker::refuses(const OpCases& op) {
    const CaseReference c = fullest(op);
    const CaseMemoryOptions options = memory_options(c);
    std::vector<CaseResult> results;
    int views = 1;
    for (int view = 0; view < views; ++view)
        for (const Spoil spoil : all_spoils) {
            CaseMemory memory(tested_, *tested_stream_, options);
            const SpoiledArgument spoiled{view, spoil};
            const PreparedCase prepared = c.entry->prepare(memory, &spoiled);
            views = prepared.view_count;
            const bool is_legal = std::find(op.legal.begin(), op.legal.end(), std::pair{view, spoil}) != op.legal.end();
            if (!prepared.launch || is_legal) continue;
            const char* name = name_of(spoil);
            CaseResult result{.id = fmt::format("{}/refuse/argument {} {}", op.op, view, name), .seed = options.seed};
            try {
                prepared.launch(tested_, *tested_stream_);
                tested_stream_->synchronize();
                result = failed(std::move(result), FailKind::refusal,
                                fmt::format("argument {}, spoiled ({}), was taken", view, name));
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
    CaseMemoryOptions memory_of_case = memory_options(c);
    memory_of_case.alignment = 0;  // as the engine's tensors
    CaseMemory memory(tested_, *tested_stream_, memory_of_case);
    const PreparedCase prepared = c.entry->prepare(memory, nullptr);
    CaseTiming timing = time_calls(
        *tested_stream_, [&] { prepared.launch(tested_, *tested_stream_); }, options);
    timing.id = c.id();
    return timing;
}

}
