// Every op of every family on `cpu` against `reference` over the table of cases, in f32 and bf16, and `reference` in bf16
// against itself in f64: one test an op, made from the lists of the families, so that none can be forgotten.
#include "kernels/cases/check.h"

#include <doctest/doctest.h>

using namespace bkd;
using namespace bkd::kernels;

namespace {

struct Devices {
    std::vector<OpCases> table = all_op_cases();
    std::unique_ptr<Backend> reference = open_backend({DeviceKind::reference, 0});
    std::unique_ptr<Backend> cpu = open_backend({DeviceKind::cpu, 0}, {.threads = 2});

    std::vector<CaseReference> cases(const char* op, std::vector<DType> dtypes = {}) const {
        return select(table, {.ops = {op}, .dtypes = std::move(dtypes)});
    }
    const OpCases& op(const std::string& name) const {
        for (const OpCases& entry : table)
            if (entry.op == name) return entry;
        throw LogicError("no op " + name);
    }
};

void check_passed(const CaseResult& result) {
    CHECK_MESSAGE(result.status == CaseStatus::pass,
                  fmt::format("{} seed {}: {}: {}", result.id, result.seed, name_of(result.kind), result.detail));
}

void agrees_with_reference(const char* op) {
    const Devices devices;
    CaseChecker checker(*devices.cpu, *devices.reference);
    const std::vector<CaseReference> cases = devices.cases(op);
    CHECK(cases.size() >= 5);
    double worst = 0;
    for (const CaseReference& c : cases) {
        const CaseResult result = checker.agrees(c);
        check_passed(result);
        worst = std::max(worst, result.worst_ratio);
    }
    MESSAGE(fmt::format("{}: {} cases, worst error {:.3f} of its bound", op, cases.size(), worst));
}

void rounds_on_reference(const char* op) {
    const Devices devices;
    CaseChecker checker(*devices.reference, *devices.reference);
    for (const CaseReference& c : devices.cases(op, {DType::bf16})) check_passed(checker.agrees(c));
}

// Convolutions and products are oneDNN's, which divides its work by the number of threads: equal bits for the same
// number.
void gives_the_same_bits(const char* op) {
    const Devices devices;
    const auto one = open_backend({DeviceKind::cpu, 0}, {.threads = 1}),
               three = open_backend({DeviceKind::cpu, 0}, {.threads = 3});
    CaseChecker checker(*devices.cpu, *devices.reference);
    Backend* const others[] = {one.get(), three.get()};
    for (const CaseReference& c : devices.cases(op, {DType::f32})) check_passed(checker.same(c, others));
    // bf16 runs the same bodies between two roundings that look at one element each: every fourth case.
    const std::vector<CaseReference> narrow = devices.cases(op, {DType::bf16});
    for (std::size_t i = 0; i < narrow.size(); i += 4) check_passed(checker.same(narrow[i], others));
}

void refuses_spoiled_arguments(const char* op) {
    const Devices devices;
    const OpCases& cases = devices.op(op);
    for (Backend* backend : {devices.cpu.get(), devices.reference.get()}) {
        CaseChecker checker(*backend, *devices.reference);
        const std::vector<CaseResult> results = checker.refuses(cases);
        CHECK(results.size() + cases.legal.size() >= 3);
        for (const CaseResult& result : results) check_passed(result);
    }
}

}

#define TEST_OP(op, Args)                                                                                  \
    TEST_CASE(#op " agrees with reference") { agrees_with_reference(#op); }                                \
    TEST_CASE(#op " on reference in bf16 is f64 rounded once") { rounds_on_reference(#op); }               \
    TEST_CASE(#op " gives the same bits again, elsewhere, on other threads") { gives_the_same_bits(#op); } \
    TEST_CASE(#op " refuses spoiled arguments before it writes") { refuses_spoiled_arguments(#op); }
#define TEST_FAMILY(accessor, Class, OPS) OPS(TEST_OP)
BKD_FAMILIES(TEST_FAMILY)
