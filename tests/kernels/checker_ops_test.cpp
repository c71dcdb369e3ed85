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

TEST_CASE("each of the eighteen seeded faults is caught by the check that is there for it") {
    struct Seeded {
        const char* name;
        Fault fault;
        const char *op, *cases;
        FailKind caught;
    };
    for (const Seeded& s : {
             Seeded{"tail off by one", Fault::wrong_tail, "gemm", "f32/(normal|wide)", FailKind::bound},
             {"one element unwritten", Fault::one_element_unwritten, "bias_add", "[0-9]/f32/(normal|ramp)",
              FailKind::unwritten},
             {"one past the end", Fault::past_the_end, "relu_forward", "", FailKind::guard},
             {"one before the start", Fault::before_the_start, "relu_forward", "", FailKind::guard},
             {"scratch read before it is written", Fault::scratch_read, "bias_add", "f32/normal", FailKind::nan},
             {"input changed", Fault::input_changed, "subtract", "_twice|_add/", FailKind::input},
             {"NaN dropped", Fault::nan_dropped, "add", "nan_one", FailKind::nan},
             {"sign of infinity flipped", Fault::infinity_flipped, "add", "inf_one", FailKind::nan},
             {"last of ties", Fault::last_of_ties, "max_over_time_forward", "ties", FailKind::bound},
             {"sums in bf16", Fault::bf16_accumulation, "gemm", "^gemm/m64n64k64(_ta)?(_tb)?/f32/normal",
              FailKind::bound},
             {"not added", Fault::not_added, "column_sum", "_add/f32/normal", FailKind::bound},
             {"output of the call before", Fault::stale, "relu_forward", "/1025/f32/(normal|denormal)",
              FailKind::bound},
             {"filter transposed", Fault::filter_transposed, "conv2d_forward", "k4r3s3_.*f32/(normal|onehot|integers)",
              FailKind::bound},
             {"padding off by one", Fault::padding_off_by_one, "conv2d_forward",
              "n2h8w8c16_.*f32/(normal|onehot|integers)", FailKind::bound},
             {"last class forgotten", Fault::last_class_forgotten, "softmax_forward", "x(7|10|17)_t./f32/normal",
              FailKind::bound},
             {"omega not normalised", Fault::omega_not_normalised, "distillation",
              "n6c10_eq8_hard_omega_t2.*/f32/normal", FailKind::bound},
             {"T squared missing", Fault::temperature_squared_missing, "distillation", "n5c10_eq8_hard_t2/f32/normal",
              FailKind::bound},
         }) {
        CAPTURE(s.name);
        std::string seen;
        const auto kinds = failures(s.fault, s.op, s.cases);
        for (const auto& [kind, count] : kinds) seen += fmt::format(" {} {}", count, name_of(kind));
        CAPTURE(seen);
        CHECK(is_only(kinds, s.caught));
        CHECK(failures(Fault::none, s.op, s.cases).empty());
    }
    // The eighteenth, a race of two writers, shows from run to run alone.
    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    const std::vector<OpCases> table = all_op_cases();
    const CaseReference c = select(table, {.ops = {"relu_forward"}, .id_regex = "/1025/f32/normal"}).at(0);
    FaultyBackend faulty(*cpu, Fault::race), right(*cpu, Fault::none);
    const CaseResult result = CaseChecker(faulty, *reference).same(c, {});
    CHECK(result.status == CaseStatus::fail);
    CHECK(result.kind == FailKind::bits);
    CHECK(result.detail.starts_with("run again: "));
    CHECK(CaseChecker(right, *reference).same(c, {}).status == CaseStatus::pass);
}

TEST_CASE("a wrong sign, a coarse result and a call that writes nothing are caught") {
    CHECK(is_only(failures(Fault::wrong_sign, "conv2d_forward", "f32/(normal|wide)"), FailKind::bound));
    CHECK(is_only(failures(Fault::bf16_result, "gemm", "f32/normal"), FailKind::bound));
    CHECK(failures(Fault::nothing_written, "max_over_time_forward")[FailKind::unwritten] > 0);
    CHECK(failures(Fault::nothing_written, "crop_flip")[FailKind::unwritten] > 0);
}

TEST_CASE("losses below zero, and rows that sum to something else, break invariants that bounds cannot see") {
    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    const std::vector<OpCases> table = all_op_cases();
    int seen = 0;
    for (const CaseReference& c : select(
             table, {.ops = {"softmax_forward", "log_softmax_forward", "cross_entropy", "focal_loss", "distillation"},
                    .id_regex = "f32/normal"})) {
        if (!c.entry->invariant) continue;
        CaseEvidence evidence;
        CHECK(CaseChecker(*cpu, *reference).agrees(c, &evidence).status == CaseStatus::pass);
        if (std::ranges::all_of(evidence.got, [](const HostTensor& t) { return t.values.empty(); })) continue;
        for (HostTensor& tensor : evidence.got)
            for (double& x : tensor.values) x -= 1000;
        CHECK_MESSAGE(!c.entry->invariant(evidence.got).empty(), c.id());
        ++seen;
    }
    CHECK(seen > 300);
}

