// Tests of the case runner: seeded faults, each caught by the check that is there for it; filters, ids, draws, timing.
#include "kernels/cases/check.h"
#include "tests/kernels/faulty_backend.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <utility>

using namespace bkd;
using namespace bkd::kernels;

namespace {

// The kinds of failure over all f32 cases of an op, and how many of each.
std::map<FailKind, int> failures(Fault fault, const char* op, const char* id_regex = "") {
    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    FaultyBackend faulty(*cpu, fault);
    CaseChecker checker(faulty, *reference);
    const std::vector<OpCases> table = all_op_cases();
    std::map<FailKind, int> kinds;
    for (const CaseReference& c : select(table, {.ops = {op}, .id_regex = id_regex, .dtypes = {DType::f32}})) {
        const CaseResult result = checker.agrees(c);
        if (result.status == CaseStatus::fail) ++kinds[result.kind];
    }
    return kinds;
}

bool is_only(const std::map<FailKind, int>& kinds, FailKind kind) {
    return kinds.size() == 1 && kinds.begin()->first == kind;
}

}

TEST_CASE("a wrapped backend without a fault passes") {
    CHECK(failures(Fault::none, "add").empty());
    CHECK(failures(Fault::none, "max_over_time_*").empty());
    CHECK(failures(Fault::none, "softmax_forward").empty());
}

TEST_CASE("an element nobody wrote is reported as unwritten, at its index") {
    CHECK(is_only(failures(Fault::one_element_unwritten, "bias_add", "[0-9]/f32/(normal|ramp)"), FailKind::unwritten));
    CHECK(failures(Fault::nothing_written, "max_over_time_forward")[FailKind::unwritten] > 0);
    CHECK(failures(Fault::nothing_written, "crop_flip")[FailKind::unwritten] > 0);

    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    FaultyBackend faulty(*cpu, Fault::one_element_unwritten);
    const std::vector<OpCases> table = all_op_cases();
    const CaseReference c = select(table, {.ops = {"bias_add"}, .id_regex = "/3x5/f32/normal$"}).at(0);
    const CaseResult result = CaseChecker(faulty, *reference).agrees(c);
    CHECK(result.id == "bias_add/3x5/f32/normal");
    CHECK(result.kind == FailKind::unwritten);
    CHECK(result.index == std::vector<std::int64_t>{2, 4});
    CHECK(result.tensor == 2);
    CHECK(result.faults == 1);
    CHECK(result.elements == 15);
}

TEST_CASE("one element past either end of an output is caught by the guards") {
    CHECK(is_only(failures(Fault::past_the_end, "relu_forward"), FailKind::guard));
    CHECK(is_only(failures(Fault::before_the_start, "relu_forward"), FailKind::guard));
}

TEST_CASE("a changed input is caught") {
    CHECK(is_only(failures(Fault::input_changed, "subtract", "_twice|_add/"), FailKind::input));
}

TEST_CASE("a wrong sign, a wrong tail, an add forgotten and a coarse result exceed their bounds") {
    CHECK(is_only(failures(Fault::wrong_sign, "conv2d_forward", "f32/(normal|wide)"), FailKind::bound));
    CHECK(is_only(failures(Fault::wrong_tail, "gemm", "f32/(normal|wide)"), FailKind::bound));
    CHECK(is_only(failures(Fault::not_added, "column_sum", "_add/f32/normal"), FailKind::bound));
    CHECK(is_only(failures(Fault::bf16_result, "gemm", "f32/normal"), FailKind::bound));
    CHECK(
        is_only(failures(Fault::last_class_forgotten, "softmax_forward", "x(7|10|17)_t./f32/normal"), FailKind::bound));
    CHECK(is_only(failures(Fault::last_of_ties, "max_over_time_forward", "ties"), FailKind::bound));
}

TEST_CASE("a loss without its normalisation or its temperature exceeds its bounds") {
    CHECK(is_only(failures(Fault::omega_not_normalised, "distillation", "n6c10_eq8_hard_omega_t2.*/f32/normal"),
                  FailKind::bound));
    CHECK(is_only(failures(Fault::temperature_squared_missing, "distillation", "n5c10_eq8_hard_t2/f32/normal"),
                  FailKind::bound));
}

TEST_CASE("a dropped NaN and an infinity of the wrong sign are caught") {
    CHECK(is_only(failures(Fault::nan_dropped, "add", "nan_one"), FailKind::nan));
    CHECK(is_only(failures(Fault::infinity_flipped, "add", "inf_one"), FailKind::nan));
}

TEST_CASE("scratch read before it is written shows as NaN") {
    CHECK(is_only(failures(Fault::scratch_read, "bias_add", "f32/normal"), FailKind::nan));
}

TEST_CASE("a result that changes from run to run is caught by same") {
    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    const std::vector<OpCases> table = all_op_cases();
    const CaseReference c = select(table, {.ops = {"relu_forward"}, .id_regex = "/1025/f32/normal"}).at(0);
    FaultyBackend faulty(*cpu, Fault::unsteady), right(*cpu, Fault::none);
    const CaseResult result = CaseChecker(faulty, *reference).same(c, {});
    CHECK(result.status == CaseStatus::fail);
    CHECK(result.kind == FailKind::bits);
    CHECK(result.detail.starts_with("run again: "));
    CHECK(CaseChecker(right, *reference).same(c, {}).status == CaseStatus::pass);
}

