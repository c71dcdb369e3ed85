#include "kernels/cases/table.h"

#include "kernels/cases/pattern.h"

#include <fnmatch.h>

#include <algorithm>

namespace bkd::kernels {

#define BKD_DECLARE(accessor, Class, OPS) void append_##accessor(std::vector<OpCases>& table);
BKD_FAMILIES(BKD_DECLARE)
#undef BKD_DECLARE

std::vector<OpCases> all_op_cases() {
    std::vector<OpCases> table;
#define BKD_APPEND(accessor, Class, OPS) append_##accessor(table);
    BKD_FAMILIES(BKD_APPEND)
#undef BKD_APPEND
    return table;
}

std::vector<CaseReference> select(const std::vector<OpCases>& table, const CaseFilter& filter) {
    const CasePattern pattern(filter.id_regex);
    const auto has = [](const auto& list, const auto& value) {
        return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
    };
    std::vector<CaseReference> selected;
    for (const OpCases& op : table) {
        const auto matches = [&](const std::string& glob) { return fnmatch(glob.c_str(), op.op.c_str(), 0) == 0; };
        if (!filter.ops.empty() && std::none_of(filter.ops.begin(), filter.ops.end(), matches)) continue;
        for (const DType dtype : {DType::f32, DType::bf16}) {
            if ((dtype == DType::bf16 && !op.has_bf16) || !has(filter.dtypes, dtype)) continue;
            for (const CaseEntry& entry : op.entries) {
                if (!(entry.bench ? filter.bench : filter.tests) || !has(filter.distributions, entry.distribution))
                    continue;
                CaseReference reference{&op, &entry, dtype};
                if (pattern.found_in(reference.id())) selected.push_back(reference);
            }
        }
    }
    return selected;
}

bool spoil_view(Shape& shape, DType& dtype, Spoil how) {
    switch (how) {
        case Spoil::rank:
            if (shape.rank() == Shape::max_rank) return false;
            shape.push(1);
            return true;
        case Spoil::extent:
            if (shape.rank() == 0) return false;
            shape.set(-1, shape[-1] + 1);
            return true;
        case Spoil::dtype:
            dtype = DType::i64;
            return true;
    }
    return false;
}

}
