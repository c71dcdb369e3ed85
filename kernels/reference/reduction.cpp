// Sums over axes in f64. Contract: kernels/reduction.h
#include "kernels/reduction.h"

#include "kernels/reference/array.h"

#include <cmath>

namespace bkd::kernels::reference {
namespace {

// Where element i of x lies in reduced_shape(x, axes).
std::int64_t reduced_index(const Shape& x, Axes axes, std::int64_t i) {
    std::int64_t at = 0, stride = 1;
    for (int axis = x.rank() - 1; axis >= 0; --axis) {
        if (!axes.has(axis)) {
            at += i % x[axis] * stride;
            stride *= x[axis];
        }
        i /= x[axis];
    }
    return at;
}

}

// y = factor sum of x over axes
void Reduction::sum(Stream&, const Sum& args) const {
    const In x(flat(args.x));
    const Result y(flat(args.y));
    std::vector<double> sums(static_cast<std::size_t>(args.y.view.count()));
    for (std::int64_t i = 0; i < args.x.count(); ++i)
        sums[static_cast<std::size_t>(reduced_index(args.x.shape, args.axes, i))] += x(i);
    for (std::int64_t i = 0; i < args.y.view.count(); ++i) y(i) = args.factor * sums[static_cast<std::size_t>(i)];
}

// y[i] = factor x[i without axes]
void Reduction::broadcast(Stream&, const Broadcast& args) const {
    const In x(flat(args.x));
    const Result y(flat(args.y));
    for (std::int64_t i = 0; i < args.y.view.count(); ++i)
        y(i) = args.factor * x(reduced_index(args.y.view.shape, args.axes, i));
}

// y[c] = sum of x[..., c]
void Reduction::column_sum(Stream&, const ColumnSum& args) const {
    const In x(rows(args.x));
    const Result y(args.y);
    for (std::int64_t c = 0; c < args.x.dim(-1); ++c) {
        double sum = 0;
        for (std::int64_t i = 0; i < args.x.shape.product(0, args.x.rank() - 1); ++i) sum += x(i, c);
        y(c) = sum;
    }
}

void Reduction::count_nonfinite(Stream&, const CountNonfinite& args) const {
    const In x(flat(args.x));
    auto* const count = args.count.view.as<std::int32_t>();
    if (!args.count.accumulate) *count = 0;
    for (std::int64_t i = 0; i < args.x.count(); ++i)
        if (!std::isfinite(x(i)) && *count < std::numeric_limits<std::int32_t>::max()) ++*count;
}

}
