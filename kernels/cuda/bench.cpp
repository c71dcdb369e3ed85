#include "kernels/cuda/bench.h"

#include "kernels/cuda/stream.h"

#include <algorithm>

namespace bkd::kernels {

using cuda::cuda_stream;

View Bench::view(const Shape& shape, DType dtype) {
    View made{nullptr, shape, dtype, stream_.device};
    blocks_.push_back(stream_.pool.take(static_cast<std::size_t>(made.bytes())));
    made.data = blocks_.back().data;
    return made;
}

void Bench::clear() {
    stream_.synchronize();
    for (const Block& block : blocks_) stream_.pool.give(block);
    blocks_.clear();
}

View Bench::numbers(const Shape& shape, DType dtype) {
    const View position = integers({2}, {0, 0});
    const PhiloxKey key{++drawn_, 7};
    const View made = view(shape, DType::f32);
    backend_.random().random_uniform(stream_, {.y = made, .position = position, .key = key, .low = -1, .high = 1});
    if (dtype == DType::f32) return made;
    const View narrow = view(shape, dtype);
    backend_.elementwise().cast(stream_, {.x = made, .y = narrow});
    stream_.synchronize();
    stream_.pool.give(blocks_[blocks_.size() - 2]);
    blocks_.erase(blocks_.end() - 2);
    return narrow;
}

View Bench::bytes(const Shape& shape) {
    const View position = integers({2}, {0, 0}), made = view(shape, DType::u8);
    backend_.random().random_mask(stream_, {.y = made, .position = position, .key = {++drawn_, 3}});
    return made;
}

View Bench::integers(const Shape& shape, const std::vector<std::int32_t>& values) {
    const View made = view(shape, DType::i32);
    backend_.upload(stream_, made, values.data());
    return made;
}

View Bench::integers_below(const Shape& shape, std::int64_t limit) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(shape.count()));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<std::int32_t>(philox({static_cast<std::uint32_t>(i), 0, 0, 0}, {++drawn_, 5})[0] %
                                              static_cast<std::uint64_t>(limit));
    return integers(shape, values);
}

double Bench::microseconds(const std::function<void()>& launch) {
    constexpr int warm_ups = 3, runs = 15;
    const cudaStream_t queue = cuda_stream(stream_).queue;
    cudaEvent_t start = nullptr, end = nullptr;
    BKD_CUDA(cudaEventCreate(&start), stream_.device);
    BKD_CUDA(cudaEventCreate(&end), stream_.device);
    for (int i = 0; i < warm_ups; ++i) launch();
    std::vector<float> samples;
    for (int i = 0; i < runs; ++i) {
        BKD_CUDA(cudaEventRecord(start, queue), stream_.device);
        launch();
        BKD_CUDA(cudaEventRecord(end, queue), stream_.device);
        BKD_CUDA(cudaEventSynchronize(end), stream_.device);
        float milliseconds = 0;
        BKD_CUDA(cudaEventElapsedTime(&milliseconds, start, end), stream_.device);
        samples.push_back(milliseconds * 1000);
    }
    cudaEventDestroy(start);
    cudaEventDestroy(end);
    std::nth_element(samples.begin(), samples.begin() + runs / 2, samples.end());
    return samples[runs / 2];
}

void Bench::time(const char* name, DType dtype, double bytes, const std::function<void()>& launch) {
    const double us = microseconds(launch), rate = bytes / us * 1e-3;
    fmt::print("{:<34} {:<5} {:>10.1f} us {:>8.0f} MB {:>8.0f} GB/s {:>6.1f} %\n", name, name_of(dtype), us,
               bytes * 1e-6, rate, copy_rate > 0 ? 100 * rate / copy_rate : 100.0);
}

void Bench::time_flops(const std::string& name, DType dtype, double flops, const std::function<void()>& launch) {
    const double us = microseconds(launch);
    fmt::print("{:<58} {:<5} {:>10.1f} us {:>8.2f} TFLOP/s\n", name, name_of(dtype), us, flops / us * 1e-6);
}