TEST_CASE("elements at fault that have something in common are described by it") {
    const auto pattern = [](const Shape& shape, std::vector<std::int64_t> at) { return pattern_of(shape, at); };
    CHECK(pattern({2, 3, 5}, {10, 11, 13}) == "all in axis 0 = 0, axis 1 = 2 (last)");
    CHECK(pattern({2, 3, 5}, {4, 9, 14, 19}) == "all in axis 2 = 4 (last)");
    CHECK(pattern({12}, {1, 4, 7, 10}) == "every 3th element, from 1");
    CHECK(pattern({12}, {10, 11}) == "the last 2 elements");
    CHECK(pattern({3}, {0, 1, 2}) == "every element");
    CHECK(pattern({12}, {0, 5, 6}).empty());
    CHECK(pattern({12}, {3}).empty());
    const auto reference = open_backend({DeviceKind::reference, 0}),
               cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    FaultyBackend faulty(*cpu, Fault::last_class_forgotten);
    const std::vector<OpCases> table = all_op_cases();
    const CaseReference c = select(table, {.ops = {"softmax_forward"}, .id_regex = "/5x10_t2/f32/normal"}).at(0);
    CHECK(CaseChecker(faulty, *reference).agrees(c).pattern == "all in axis 1 = 9 (last)");
}

TEST_CASE("tensors lie at all three places within 64 bytes: at the start, one element on, one element before the end") {
    const auto cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 1});
    const auto stream = cpu->make_stream();
    std::set<std::uintptr_t> places;
    for (const int alignment : {0, 1, 2, 3}) {
        CaseMemory memory(*cpu, *stream, {.alignment = alignment});
        for (int t = 0; t < 3; ++t) {
            const auto at = reinterpret_cast<std::uintptr_t>(memory.input({17}).data) % 64;
            if (alignment == 0) CHECK(at == 0);
            places.insert(at);
        }
    }
    CHECK(places == std::set<std::uintptr_t>{0, 4, 60});
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

TEST_CASE("each distribution is drawn by the ops it is for") {
    std::map<std::string, std::set<std::string>> drawn;  // by distribution
    const std::vector<OpCases> table = all_op_cases();
    for (const CaseReference& c : select(table, {})) drawn[c.entry->distribution].insert(c.op->op);
    const std::map<std::string, std::vector<const char*>> wanted = {
        {"uniform", {"image_normalize", "load_images", "mixup", "random_uniform"}},
        {"positive", {"log", "sqrt"}},
        {"integers",
         {"conv2d_forward", "conv2d_backward", "gemm", "sum", "column_sum", "embedding_backward", "add",
          "max_pool_backward"}},
        {"ones", {"sum", "column_sum", "log", "batch_norm_forward"}},
        {"zeros", {"exp", "sqrt", "log", "divide", "cosine_linear_forward", "cross_entropy", "distillation"}},
        {"neg_zero", {"relu_forward", "relu_backward"}},
        {"ramp",
         {"gemm", "conv2d_forward", "conv2d_backward", "bias_add", "slice_copy", "slice_scatter", "broadcast", "sum",
          "column_sum", "shortcut_a_forward", "embedding_forward", "max_pool_forward", "avg_pool_forward",
          "avg_pool_backward", "global_avg_pool_forward", "scale_rows"}},
        {"onehot",
         {"gemm", "conv2d_forward", "conv2d_backward", "sum", "column_sum", "avg_pool_forward", "max_pool_backward",
          "embedding_backward"}},
        {"cancel", {"gemm", "conv2d_forward", "sum", "column_sum", "cosine_linear_forward", "embedding_backward"}},
        {"wide", {"gemm", "conv2d_forward", "sum", "column_sum", "add", "divide", "log", "sqrt", "avg_pool_forward"}},
        {"huge", {"add", "subtract", "multiply", "divide", "scale", "max_pool_forward", "max_over_time_forward"}},
        {"denormal",
         {"add", "subtract", "scale", "relu_forward", "log", "sqrt", "max_pool_forward", "slice_copy",
          "embedding_forward", "shortcut_a_forward"}},
        {"nan_one",
         {"gemm", "conv2d_forward", "relu_forward", "softmax_forward", "cross_entropy", "distillation", "focal_loss",
          "batch_norm_forward", "batch_norm_inference", "max_pool_forward", "avg_pool_forward", "count_nonfinite",
          "bias_add", "max_over_time_forward"}},
        {"inf_one", {"gemm", "conv2d_forward", "add", "exp", "sum", "max_pool_forward", "batch_norm_inference"}},
        {"ties", {"max_pool_forward", "max_over_time_forward", "relu_backward", "softmax_forward", "cross_entropy"}},
        {"logit_extreme", {"softmax_forward", "log_softmax_forward", "cross_entropy", "focal_loss", "distillation"}},
        {"p_tiny", {"softmax_forward", "log_softmax_forward", "cross_entropy", "distillation"}},
        {"count_extreme", {"cross_entropy", "distillation"}},
        {"minus_inf_one", {"softmax_forward", "log_softmax_forward", "distillation", "exp"}}};
    for (const auto& [name, ops] : wanted)
        for (const char* op : ops) CHECK_MESSAGE(drawn[name].contains(op), op << " draws from no " << name);
    // A sum that overflows depends on its order, and a product of denormal numbers is 0.
    for (const char* op : {"sum", "gemm", "conv2d_forward"}) {
        CHECK_FALSE(drawn["huge"].contains(op));
        CHECK_FALSE(drawn["denormal"].contains(op));
    }
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
