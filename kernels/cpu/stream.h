#pragma once
// CpuStream: the CPU's queue. Work runs at once, in the thread that issues it and `threads - 1` helpers of OpenMP. It
// keeps the oneDNN primitives made so far (onednn.h), one a shape, so that a steady step makes and allocates nothing.
#include "kernels/stream.h"

namespace bkd::kernels::cpu {

class PrimitiveCache;

struct CpuOptions {
    int threads = 1;         // of our kernels, whose bits do not depend on it
    int onednn_threads = 1;  // of oneDNN's, whose weight gradients' do
    bool winograd = true;
};

class CpuStream final : public Stream {
public:
    // `primitives_made` outlives the stream and counts what its cache makes.
    CpuStream(Device device, Pool& pool, const CpuOptions& options, std::int64_t& primitives_made);
    ~CpuStream() override;
    void synchronize() override {}
    DType widens_to() const override { return DType::f32; }
    bool multiplies_bf16() const override { return multiplies_bf16_; }
    void convert(const ConstView& x, const View& y) override;  // elementwise.cpp

    const int threads;         // at least 1
    const int onednn_threads;  // of its calls
    const bool winograd;
    const std::unique_ptr<PrimitiveCache> primitives;

private:
    const bool multiplies_bf16_;
};

inline CpuStream& cpu_stream(Stream& stream) {
    BKD_CHECK(stream.device.kind == DeviceKind::cpu, "a stream of {} given to a CPU kernel", stream.device.str());
    return static_cast<CpuStream&>(stream);
}

}
