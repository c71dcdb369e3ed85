// Every op with a gradient, shapes odd and prime, the same tensor on both sides where an op has two.
#include "engine/ops/activation.h"
#include "engine/ops/convolution.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/matmul.h"
#include "engine/ops/normalization.h"
#include "engine/ops/pooling.h"
#include "engine/ops/random.h"
#include "engine/ops/reduction.h"
#include "engine/ops/sequence.h"
#include "tests/engine/gradient_check.h"

using namespace bkd;
using Inputs = std::vector<Tensor>;

TEST_CASE("the gradient of conv2d agrees with central differences") {
    GradientCheck check;
    for (const kernels::ConvolutionGeometry& g : {kernels::ConvolutionGeometry{},
                                                  {.stride = {2, 1}, .padding = {1, 2}},
                                                  {.stride = {3, 2}, .padding = {0, 1}, .groups = 2}})
        check({{{2, 5, 7, 4}}, {{6, 3, 2, 4 / g.groups}}, {{6}}},
              [&](Context& ctx, const Inputs& x) { return conv2d(ctx, x[0], x[1], x[2], g); });
}

TEST_CASE("the gradient of text_conv agrees with central differences") {
    GradientCheck check;
    for (const std::int64_t padding : {0, 2})
        check({{{3, 7, 5}}, {{4, 3, 5}}, {{4}}},
              [&](Context& ctx, const Inputs& x) { return text_conv(ctx, x[0], x[1], x[2], padding); });
}

TEST_CASE("the gradients of products agree with central differences") {
    GradientCheck check;
    check({{{3, 5}}, {{7, 5}}, {{7}}}, [](Context& ctx, const Inputs& x) { return linear(ctx, x[0], x[1], x[2]); });
    check({{{3, 5}, 0.5, 1.5}, {{7, 5}}},
          [](Context& ctx, const Inputs& x) { return cosine_linear(ctx, x[0], x[1], 16); });
    check({{{2, 3, 5}}, {{2, 5, 4}}},
          [](Context& ctx, const Inputs& x) { return matmul(ctx, x[0], false, x[1], false); });
    check({{{2, 5, 3}}, {{2, 5, 4}}},
          [](Context& ctx, const Inputs& x) { return matmul(ctx, x[0], true, x[1], false); });
    check({{{3, 5}}, {{4, 5}}}, [](Context& ctx, const Inputs& x) { return matmul(ctx, x[0], false, x[1], true); });
    check({{{5, 3}}, {{4, 5}}}, [](Context& ctx, const Inputs& x) { return matmul(ctx, x[0], true, x[1], true); });
    check({{{4, 4}}}, [](Context& ctx, const Inputs& x) { return matmul(ctx, x[0], false, x[0], true); });
}

TEST_CASE("the gradient of batch norm agrees with central differences, in training and with running statistics") {
    GradientCheck check;
    const auto norm = [](bool training, bool relu, bool residual) {
        return [=](Context& ctx, const Inputs& x) {
            Context mode(ctx.runtime(), ctx.tape(), training);
            const std::vector<double> var{0.5, 1.5, 2.0};
            const BatchNormParameters p{x[1], x[2], ctx.full({3}, 0.2), ctx.upload({3}, std::span<const double>(var))};
            return batch_norm(mode, x[0], p, relu, residual ? x[3] : Tensor());
        };
    };
    for (const bool training : {true, false}) {
        check({{{4, 3, 2, 3}, 9, 11}, {{3}}, {{3}}}, norm(training, false, false));
        check({{{4, 3, 2, 3}}, {{3}, 0.5, 1}, {{3}}}, norm(training, true, false));
        check({{{5, 3}}, {{3}}, {{3}}, {{5, 3}}}, norm(training, true, true));
    }
    check({{{5, 3}}, {{3}}, {{3}}}, [](Context& ctx, const Inputs& x) {
        return batch_norm(ctx, x[0], {x[1], x[2], {}, {}}, false, x[0]);
    });
}

TEST_CASE("the gradients of pooling and the shortcut agree with central differences") {
    GradientCheck check;
    const kernels::Window window{.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}};
    check({{{2, 5, 6, 3}}}, [&](Context& ctx, const Inputs& x) { return max_pool(ctx, x[0], window); });
    check({{{2, 5, 6, 3}}}, [&](Context& ctx, const Inputs& x) { return avg_pool(ctx, x[0], window, true); });
    check({{{2, 5, 6, 3}}}, [&](Context& ctx, const Inputs& x) { return avg_pool(ctx, x[0], window, false); });
    check({{{2, 5, 6, 3}}}, [](Context& ctx, const Inputs& x) { return global_avg_pool(ctx, x[0]); });
    check({{{2, 5, 6, 3}}}, [](Context& ctx, const Inputs& x) { return shortcut_a(ctx, x[0], 2, 8); });
}