namespace {

void element_ops(Bench& b, DType t) {
    const Shape shape{std::int64_t{1} << 27};
    const View x = b.numbers(shape, t), y = b.numbers(shape, t), z = b.numbers(shape, t), u = b.numbers(shape, t);
    const double n = static_cast<double>(x.bytes());
    const Elementwise& ops = b.backend().elementwise();
    const Activation& activation = b.backend().activation();
    Stream& s = b.stream();
    b.time("add", t, 3 * n, [&] { ops.add(s, {x, y, z}); });
    b.time("add, +=", t, 4 * n, [&] { ops.add(s, {x, y, Out(z, true)}); });
    b.time("scale", t, 2 * n, [&] { ops.scale(s, {x, z, 0.5}); });
    b.time("exp", t, 2 * n, [&] { ops.exp(s, {x, z}); });
    b.time("fill", t, n, [&] { ops.fill(s, {z, 1}); });
    b.time("relu_forward", t, 2 * n, [&] { activation.relu_forward(s, {x, z}); });
    b.time("relu_backward", t, 3 * n, [&] { activation.relu_backward(s, {x, y, z}); });
    b.time("add_relu_forward", t, 3 * n, [&] { activation.add_relu_forward(s, {x, y, z}); });
    b.time("add_relu_backward", t, 4 * n, [&] { activation.add_relu_backward(s, {x, y, z, u}); });
    const View mask = b.bytes(shape);
    b.time("dropout", t, 2 * n + static_cast<double>(mask.bytes()), [&] {
        b.backend().random().dropout(s, {x, mask, z, 0.5});
    });
    const View rows = x.reshaped({shape[0] / 1024, 1024}), into = z.reshaped(rows.shape);
    const View bias = b.numbers({1024}, DType::f32), one = b.numbers({1}, DType::f32),
               sums = b.numbers({1024}, DType::f32);
    b.time("bias_add", t, 2 * n, [&] { ops.bias_add(s, {rows, bias, into}); });
    b.time("scale_rows", t, 2 * n, [&] { ops.scale_rows(s, {rows, one, into}); });
    b.time("column_sum", t, n, [&] { b.backend().reduction().column_sum(s, {rows, sums}); });
    const View row_sums = b.numbers({rows.dim(0)}, t), total = b.numbers(Shape{}, t), count = b.integers({1}, {0});
    b.time("sum of rows", t, n, [&] { b.backend().reduction().sum(s, {rows, row_sums, Axes::of({1})}); });
    b.time("sum of all", t, n, [&] { b.backend().reduction().sum(s, {rows, total, Axes::of({0, 1})}); });
    b.time("broadcast over rows", t, n, [&] { b.backend().reduction().broadcast(s, {row_sums, into, Axes::of({1})}); });
    b.time("count_nonfinite", t, n, [&] { b.backend().reduction().count_nonfinite(s, {x, count}); });
    if (t == DType::bf16) {
        const View wide = b.numbers(shape, DType::f32);
        b.time("cast f32 to bf16", t, 3 * n, [&] { ops.cast(s, {wide, z}); });
        b.time("cast bf16 to f32", t, 3 * n, [&] { ops.cast(s, {x, wide}); });
    } else {
        const View position = b.integers({2}, {1, 2});
        const PhiloxKey key{1, 2};
        b.time("random_uniform", t, n, [&] { b.backend().random().random_uniform(s, {z, position, key}); });
        b.time("random_mask", DType::u8, n / 4, [&] {
            b.backend().random().random_mask(s, {mask, position, key, 0.5});
        });
    }
    b.clear();
}

void row_ops(Bench& b, DType t) {
    Stream& s = b.stream();
    for (const std::int64_t c : {100, 1000}) {
        const std::int64_t rows = (std::int64_t{1} << 27) / c;
        const Shape shape{rows, c};
        const View x = b.numbers(shape, t), y = b.numbers(shape, t), z = b.numbers(shape, t);
        const View labels = b.integers_below({rows}, c), loss = b.numbers({1}, DType::f32),
                   omega = b.numbers({c}, DType::f32);
        const double n = static_cast<double>(x.bytes());
        fmt::print("rows of {}\n", c);
        b.time("softmax_forward", t, 2 * n, [&] { b.backend().activation().softmax_forward(s, {x, z}); });
        b.time("log_softmax_backward", t, 3 * n, [&] { b.backend().activation().log_softmax_backward(s, {x, y, z}); });
        b.time("cross_entropy with gradient", t, 2 * n, [&] {
            b.backend().loss().cross_entropy(s, {.z = x, .targets = {.labels = labels}, .loss = loss, .dz = z});
        });
        b.time("distillation (bkd) with gradient", t, 3 * n, [&] {
            b.backend().loss().distillation(
                s, {.z = x, .teacher = y, .targets = {.labels = labels}, .log_omega = omega, .loss = loss, .dz = z});
        });
        b.clear();
    }
}

void norm_ops(Bench& b, DType t) {
    Stream& s = b.stream();
    const Normalization& ops = b.backend().normalization();
    for (const Shape& shape : {Shape{128, 56, 56, 256}, Shape{512, 64, 64, 64}, Shape{8192, 32, 32, 16}}) {
        const std::int64_t c = shape[3];
        const View x = b.numbers(shape, t), r = b.numbers(shape, t), y = b.numbers(shape, t), dx = b.numbers(shape, t);
        const auto channel = [&] { return b.numbers({c}, DType::f32); };
        const View gamma = channel(), beta = channel(), mean = channel(), rstd = channel(), dgamma = channel(),
                   dbeta = channel();
        const double n = static_cast<double>(x.bytes());
        fmt::print("[{}]\n", shape.str());
        b.time("batch_norm_forward relu", t, 3 * n, [&] {
            ops.batch_norm_forward(
                s, {.x = x, .gamma = gamma, .beta = beta, .y = y, .mean = mean, .rstd = rstd, .relu = true});
        });
        b.time("batch_norm_forward residual relu", t, 4 * n, [&] {
            ops.batch_norm_forward(s, {.x = x,
                                       .gamma = gamma,
                                       .beta = beta,
                                       .residual = r,
                                       .y = y,
                                       .mean = mean,
                                       .rstd = rstd,
                                       .relu = true});
        });
        b.time("batch_norm_inference relu", t, 2 * n, [&] {
            ops.batch_norm_inference(s, {.x = x,
                                         .gamma = gamma,
                                         .beta = beta,
                                         .running_mean = mean,
                                         .running_var = rstd,
                                         .y = y,
                                         .relu = true});
        });
        b.time("batch_norm_backward relu", t, 7 * n, [&] {
            ops.batch_norm_backward(s, {.dy = r,
                                        .x = x,
                                        .y = y,
                                        .gamma = gamma,
                                        .mean = mean,
                                        .rstd = rstd,
                                        .dx = dx,
                                        .dgamma = dgamma,
                                        .dbeta = dbeta,
                                        .relu = true});
        });
        b.clear();
    }
}

void image_ops(Bench& b, DType t) {
    Stream& s = b.stream();
    const Pooling& ops = b.backend().pooling();
    {
        const Shape in{256, 112, 112, 64}, out{256, 56, 56, 64};
        const Window window{{3, 3}, {2, 2}, {1, 1}};
        const View x = b.numbers(in, t), y = b.numbers(out, t), index = b.integers_below(out, 1);
        const double n = static_cast<double>(x.bytes()), m = static_cast<double>(y.bytes()),
                     i = static_cast<double>(index.bytes());
        b.time("max_pool_forward", t, n + m + i, [&] { ops.max_pool_forward(s, {x, y, index, window}); });
        b.time("max_pool_backward", t, n + m + i, [&] { ops.max_pool_backward(s, {y, index, x, window}); });
        b.time("avg_pool_forward", t, n + m, [&] { ops.avg_pool_forward(s, {x, y, window}); });
        b.time("avg_pool_backward", t, n + m, [&] { ops.avg_pool_backward(s, {y, x, window}); });
        b.clear();
    }
    {
        const Shape in{2048, 7, 7, 2048}, wide{2048, 4, 4, 4096};
        const View x = b.numbers(in, t), y = b.numbers({2048, 2048}, t), z = b.numbers(wide, t);
        const double n = static_cast<double>(x.bytes());
        b.time("global_avg_pool_forward", t, n, [&] { ops.global_avg_pool_forward(s, {x, y}); });
        b.time("global_avg_pool_backward", t, n, [&] { ops.global_avg_pool_backward(s, {y, x}); });
        const double read = n * 16 / 49, written = static_cast<double>(z.bytes());
        b.time("shortcut_a_forward", t, read + written, [&] { ops.shortcut_a_forward(s, {x, z, 2}); });
        b.time("shortcut_a_backward", t, n + written / 2, [&] { ops.shortcut_a_backward(s, {z, x, 2}); });
        b.clear();
    }
    for (const std::int64_t side : {32, 224}) {
        const std::int64_t samples = 32768 * 1024 / side / side;
        const Shape shape{samples, side, side, 3};
        const View x = b.bytes(shape), y = b.numbers(shape, t), z = b.numbers(shape, t);
        const View mean = b.numbers({3}, DType::f32), std = b.numbers({3}, DType::f32),
                   lambda = b.numbers({1}, DType::f32);
        const View index = b.integers_below({samples}, samples), partner = b.integers_below({samples}, samples);
        const View offset = b.integers_below({samples, 2}, 9), flip = b.bytes({samples});
        const double from = static_cast<double>(x.bytes()), to = static_cast<double>(y.bytes());
        const Image& image = b.backend().image();
        fmt::print("images of {}\n", side);
        b.time("image_normalize", t, from + to, [&] { image.image_normalize(s, {x, mean, std, y}); });
        b.time("load_images crop flip", t, from + to, [&] {
            image.load_images(s, {.images = x,
                                  .index = index,
                                  .offset = offset,
                                  .flip = flip,
                                  .mean = mean,
                                  .std = std,
                                  .y = y,
                                  .padding = 4});
        });
        b.time("load_images crop flip mix", t, 2 * from + to, [&] {
            image.load_images(s, {.images = x,
                                  .index = index,
                                  .offset = offset,
                                  .flip = flip,
                                  .partner = partner,
                                  .mix_lambda = lambda,
                                  .mean = mean,
                                  .std = std,
                                  .y = y,
                                  .padding = 4});
        });
        b.time("mixup", t, 3 * to, [&] { image.mixup(s, {y, partner, lambda, z}); });
        b.clear();
    }
}

void text_ops(Bench& b, DType t) {
    Stream& s = b.stream();
    const std::int64_t texts = 4096, length = 64, width = 304;
    const View x = b.numbers({texts, length, width}, t), y = b.numbers({texts, width}, t), dx = b.numbers(x.shape, t);
    const View index = b.integers_below({texts, width}, length), tokens = b.integers_below({texts, length}, 30000);
    const View w = b.numbers({30000, width}, t), dw = b.numbers({30000, width}, DType::f32);
    const double n = static_cast<double>(x.bytes());
    b.time("max_over_time_forward", t, n, [&] { b.backend().sequence().max_over_time_forward(s, {x, y, index}); });
    b.time("max_over_time_backward", t, n, [&] { b.backend().sequence().max_over_time_backward(s, {y, index, dx}); });
    b.time("embedding_forward", t, 2 * n, [&] { b.backend().embedding().embedding_forward(s, {tokens, w, dx}); });
    const View few = b.integers_below({50, 64}, 30000), dy = b.numbers({50, 64, width}, t);
    b.time("embedding_backward b50 l64 v30000", t, static_cast<double>(dw.bytes() + dy.bytes()), [&] {
        b.backend().embedding().embedding_backward(s, {few, dy, dw});
    });
    b.clear();
}

void optimizer_ops(Bench& b) {
    Stream& s = b.stream();
    for (const std::int64_t n : {std::int64_t{464154}, std::int64_t{1} << 27}) {
        const View p = b.numbers({n}, DType::f32), g = b.numbers({n}, DType::f32), v = b.numbers({n}, DType::f32);
        const View lr = b.numbers({1}, DType::f32);
        const ParameterGroup groups[] = {{0, n / 2, 1, 5e-4}, {n / 2, n, 1, 0}};
        b.time(n < 1000000 ? "sgd_step n=464154" : "sgd_step n=2^27", DType::f32, 20.0 * static_cast<double>(n), [&] {
            b.backend().optimizer().sgd_step(
                s, {.grad = g, .param = p, .velocity = v, .learning_rate = lr, .groups = groups, .momentum = 0.9});
        });
        b.clear();
    }
}

void products(Bench& b, DType t) {
    Stream& s = b.stream();
    for (const std::int64_t n : {std::int64_t{4096}, std::int64_t{8192}}) {
        const View x = b.numbers({n, n}, t), w = b.numbers({n, n}, t), y = b.numbers({n, n}, t);
        const Gemm args{.a = x, .b = w, .transpose_b = true, .out = y};
        b.time_flops(fmt::format("gemm {} x {} x {}", n, n, n), t, args.flops(),
                     [&] { b.backend().matmul().gemm(s, args); });
        b.clear();
    }
    struct Layer {
        Shape x, w;
        std::int64_t stride, padding;
    };
    for (const Layer& l :
         {Layer{{128, 32, 32, 3}, {16, 3, 3, 3}, 1, 1}, Layer{{128, 32, 32, 16}, {16, 3, 3, 16}, 1, 1},
          Layer{{128, 32, 32, 16}, {32, 3, 3, 16}, 2, 1}, Layer{{128, 16, 16, 32}, {32, 3, 3, 32}, 1, 1},
          Layer{{128, 8, 8, 64}, {64, 3, 3, 64}, 1, 1}, Layer{{256, 56, 56, 64}, {64, 3, 3, 64}, 1, 1},
          Layer{{256, 56, 56, 256}, {64, 1, 1, 256}, 1, 0}}) {
        const ConvolutionGeometry geometry{{l.stride, l.stride}, {l.padding, l.padding}, 1};
        const Shape out = convolution_shape(l.x, l.w, geometry);
        const View x = b.numbers(l.x, t), w = b.numbers(l.w, t), y = b.numbers(out, t), dx = b.numbers(l.x, t),
                   dw = b.numbers(l.w, DType::f32);
        const double flops = convolution_flops(out, l.w);
        const std::string name = l.x.str() + " * " + l.w.str();
        const Convolution& ops = b.backend().convolution();
        b.time_flops("forward " + name, t, flops,
                     [&] { ops.conv2d_forward(s, {.x = x, .w = w, .y = y, .geometry = geometry}); });
        b.time_flops("data    " + name, t, flops,
                     [&] { ops.conv2d_backward(s, {.x = x, .w = w, .dy = y, .dx = dx, .geometry = geometry}); });
        b.time_flops("weight  " + name, t, flops,
                     [&] { ops.conv2d_backward(s, {.x = x, .w = w, .dy = y, .dw = dw, .geometry = geometry}); });
        b.time_flops("both    " + name, t, 2 * flops, [&] {
            ops.conv2d_backward(s, {.x = x, .w = w, .dy = y, .dx = dx, .dw = dw, .geometry = geometry});
        });
        b.clear();
    }
}

}

