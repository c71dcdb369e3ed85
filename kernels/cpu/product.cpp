// Products by oneDNN's sgemm.
#include "kernels/cpu/product.h"

#include "kernels/cpu/onednn.h"

namespace bkd::kernels::cpu {

void multiply_large(CpuStream& stream, const Product& p) {
    const auto text = [&] { return fmt::format("product [{}, {}] x [{}, {}]", p.m, p.k, p.k, p.n); };
    onednn_call(stream, text, [&] {
        stream.primitives->require_room_once();
        dnnl::error::wrap_c_api(
            dnnl_sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n, p.k, 1.0f, p.a,
                       p.transpose_a ? p.m : p.k, p.b, p.transpose_b ? p.k : p.n, p.accumulate ? 1.0f : 0.0f, p.c, p.n),
            "sgemm failed");
    });
}

}