TEST_CASE("the gradients of activations agree with central differences") {
    GradientCheck check;
    check({{{3, 7}, -1, 1, 1e-3}}, [](Context& ctx, const Inputs& x) { return relu(ctx, x[0]); });
    check({{{3, 7}, 1, 2}, {{3, 7}, -0.9, 0.9}},
          [](Context& ctx, const Inputs& x) { return add_relu(ctx, x[0], x[1]); });
    check({{{3, 7}, -1, 1, 1e-3}}, [](Context& ctx, const Inputs& x) { return add_relu(ctx, x[0], x[0]); });
    check({{{3, 7}, -4, 4}}, [](Context& ctx, const Inputs& x) { return softmax(ctx, x[0], 2); });
    check({{{3, 7}, -4, 4}}, [](Context& ctx, const Inputs& x) { return log_softmax(ctx, x[0], 0.5); });
}

TEST_CASE("the gradients of elementwise ops agree with central differences") {
    GradientCheck check;
    check({{{3, 5}}, {{3, 5}}}, [](Context& ctx, const Inputs& x) { return add(ctx, x[0], x[1]); });
    check({{{3, 5}}}, [](Context& ctx, const Inputs& x) { return add(ctx, x[0], x[0]); });
    check({{{3, 5}}, {{3, 5}}}, [](Context& ctx, const Inputs& x) { return subtract(ctx, x[0], x[1]); });
    check({{{3, 5}}, {{3, 5}}}, [](Context& ctx, const Inputs& x) { return multiply(ctx, x[0], x[1]); });
    check({{{3, 5}}}, [](Context& ctx, const Inputs& x) { return multiply(ctx, x[0], x[0]); });
    check({{{3, 5}}}, [](Context& ctx, const Inputs& x) { return scale(ctx, x[0], -2.5); });
    check({{{3, 5}}, {{5}}}, [](Context& ctx, const Inputs& x) { return bias_add(ctx, x[0], x[1]); });
    check({{{3, 5}}}, [](Context& ctx, const Inputs& x) { return exp(ctx, x[0]); });
    check({{{3, 5}, 0.5, 2}}, [](Context& ctx, const Inputs& x) { return log(ctx, x[0]); });
    check({{{3, 5}, 0.5, 2}}, [](Context& ctx, const Inputs& x) { return sqrt(ctx, x[0]); });
    check({{{3, 5}}}, [](Context& ctx, const Inputs& x) { return scale_rows(ctx, x[0], ctx.full({3}, 0.7)); });
    for (const int axis : {0, 1, 2})
        check({{{2, 3, 4}}, {{2, 3, 4}}}, [&](Context& ctx, const Inputs& x) {
            return concat(ctx, std::array{x[0], x[1], x[0]}, axis);
        });
    check({{{4, 6}}}, [](Context& ctx, const Inputs& x) {
        return multiply(ctx, reshape(ctx, x[0], {3, 8}), reshape(ctx, x[0], {3, 8}));
    });
}

TEST_CASE("the gradients of reductions, embedding, max over time and dropout agree with central differences") {
    GradientCheck check;
    for (const std::uint8_t bits : {0, 1, 2, 4, 5, 7}) {
        check({{{3, 4, 5}}}, [&](Context& ctx, const Inputs& x) { return sum(ctx, x[0], {bits}); });
        check({{{3, 4, 5}}}, [&](Context& ctx, const Inputs& x) { return mean(ctx, x[0], {bits}); });
    }
    const std::vector<std::int32_t> words{2, 0, 2, 1, 2, 4};
    check({{{5, 3}}}, [&](Context& ctx, const Inputs& x) {
        return embedding(ctx, ctx.upload({2, 3}, std::span<const std::int32_t>(words)), x[0]);
    });
    check({{{2, 5, 3}}}, [](Context& ctx, const Inputs& x) { return max_over_time(ctx, x[0]); });
    const std::vector<std::uint8_t> mask{1, 0, 1, 1, 0, 1};
    check({{{2, 3}}}, [&](Context& ctx, const Inputs& x) {
        return dropout(ctx, x[0], ctx.upload({2, 3}, std::span<const std::uint8_t>(mask)), 0.3);
    });
}

TEST_CASE("a tensor whose output feeds two ops gets the sum of both gradients") {
    GradientCheck check;
    check({{{3, 4}, -1, 1, 1e-3}, {{5, 4}}, {{3, 4}}}, [](Context& ctx, const Inputs& x) {
        const Tensor h = relu(ctx, x[0]);
        return add(ctx, matmul(ctx, h, false, x[1], true), matmul(ctx, multiply(ctx, h, x[2]), false, x[1], true));
    });
}
