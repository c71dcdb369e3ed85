// Every op of the CUDA backend, its own kernels and host code executed on the CPU, against `reference` over the table of
// cases: f32 and bf16, the same bits again, spoiled arguments.
#include "kernels/cases/check.h"
#include "kernels/cuda/host/runtime.h"

#include <doctest/doctest.h>

using namespace bkd;
using namespace bkd::kernels;

namespace {

void check_passed(const CaseResult& result) {
    CHECK_MESSAGE(result.status == CaseStatus::pass,
                  fmt::format("{} seed {}: {}: {}", result.id, result.seed, name_of(result.kind), result.detail));
}

void passes_all_cases(const char* op) {
    const std::vector<OpCases> table = all_op_cases();
    const auto reference = open_backend({DeviceKind::reference, 0}), cuda = open_backend({DeviceKind::cuda, 0});
    CaseChecker checker(*cuda, *reference);
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const CaseReference& c : select(table, {.ops = {op}, .dtypes = {dtype}})) {
            check_passed(checker.agrees(c));
            check_passed(checker.same(c, {}));
        }
    for (const OpCases& cases : table)
        if (cases.op == op)
            for (const CaseResult& result : checker.refuses(cases)) check_passed(result);
    CHECK(simt::tally().faults.empty());
}

}

TEST_CASE("with TF32 allowed, convolutions of numbers that TF32 holds exactly agree with reference") {
    const auto reference = open_backend({DeviceKind::reference, 0});
    const auto cuda = open_backend({DeviceKind::cuda, 0}, {.tf32 = true});
    CaseChecker checker(*cuda, *reference);
    const std::vector<OpCases> table = all_op_cases();
    for (const CaseReference& c :
         select(table, {.ops = {"conv2d*"}, .id_regex = "/(integers|onehot)$", .dtypes = {DType::f32}})) {
        check_passed(checker.agrees(c));
        check_passed(checker.same(c, {}));
    }
}

#define TEST_OP(op, Args) \
    TEST_CASE(#op " agrees with reference when its kernels are executed on the host") { passes_all_cases(#op); }
#define TEST_FAMILY(accessor, Class, OPS) OPS(TEST_OP)
BKD_FAMILIES(TEST_FAMILY)