TEST_CASE("an argument that should be refused and is taken in silence is caught") {
    const auto reference = open_backend({DeviceKind::reference, 0});
    CaseChecker checker(*reference, *reference);
    std::size_t legal = 0;
    for (OpCases& op : all_op_cases()) {
        const std::vector<std::pair<int, Spoil>> taken = std::exchange(op.legal, {});
        std::size_t caught = 0;
        for (const CaseResult& result : checker.refuses(op)) caught += result.kind == FailKind::refusal ? 1 : 0;
        CAPTURE(op.op);
        CHECK((caught > 0) == !taken.empty());
        legal += taken.size();
    }
    CHECK(legal > 0);
}

TEST_CASE("every op of every family is in the table, and no id stands there twice") {
    const std::vector<OpCases> table = all_op_cases();
    std::set<std::string> ops, ids;
    for (const OpCases& op : table) ops.insert(op.family + "." + op.op);
#define BKD_HAS_CASES(accessor, Class, OPS) \
    for (const char* op : Class::ops) CHECK(ops.count(std::string(#accessor ".") + op) == 1);
    BKD_FAMILIES(BKD_HAS_CASES)
    const std::vector<CaseReference> all = select(table, {.bench = true});
    for (const CaseReference& c : all) CHECK_MESSAGE(ids.insert(c.id()).second, c.id());
    CHECK(ids.size() == all.size());
    MESSAGE(ops.size(), " ops, ", all.size(), " cases");
}

TEST_CASE("filters choose by op, id, dtype, distribution and kind") {
    const std::vector<OpCases> table = all_op_cases();
    for (const CaseReference& c : select(table, {.ops = {"soft*_forward"}})) CHECK(c.op->op == "softmax_forward");
    for (const CaseReference& c : select(table, {.distributions = {"ties"}})) CHECK(c.entry->distribution == "ties");
    CHECK(select(table, {.ops = {"relu_forward"}, .id_regex = "^relu_forward/1025/f32/normal$"}).size() == 1);
    CHECK(select(table, {.ops = {"sgd_step"}, .dtypes = {DType::bf16}}).empty());
    CHECK(select(table, {.ops = {"nothing"}}).empty());
    for (const CaseReference& c : select(table, {.tests = false, .bench = true})) CHECK(c.entry->bench);
    try {
        select(table, {.id_regex = "("});
        FAIL("taken");
    } catch (const InputError& error) { CHECK(error.id() == "E0203"); }
}

TEST_CASE("a bf16 case holds bf16 on the device under test and real numbers on the truth, the same ones") {
    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    for (Backend* backend : {reference.get(), cpu.get()}) {
        const auto stream = backend->make_stream();
        CaseMemory memory(*backend, *stream, {.storage = DType::bf16, .seed = 3}),
            truth(*backend, *stream, {.storage = DType::bf16, .is_truth = true, .seed = 3});
        for (CaseMemory* m : {&memory, &truth}) m->updated({257}, exact());
        const HostTensor narrow = memory.read().at(0), wide = truth.read().at(0);
        CHECK(narrow.dtype == DType::bf16);
        CHECK(wide.dtype == backend->real);
        CHECK(narrow.values == wide.values);
    }
}

TEST_CASE("draws depend on seed and place alone, and follow their distribution") {
    std::vector<float> a(10001), b(10001), c(10001);
    draw(normal(3, 2), {10001}, 7, 0, a);
    draw(normal(3, 2), {10001}, 7, 0, b);
    draw(normal(3, 2), {10001}, 7, 1, c);
    CHECK(a == b);
    CHECK(a != c);
    double mean = 0, square = 0;
    for (const float x : a) mean += x / 10001.0;
    for (const float x : a) square += (x - mean) * (x - mean) / 10000.0;
    CHECK(std::abs(mean - 3) < 0.08);
    CHECK(std::abs(square - 4) < 0.25);
    std::vector<float> rows(30);
    draw(probabilities(), {3, 10}, 7, 0, rows);
    for (std::size_t row = 0; row < 3; ++row) {
        double sum = 0;
        for (std::size_t i = 0; i < 10; ++i) sum += rows[row * 10 + i];
        CHECK(std::abs(sum - 1) < 1e-6);
    }
}

TEST_CASE("timing counts the work of one call") {
    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    const std::vector<OpCases> table = all_op_cases();
    const CaseReference c =
        select(
            table,
            {.ops = {"gemm"}, .id_regex = "m128n10k64_tb_bias", .dtypes = {DType::f32}, .tests = false, .bench = true})
            .at(0);
    const CaseTiming timing = CaseChecker(*cpu, *reference).time(c, {.seconds = 0.01, .warm_seconds = 0.001});
    CHECK(timing.flops == 2.0 * 128 * 10 * 64);
    CHECK(timing.bytes_read == 4 * (128 * 64 + 10 * 64 + 10));
    CHECK(timing.bytes_written == 4 * 128 * 10);
    CHECK(timing.samples >= 5);
    CHECK(timing.median_ns > 0);
    CHECK(timing.min_ns <= timing.median_ns);
}
