#include "tools/bench/inference_bench.h"

#include "tools/bench/times.h"

namespace bkd {

InferenceBench bench_inference(const TrainingStepOptions& o, std::int64_t batches) {
    Runtime runtime(o.device, o.backend, o.dtype);
    Context ctx(runtime);
    const auto network = make_network({.name = o.network, .classes = o.classes, .channels = o.channels});
    network->parameters().materialise(ctx, 1, "student");
    network->fold(ctx);
    const BenchImages images(ctx, o);
    InferenceBench result;
    result.description = runtime.backend->description();
    const auto run = [&] { return (*network)(ctx, images.load(ctx)); };
    for (int i = 0; i < 3; ++i) {
        const std::vector<float> logits = ctx.download_f32(run());
        result.logits.assign(logits.begin(), logits.begin() + 5);
    }
    const PoolStatistics& pool = runtime.backend->pool().statistics();
    const std::int64_t requests = pool.system_requests;
    Times times;
    for (std::int64_t i = 0; i < batches; ++i)
        times.add([&] {
            run();
            runtime.stream->synchronize();
        });
    result.steady_requests = pool.system_requests - requests;
    result.min_ms = times.least();
    result.quartile_ms = times.quartile();
    result.median_ms = times.median();
    result.pool_bytes = pool.peak_bytes;
    return result;
}

}
