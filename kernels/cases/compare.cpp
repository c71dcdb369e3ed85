#include "kernels/cases/check.h"

#include <algorithm>
#include <limits>

namespace bkd::kernels {
namespace {

constexpr double u = 0x1p-24;

std::vector<std::int64_t> index_of(const Shape& shape, std::int64_t flat) {
    std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
    for (int i = shape.rank() - 1; i >= 0; --i) {
        index[static_cast<std::size_t>(i)] = flat % shape[i];
        flat /= shape[i];
    }
    return index;
}

std::string joined(const std::vector<std::int64_t>& index) {
    std::string text;
    for (const std::int64_t i : index) text += (text.empty() ? "" : ",") + std::to_string(i);
    return text;
}

// The truth as the dtype of the output can hold it: 1e39 is an infinity in f32. Where nothing but the last rounding is
// allowed (`is_exact`), it is rounded too: 257 is 256 in bf16; elsewhere the bound has room for half a unit of bf16.
double representable(double x, DType dtype, bool is_exact) {
    if (dtype != DType::f32 && dtype != DType::bf16) return x;
    if (std::abs(x) > std::numeric_limits<float>::max() * (1 + u / 2)) return std::copysign(HUGE_VAL, x);
    if (dtype == DType::f32 || !std::isfinite(x)) return x;
    const float rounded = rounded_to_bf16(static_cast<float>(x));
    return is_exact || !std::isfinite(rounded) ? rounded : x;
}

struct Comparison {
    const HostTensor& got;
    const HostTensor& want;
    double scale;
};

// The distance to the next number of the dtype at x.
double unit_in_last_place(double x, DType dtype) {
    const int bits = dtype == DType::bf16 ? 7 : dtype == DType::f32 ? 23 : 52;
    const int lowest = dtype == DType::f64 ? -1022 : -126;
    const int exponent = x == 0 ? lowest : std::max(std::ilogb(x), lowest);
    return std::ldexp(1.0, exponent - bits);
}

constexpr std::size_t most_listed = 4096;  // elements at fault that a pattern is looked for in

void fail(CaseResult& result, FailKind kind, std::size_t tensor, const HostTensor& at, std::size_t i, double want,
          double bound, std::vector<std::int64_t>& listed) {
    ++result.faults;
    const bool is_first = result.status != CaseStatus::fail;
    if ((is_first || result.tensor == static_cast<int>(tensor)) && listed.size() < most_listed)
        listed.push_back(static_cast<std::int64_t>(i));
    if (!is_first) return;
    result.status = CaseStatus::fail;
    result.kind = kind;
    result.tensor = static_cast<int>(tensor);
    result.index = index_of(at.shape, static_cast<std::int64_t>(i));
    result.got = at.values[i];
    result.want = want;
    result.bound = bound;
}

// One kind of fault over all elements of one output; the kinds are looked for one after another over all outputs.
void compare_elements(FailKind kind, std::size_t tensor, const Comparison& c, CaseResult& result,
                      std::vector<std::int64_t>& listed) {
    for (std::size_t i = 0; i < c.got.values.size(); ++i) {
        const double got = c.got.values[i], want = representable(c.want.values[i], c.got.dtype, c.got.bound.is_exact());
        if (kind == FailKind::unwritten) {
            if (c.got.is_unwritten[i] && got != want) fail(result, kind, tensor, c.got, i, want, 0, listed);
            continue;
        }
        const bool special = !std::isfinite(want) || !std::isfinite(got);
        if (kind == FailKind::nan) {
            if (special && !(std::isnan(got) && std::isnan(want)) && got != want)
                fail(result, kind, tensor, c.got, i, want, 0, listed);
            continue;
        }
        if (special) continue;
        const double error = std::abs(got - want), bound = c.want.limits[i];
        result.max_abs = std::max(result.max_abs, error);
        if (want != 0) result.max_rel = std::max(result.max_rel, error / std::abs(want));
        if (error != 0) {
            result.worst_ratio = std::max(result.worst_ratio, error / bound);
            if (is_real(c.got.dtype)) result.ulp = std::max(result.ulp, error / unit_in_last_place(want, c.got.dtype));
        }
        if (!(error <= bound)) fail(result, kind, tensor, c.got, i, want, bound, listed);
    }
}

void compare_squares(std::size_t tensor, const Comparison& c, CaseResult& result) {
    double error = 0, size = 0;
    for (std::size_t i = 0; i < c.got.values.size(); ++i) {
        const double got = c.got.values[i], want = c.want.values[i];
        if (!std::isfinite(got) || !std::isfinite(want)) continue;
        error += (got - want) * (got - want);
        size += want * want;
    }
    const double nmse = error == 0 || size == 0 ? 0 : error / size;
    const double limit = (c.got.dtype == DType::bf16 ? 1e-4 : c.got.bound.nmse) * c.scale * c.scale;
    // A handful of numbers may all have cancelled, and squares of denormal ones are none.
    constexpr std::size_t fewest = 64;
    if (c.got.values.size() < fewest || size < 1e-60 || result.status == CaseStatus::fail) return;
    result.nmse = std::max(result.nmse, nmse);
    if (nmse <= limit) return;
    result.status = CaseStatus::fail;
    result.kind = FailKind::nmse;
    result.tensor = static_cast<int>(tensor);
    result.detail = fmt::format("tensor {} {}: normalised squared error {:.3g}, limit {:.3g}", tensor,
                                c.got.shape.str(), nmse, limit);
}

// Guards and inputs: what a kernel must leave alone.
bool is_unharmed(const std::vector<HostTensor>& got, CaseResult& result) {
    for (std::size_t t = 0; t < got.size(); ++t) {
        const bool is_input = got[t].role == HostTensor::Role::input;
        if (got[t].guards_intact && !(is_input && got[t].is_changed)) continue;
        result.status = CaseStatus::fail;
        result.kind = got[t].guards_intact ? FailKind::input : FailKind::guard;
        result.tensor = static_cast<int>(t);
        result.detail = fmt::format("tensor {} {}: {}", t, got[t].shape.str(),
                                    got[t].guards_intact ? "an input was changed" : "written outside of it");
        return false;
    }
    return true;
}

}

std::vector<double> limits_of(const HostTensor& got, const HostTensor& want, const HostTensor* magnitudes,
                              double tolerance_scale) {
    const Bound& b = got.bound;
    std::vector<double> limits(want.values.size());
    if (b.is_exact()) return limits;
    double largest = 0;  // finite magnitude
    for (const double x : want.values)
        if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
    for (std::size_t i = 0; i < limits.size(); ++i) {
        const double size = std::abs(want.values[i]);
        const double terms = b.terms == 0 ? 0 : b.terms * std::abs(magnitudes->values[i]);
        const double storage = got.dtype == DType::bf16 ? size * 0x1p-8 : 0;
        limits[i] =
            tolerance_scale * (u * (terms + b.rounding * size + b.largest * largest) + b.absolute + 0x1p-124 + storage);
    }
    return limits;
}

std::string pattern_of(const Shape& shape, std::span<const std::int64_t> elements) {
    if (elements.size() < 2) return {};
    if (static_cast<std::int64_t>(elements.size()) == shape.count()) return "every element";
    std::string text;
    for (int axis = 0; axis < shape.rank(); ++axis) {
        if (shape[axis] < 2) continue;
        const std::int64_t inner = shape.product(axis + 1, shape.rank());
        const auto coordinate = [&](std::int64_t i) { return i / inner % shape[axis]; };
        const std::int64_t first = coordinate(elements[0]);
        if (!std::all_of(elements.begin(), elements.end(), [&](std::int64_t i) { return coordinate(i) == first; }))
            continue;
        text += fmt::format("{}axis {} = {}{}", text.empty() ? "all in " : ", ", axis, first,
                            first == shape[axis] - 1 ? " (last)" : "");
    }
    const std::int64_t step = elements[1] - elements[0];
    bool is_regular = step > 1;
    for (std::size_t i = 1; i < elements.size(); ++i) is_regular &= elements[i] - elements[i - 1] == step;
    if (text.empty() && is_regular) text = fmt::format("every {}th element, from {}", step, elements[0]);
    const bool is_tail = elements.back() == shape.count() - 1 &&
                         elements.back() - elements.front() + 1 == static_cast<std::int64_t>(elements.size());
    if (text.empty() && is_tail) text = fmt::format("the last {} elements", elements.size());
    return text;
}

void compare(const std::vector<HostTensor>& got, const std::vector<HostTensor>& want, double tolerance_scale,
             CaseResult& result) {
    BKD_CHECK(got.size() == want.size(), "{} tensors against {}", got.size(), want.size());
    if (!is_unharmed(got, result)) return;
    std::vector<std::pair<std::size_t, Comparison>> outputs;
    for (std::size_t t = 0; t < got.size(); ++t) {
        if (got[t].role == HostTensor::Role::input) continue;
        BKD_CHECK(want[t].values.size() == got[t].values.size() && want[t].limits.size() == got[t].values.size(),
                  "tensor {}: {} elements against {} with {} limits", t, got[t].values.size(), want[t].values.size(),
                  want[t].limits.size());
        outputs.emplace_back(t, Comparison{got[t], want[t], tolerance_scale});
        result.elements += static_cast<std::int64_t>(got[t].values.size());
    }
    std::vector<std::int64_t> listed;
    for (const FailKind kind : {FailKind::unwritten, FailKind::nan, FailKind::bound}) {
        for (const auto& [tensor, c] : outputs) compare_elements(kind, tensor, c, result, listed);
        if (result.status != CaseStatus::fail) continue;
        const Shape& shape = got[static_cast<std::size_t>(result.tensor)].shape;
        result.pattern = pattern_of(shape, listed);
        result.detail = fmt::format(
            "tensor {} {}: {} of {} elements {}, first at [{}] = got {:.9g} want {:.9g} bound {:.3g} ({:.3g}x)",
            result.tensor, shape.str(), result.faults, result.elements,
            kind == FailKind::bound ? "beyond bound" : name_of(kind), joined(result.index), result.got, result.want,
            result.bound, result.worst_ratio);
        return;
    }
    for (const auto& [tensor, c] : outputs) compare_squares(tensor, c, result);
}

}
