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
                if (dtype == DType::bf16 && entry.f32_only) continue;
                if (!(entry.bench ? filter.bench : filter.tests) || !has(filter.distributions, entry.distribution))
                    continue;
                CaseReference reference{&op, &entry, dtype};
                if (pattern.found_in(reference.id())) selected.push_back(reference);
            }
        }
    }
    return selected;
}

std::vector<std::pair<std::size_t, View>> spoiled_views(const ViewArguments& views, const SpoiledArgument& how) {
    const auto mutable_view = [](const ConstView& v) {
        return View{const_cast<void*>(v.data), v.shape, v.dtype, v.device};
    };
    const auto at = static_cast<std::size_t>(how.view);
    if (at >= views.size()) return {};
    View wrong = mutable_view(views[at].view);
    const int rank = wrong.rank();
    switch (how.spoil) {
        case Spoil::rank:
            if (rank == Shape::max_rank) return {};
            wrong.shape.push(1);
            break;
        case Spoil::extent:
            if (rank == 0) return {};
            wrong.shape.set(-1, wrong.shape[-1] + 1);
            break;
        case Spoil::dtype:
            wrong.dtype = DType::i64;
            break;
        case Spoil::empty:
            if (rank == 0 || wrong.count() == 0) return {};
            wrong.shape.set(-1, 0);
            break;
        case Spoil::overlap:
            if (!views[at].is_output || wrong.count() == 0) return {};
            for (std::size_t other = 0; other < views.size(); ++other) {
                const ConstView& v = views[other].view;
                // One element alone may be legal: an op may lie on its own input.
                if (other == at || v.data == wrong.data || v.count() < 2 || v.dtype != wrong.dtype) continue;
                wrong.data = static_cast<std::byte*>(const_cast<void*>(v.data)) + v.bytes() - size_of(v.dtype);
                return {{at, wrong}};
            }
            return {};
        case Spoil::overflow: {
            if (rank < 2) return {};
            std::vector<std::pair<std::size_t, View>> all;
            for (std::size_t other = 0; other < views.size(); ++other) {
                if (views[other].view.shape != views[at].view.shape) continue;
                View huge = mutable_view(views[other].view);
                for (const int axis : {0, 1}) huge.shape.set(axis, std::int64_t{1} << 32);
                all.emplace_back(other, huge);
            }
            return all;
        }
    }
    return {{at, wrong}};
}

}
