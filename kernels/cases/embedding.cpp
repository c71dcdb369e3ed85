// Cases of kernels/embedding.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

struct Table {
    std::int64_t b, l, v, d;
    std::string name() const { return fmt::format("b{}l{}v{}d{}", b, l, v, d); }
};
std::vector<Table> tables() {
    return {{1, 1, 1, 1},  {2, 3, 5, 7}, {3, 11, 4, 16}, {5, 17, 1000, 50},
            {4, 9, 3, 17}, {0, 5, 3, 4}, {3, 0, 2, 5},   {2, 513, 7, 33}};
}

}

Cases<EmbeddingForward> cases(const EmbeddingForward*) {
    Cases<EmbeddingForward> all;
    const auto make = [](CaseMemory& m, const Table& t, const Draw& from) {
        return EmbeddingForward{.tokens = m.labels({t.b, t.l}, t.v),
                                .w = m.input({t.v, t.d}, from),
                                .y = m.output({t.b, t.l, t.d}, exact())};
    };
    for (const Table& t : tables())
        for (const Draw& from : {normal(), ramp(), denormal(), nan_some()})
            all.add(t.name(), from, [=](CaseMemory& m) { return make(m, t, from); });
    all.bench("b50l64v30000d300", [=](CaseMemory& m) { return make(m, {50, 64, 30000, 300}, normal()); });
    return all;
}

Cases<EmbeddingBackward> cases(const EmbeddingBackward*) {
    Cases<EmbeddingBackward> all;
    const auto make = [](CaseMemory& m, const Table& t, const Draw& from, bool add, std::int64_t padding) {
        // One row may gather every token, in the order of the tokens: as good as one after another.
        return EmbeddingBackward{.tokens = m.labels({t.b, t.l}, t.v),
                                 .dy = m.input({t.b, t.l, t.d}, from),
                                 .dw = m.result_f32({t.v, t.d}, products(t.b * t.l), add),
                                 .padding_index = padding};
    };
    for (const Table& t : tables())
        for (const Draw& from : {normal(), integers(), onehot(), cancel()})
            for (const bool add : {false, true})
                for (const std::int64_t padding : {std::int64_t{-1}, std::int64_t{0}, t.v - 1}) {
                    if (padding == 0 && t.v == 1) continue;  // the last row is the first
                    all.add(fmt::format("{}_pad{}{}", t.name(), padding, add ? "_add" : ""), from,
                            [=](CaseMemory& m) { return make(m, t, from, add, padding); });
                }
    all.bench("b50l64v30000d300", [=](CaseMemory& m) { return make(m, {50, 64, 30000, 300}, normal(), false, 0); });
    return all;
}

BKD_CASES_OF(embedding, Embedding, BKD_EMBEDDING_OPS)

}