void run_benchmarks(Backend& backend) {
    const auto stream = backend.make_stream();
    Bench b(backend, *stream);
    {
        const Shape shape{std::int64_t{1} << 27};
        const View x = b.numbers(shape, DType::f32), y = b.numbers(shape, DType::f32);
        const double bytes = 2 * static_cast<double>(x.bytes());
        b.time("copy by cast f32 to f32", DType::f32, bytes, [&] { backend.elementwise().cast(*stream, {x, y}); });
        const double us = b.microseconds([&] {
            BKD_CUDA(cudaMemcpyAsync(y.data, x.data, static_cast<std::size_t>(x.bytes()), cudaMemcpyDeviceToDevice,
                                     cuda_stream(*stream).queue),
                     stream->device);
        });
        b.copy_rate = bytes / us * 1e-3;
        b.time("cudaMemcpyDeviceToDevice", DType::f32, bytes, [&] {
            BKD_CUDA(cudaMemcpyAsync(y.data, x.data, static_cast<std::size_t>(x.bytes()), cudaMemcpyDeviceToDevice,
                                     cuda_stream(*stream).queue),
                     stream->device);
        });
        b.clear();
    }
    for (const DType t : {DType::f32, DType::bf16}) {
        element_ops(b, t);
        row_ops(b, t);
        norm_ops(b, t);
        image_ops(b, t);
        text_ops(b, t);
    }
    optimizer_ops(b);
    for (const DType t : {DType::f32, DType::bf16}) products(b, t);
}

}
