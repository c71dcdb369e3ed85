// Maximum over time in f64. Contract: kernels/sequence.h
#include "kernels/sequence.h"

#include "kernels/reference/array.h"

#include <cmath>

namespace bkd::kernels::reference {

// y[b,k] = max over l of x[b,l,k]
void Sequence::max_over_time_forward(Stream&, const MaxOverTimeForward& args) const {
    const In x(args.x);
    const Result y(args.y);
    const Strides at(args.y.shape);
    std::int32_t* index = args.index.as<std::int32_t>();
    for (std::int64_t b = 0; b < args.y.dim(0); ++b)
        for (std::int64_t k = 0; k < args.y.dim(1); ++k) {
            std::int64_t best = 0;
            for (std::int64_t l = 1; l < args.x.dim(1); ++l)
                if (x(b, l, k) > x(b, best, k) || (std::isnan(x(b, l, k)) && !std::isnan(x(b, best, k)))) best = l;
            y(b, k) = x(b, best, k);
            index[at(b, k)] = static_cast<std::int32_t>(best);
        }
}

// dx[b, index[b,k], k] = dy[b,k], all else 0
void Sequence::max_over_time_backward(Stream&, const MaxOverTimeBackward& args) const {
    const In dy(args.dy);
    const In<std::int32_t> index(args.index);
    const Result dx(args.dx);
    const Shape& x = args.dx.view.shape;
    for (std::int64_t b = 0; b < x[0]; ++b)
        for (std::int64_t k = 0; k < x[2]; ++k) {
            BKD_CHECK(index(b, k) >= 0 && index(b, k) < x[1], "index {} in dx {}", index(b, k), x.str());
            for (std::int64_t l = 0; l < x[1]; ++l) dx(b, l, k) = l == index(b, k) ? dy(b, k) : 0.0;
        }
}

}
