#include "kernels/reduction.h"

namespace bkd::kernels {

Shape reduced_shape(const Shape& x, Axes axes) {
    Shape y;
    for (int i = 0; i < x.rank(); ++i)
        if (!axes.has(i)) y.push(x[i]);
    return y;
}

}
