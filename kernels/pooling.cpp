#include "kernels/pooling.h"

namespace bkd::kernels {

Shape pooling_shape(const Shape& x, const Window& window) {
    BKD_CHECK(x.rank() == 4, "x {} has not four axes", x.str());
    Shape y{x[0]};
    for (const int i : {0, 1}) {
        const auto axis = static_cast<std::size_t>(i);
        const std::int64_t kernel = window.kernel[axis], stride = window.stride[axis], padding = window.padding[axis];
        BKD_CHECK(kernel >= 1 && stride >= 1 && padding >= 0 && 2 * padding <= kernel,
                  "kernel {}, stride {}, padding {}", kernel, stride, padding);
        const std::int64_t room = x[i + 1] + 2 * padding - kernel;
        BKD_CHECK(room >= 0, "kernel {} is larger than the padded image {}", kernel, x.str());
        y.push(room / stride + 1);
    }
    y.push(x[3]);
    return y;
}

}
