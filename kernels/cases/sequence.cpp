// Cases of kernels/sequence.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

std::vector<Shape> shapes() {
    return {{2, 5, 3}, {1, 1, 1}, {3, 7, 8}, {2, 9, 17}, {4, 1, 5}, {3, 64, 100}, {0, 3, 4}, {2, 3, 0}, {5, 33, 15}};
}
MaxOverTimeBackward backward(CaseMemory& m, const Shape& x, bool add) {
    const Shape y{x[0], x[2]};
    return {.dy = m.input(y), .index = m.labels(y, x[1]), .dx = m.result(x, add ? rounded(1) : exact(), add)};
}
MaxOverTimeForward forward(CaseMemory& m, const Shape& x, const Draw& from) {
    const Shape y{x[0], x[2]};
    return {.x = m.input(x, from), .y = m.output(y, exact()), .index = m.output_of(y, DType::i32)};
}

}

Cases<MaxOverTimeForward> cases(const MaxOverTimeForward*) {
    Cases<MaxOverTimeForward> all;
    for (const Shape& x : shapes())
        for (const Draw& from : {normal(), ties(), Draw{"negative", Draw::Kind::normal, -1000, 1}, ramp(), inf_one(),
                                 nan_one(), huge(), denormal()})
            all.add(text(x), from, [=](CaseMemory& m) { return forward(m, x, from); });
    all.bench("50x62x100", [](CaseMemory& m) { return forward(m, {50, 62, 100}, normal()); });
    return all;
}

Cases<MaxOverTimeBackward> cases(const MaxOverTimeBackward*) {
    Cases<MaxOverTimeBackward> all;
    for (const Shape& x : shapes())
        for (const bool add : {false, true})
            all.add(text(x) + (add ? "_add" : ""), normal(), [=](CaseMemory& m) { return backward(m, x, add); });
    all.bench("50x62x100", [](CaseMemory& m) { return backward(m, {50, 62, 100}, false); });
    return all;
}

BKD_CASES_OF(sequence, Sequence, BKD_SEQUENCE_OPS)

}
