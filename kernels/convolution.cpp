#include "kernels/convolution.h"

namespace bkd::kernels {

Shape convolution_shape(const Shape& x, const Shape& w, const ConvolutionGeometry& g) {
    BKD_CHECK(x.rank() == 4 && w.rank() == 4, "x {} or w {} has not four axes", x.str(), w.str());
    BKD_CHECK(g.groups >= 1 && x[3] == w[3] * g.groups && w[0] % g.groups == 0, "x {} and w {} do not fit {} groups",
              x.str(), w.str(), g.groups);
    Shape y{x[0]};
    for (const int i : {0, 1}) {
        const auto axis = static_cast<std::size_t>(i);
        const std::int64_t room = x[i + 1] + 2 * g.padding[axis] - w[i + 1];
        BKD_CHECK(g.stride[axis] >= 1 && g.padding[axis] >= 0, "stride {}, padding {}", g.stride[axis],
                  g.padding[axis]);
        BKD_CHECK(room >= 0, "filter {} is larger than the padded image {}", w.str(), x.str());
        y.push(room / g.stride[axis] + 1);
    }
    y.push(w[0]);
    return y;
}

}
