#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

DType real_on(const Device& device) { return device.kind == DeviceKind::reference ? DType::f64 : DType::f32; }

}

void Checker::typed(const char* name, const ConstView& view, DType type) const {
    if (!view) fail_check(op, name, "is left out");
    if (view.dtype != type)
        fail_check(op, name,
                   fmt::format("{} {} where {} is needed", name_of(view.dtype), view.shape.str(), name_of(type)));
}

void Checker::typed(const char* name, const ConstView& view, DType type, const Shape& shape) const {
    typed(name, view, type);
    if (view.shape != shape) fail_check(op, name, fmt::format("{} where {} is needed", view.shape.str(), shape.str()));
}

void Checker::real(const char* name, const ConstView& view) const { typed(name, view, real_on(view.device)); }

void Checker::real(const char* name, const ConstView& view, const Shape& shape) const {
    typed(name, view, real_on(view.device), shape);
}

void Checker::stored(const char* name, const ConstView& view) const {
    if (view.dtype != DType::bf16) return real(name, view);
    typed(name, view, DType::bf16);
}

void Checker::stored(const char* name, const ConstView& view, const Shape& shape) const {
    if (view.dtype != DType::bf16) return real(name, view, shape);
    typed(name, view, DType::bf16, shape);
}

void Checker::like(const char* name, const ConstView& view, const ConstView& x) const { like(name, view, x, x.shape); }

void Checker::like(const char* name, const ConstView& view, const ConstView& x, const Shape& shape) const {
    typed(name, view, x.dtype, shape);
}

void Checker::like_or_real(const char* name, const ConstView& view, const ConstView& x, const Shape& shape) const {
    if (view.dtype == x.dtype) return like(name, view, x, shape);
    real(name, view, shape);
}

void Checker::optional_real(const char* name, const ConstView& view, const Shape& shape) const {
    if (view) real(name, view, shape);
}

void Checker::optional_like(const char* name, const ConstView& view, const ConstView& x) const {
    if (view) like(name, view, x);
}

void Checker::optional_typed(const char* name, const ConstView& view, DType type, const Shape& shape) const {
    if (view) typed(name, view, type, shape);
}

void Checker::one_or_each(const char* name, const ConstView& view, std::int64_t n) const {
    real(name, view);
    if (view.shape != Shape{1} && view.shape != Shape{n})
        fail_check(op, name, fmt::format("{} where [1] or [{}] is needed", view.shape.str(), n));
}

void Checker::rank(const char* name, const ConstView& view, int at_least, int at_most) const {
    if (view.rank() < at_least || view.rank() > at_most)
        fail_check(op, name,
                   fmt::format(
                       "{} has {} axes where {} are needed", view.shape.str(), view.rank(),
                       at_least == at_most ? fmt::format("{}", at_least) : fmt::format("{} to {}", at_least, at_most)));
}

void Checker::apart(const ViewArguments& all, std::initializer_list<Pair> may_be_same) const {
    for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (all[i].is_output || all[j].is_output) disjoint(all[i].view, all[j].view, may_be_same);
}

void Checker::disjoint(const ConstView& a, const ConstView& b, std::initializer_list<Pair> may_be_same) const {
    const auto first_of = [](const ConstView& v) { return reinterpret_cast<std::uintptr_t>(v.data); };
    const auto end_of = [&](const ConstView& v) { return first_of(v) + static_cast<std::uintptr_t>(v.bytes()); };
    if (a.bytes() == 0 || b.bytes() == 0 || end_of(a) <= first_of(b) || end_of(b) <= first_of(a)) return;
    if (a.data == b.data && a.bytes() == b.bytes())
        for (const auto& [x, y] : may_be_same)
            if (x.data == a.data && y.data == a.data) return;
    fail_check(op, "arguments lie apart", fmt::format("an output overlaps: {} and {}", a.shape.str(), b.shape.str()));
}

}
