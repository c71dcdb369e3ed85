#include "tools/bench/ceilings.h"

#include "engine/context.h"
#include "tools/bench/times.h"

namespace bkd {

Ceilings measure_ceilings(Device device, const BackendOptions& options) {
    constexpr std::int64_t count = 32 << 20, n = 1536;
    Runtime runtime(device, options);
    const Context ctx(runtime);
    const Tensor from = ctx.full({count}, 1), to = ctx.full({count}, 0), a = ctx.full({n, n}, 1),
                 c = ctx.full({n, n}, 0);
    Times copies, products;
    for (int i = 0; i < 5; ++i) {
        copies.add([&] {
            ctx.elementwise().scale({.x = from, .y = to, .factor = 1});
            runtime.stream->synchronize();
        });
        products.add([&] {
            ctx.matmul().gemm({.a = a, .b = a, .out = c});
            runtime.stream->synchronize();
        });
    }
    return {2.0 * static_cast<double>(count) * sizeof(float) / copies.least() * 1e-6,
            2.0 * static_cast<double>(n * n * n) / products.least() * 1e-6};
}

}
