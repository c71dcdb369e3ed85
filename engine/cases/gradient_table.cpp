#include "engine/cases/gradient.h"
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

namespace bkd {

void append_losses(std::vector<GradientCase>& all);

namespace {

using Inputs = std::vector<Tensor>;

void append_convolutions(std::vector<GradientCase>& all) {
    for (const kernels::ConvolutionGeometry& g : {kernels::ConvolutionGeometry{},
                                                  {.stride = {2, 1}, .padding = {1, 2}},
                                                  {.stride = {3, 2}, .padding = {0, 1}, .groups = 2}})
        all.push_back({"conv2d",
                       fmt::format("n2h5w7c4_k6r3s2_st{}x{}p{}x{}g{}_bias", g.stride[0], g.stride[1], g.padding[0],
                                   g.padding[1], g.groups),
                       {{{2, 5, 7, 4}}, {{6, 3, 2, 4 / g.groups}}, {{6}}},
                       [g](Context& ctx, const Inputs& x) { return conv2d(ctx, x[0], x[1], x[2], g); }});
    for (const std::int64_t padding : {0, 2})
        all.push_back({"text_conv",
                       fmt::format("b3l7d5_k4w3p{}", padding),
                       {{{3, 7, 5}}, {{4, 3, 5}}, {{4}}},
                       [=](Context& ctx, const Inputs& x) { return text_conv(ctx, x[0], x[1], x[2], padding); }});
}

void append_products(std::vector<GradientCase>& all) {
    all.push_back({"linear", "3x5_7x5", {{{3, 5}}, {{7, 5}}, {{7}}}, [](Context& ctx, const Inputs& x) {
                       return linear(ctx, x[0], x[1], x[2]);
                   }});
    all.push_back({"cosine_linear", "3x5_7x5_by16", {{{3, 5}, 0.5, 1.5}, {{7, 5}}}, [](Context& ctx, const Inputs& x) {
                       return cosine_linear(ctx, x[0], x[1], 16);
                   }});
    struct Product {
        const char* name;
        Shape a, b;
        bool transpose_a, transpose_b;
    };
    for (const Product& p : {Product{"b2m3k5n4", {2, 3, 5}, {2, 5, 4}, false, false},
                             {"b2m3k5n4_ta", {2, 5, 3}, {2, 5, 4}, true, false},
                             {"m3k5n4_tb", {3, 5}, {4, 5}, false, true},
                             {"m3k5n4_ta_tb", {5, 3}, {4, 5}, true, true}})
        all.push_back({"matmul", p.name, {{p.a}, {p.b}}, [p](Context& ctx, const Inputs& x) {
                           return matmul(ctx, x[0], p.transpose_a, x[1], p.transpose_b);
                       }});
    all.push_back({"matmul", "m4k4n4_tb_twice", {{{4, 4}}}, [](Context& ctx, const Inputs& x) {
                       return matmul(ctx, x[0], false, x[0], true);
                   }});
}

void append_batch_norm(std::vector<GradientCase>& all) {
    const auto norm = [](bool training, bool relu, bool residual) {
        return [=](Context& ctx, const Inputs& x) {
            Context mode(ctx.runtime(), ctx.tape(), training);
            const std::vector<double> var{0.5, 1.5, 2.0};
            const BatchNormParameters p{x[1], x[2], ctx.full({3}, 0.2), ctx.upload({3}, std::span<const double>(var))};
            return batch_norm(mode, x[0], p, relu, residual ? x[3] : Tensor());
        };
    };
    for (const bool training : {true, false}) {
        const std::string mode = training ? "train" : "running";
        all.push_back({"batch_norm",
                       "4x3x2x3_mean10_" + mode,
                       {{{4, 3, 2, 3}, 9, 11}, {{3}}, {{3}}},
                       norm(training, false, false)});
        all.push_back({"batch_norm",
                       "4x3x2x3_relu_" + mode,
                       {{{4, 3, 2, 3}}, {{3}, 0.5, 1}, {{3}}},
                       norm(training, true, false)});
        all.push_back({"batch_norm",
                       "5x3_residual_relu_" + mode,
                       {{{5, 3}}, {{3}}, {{3}}, {{5, 3}}},
                       norm(training, true, true)});
    }
    all.push_back({"batch_norm", "5x3_residual_of_itself", {{{5, 3}}, {{3}}, {{3}}}, [](Context& ctx, const Inputs& x) {
                       return batch_norm(ctx, x[0], {x[1], x[2], {}, {}}, false, x[0]);
                   }});
}

void append_pooling(std::vector<GradientCase>& all) {
    const kernels::Window w{.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}};
    const std::vector<GradientInput> image{{{2, 5, 6, 3}}};
    const std::string name = "2x5x6x3_k3x2st2x1p1x0";
    all.push_back({"max_pool", name, image, [w](Context& ctx, const Inputs& x) { return max_pool(ctx, x[0], w); }});
    all.push_back(
        {"avg_pool", name, image, [w](Context& ctx, const Inputs& x) { return avg_pool(ctx, x[0], w, true); }});
    all.push_back({"avg_pool", name + "_inside", image,
                   [w](Context& ctx, const Inputs& x) { return avg_pool(ctx, x[0], w, false); }});
    all.push_back({"global_avg_pool", "2x5x6x3", image,
                   [](Context& ctx, const Inputs& x) { return global_avg_pool(ctx, x[0]); }});
    all.push_back({"shortcut_a", "2x5x6x3_k8st2", image,
                   [](Context& ctx, const Inputs& x) { return shortcut_a(ctx, x[0], 2, 8); }});
}

void append_activations(std::vector<GradientCase>& all) {
    const GradientInput kinked{{3, 7}, -1, 1, 1e-3}, wide{{3, 7}, -4, 4};
    all.push_back({"relu", "3x7", {kinked}, [](Context& ctx, const Inputs& x) { return relu(ctx, x[0]); }});
    all.push_back({"add_relu", "3x7", {{{3, 7}, 1, 2}, {{3, 7}, -0.9, 0.9}}, [](Context& ctx, const Inputs& x) {
                       return add_relu(ctx, x[0], x[1]);
                   }});
    all.push_back(
        {"add_relu", "3x7_twice", {kinked}, [](Context& ctx, const Inputs& x) { return add_relu(ctx, x[0], x[0]); }});
    all.push_back({"softmax", "3x7_t2", {wide}, [](Context& ctx, const Inputs& x) { return softmax(ctx, x[0], 2); }});
    all.push_back(
        {"log_softmax", "3x7_t0.5", {wide}, [](Context& ctx, const Inputs& x) { return log_softmax(ctx, x[0], 0.5); }});
}

void append_elementwise(std::vector<GradientCase>& all) {
    const GradientInput plain{{3, 5}}, positive{{3, 5}, 0.5, 2};
    const auto push = [&](const char* op, const char* name, std::vector<GradientInput> inputs, auto run) {
        all.push_back({op, name, std::move(inputs), run});
    };
    push("add", "3x5", {plain, plain}, [](Context& ctx, const Inputs& x) { return add(ctx, x[0], x[1]); });
    push("add", "3x5_twice", {plain}, [](Context& ctx, const Inputs& x) { return add(ctx, x[0], x[0]); });
    push("subtract", "3x5", {plain, plain}, [](Context& ctx, const Inputs& x) { return subtract(ctx, x[0], x[1]); });
    push("multiply", "3x5", {plain, plain}, [](Context& ctx, const Inputs& x) { return multiply(ctx, x[0], x[1]); });
    push("multiply", "3x5_twice", {plain}, [](Context& ctx, const Inputs& x) { return multiply(ctx, x[0], x[0]); });
    push("scale", "3x5_by-2.5", {plain}, [](Context& ctx, const Inputs& x) { return scale(ctx, x[0], -2.5); });
    push("bias_add", "3x5", {plain, {{5}}}, [](Context& ctx, const Inputs& x) { return bias_add(ctx, x[0], x[1]); });
    push("exp", "3x5", {plain}, [](Context& ctx, const Inputs& x) { return exp(ctx, x[0]); });
    push("log", "3x5", {positive}, [](Context& ctx, const Inputs& x) { return log(ctx, x[0]); });
    push("sqrt", "3x5", {positive}, [](Context& ctx, const Inputs& x) { return sqrt(ctx, x[0]); });
    push("scale_rows", "3x5", {plain},
         [](Context& ctx, const Inputs& x) { return scale_rows(ctx, x[0], ctx.full({3}, 0.7)); });
    for (const int axis : {0, 1, 2})
        all.push_back({"concat",
                       fmt::format("2x3x4_axis{}", axis),
                       {{{2, 3, 4}}, {{2, 3, 4}}},
                       [=](Context& ctx, const Inputs& x) {
                           return concat(ctx, std::array{x[0], x[1], x[0]}, axis);
                       }});
    push("reshape", "4x6_to3x8", {{{4, 6}}}, [](Context& ctx, const Inputs& x) {
        return multiply(ctx, reshape(ctx, x[0], {3, 8}), reshape(ctx, x[0], {3, 8}));
    });
}

void append_others(std::vector<GradientCase>& all) {
    for (const std::uint8_t bits : {0, 1, 2, 4, 5, 7}) {
        const std::string name = fmt::format("3x4x5_over{:03b}", bits);
        all.push_back(
            {"sum", name, {{{3, 4, 5}}}, [=](Context& ctx, const Inputs& x) { return sum(ctx, x[0], {bits}); }});
        all.push_back(
            {"mean", name, {{{3, 4, 5}}}, [=](Context& ctx, const Inputs& x) { return mean(ctx, x[0], {bits}); }});
    }
    all.push_back({"embedding", "b2l3v5d3", {{{5, 3}}}, [](Context& ctx, const Inputs& x) {
                       const std::vector<std::int32_t> words{2, 0, 2, 1, 2, 4};
                       return embedding(ctx, ctx.upload({2, 3}, std::span<const std::int32_t>(words)), x[0]);
                   }});
    all.push_back({"max_over_time", "2x5x3", {{{2, 5, 3}}}, [](Context& ctx, const Inputs& x) {
                       return max_over_time(ctx, x[0]);
                   }});
    all.push_back({"dropout", "2x3_p0.3", {{{2, 3}}}, [](Context& ctx, const Inputs& x) {
                       const std::vector<std::uint8_t> mask{1, 0, 1, 1, 0, 1};
                       return dropout(ctx, x[0], ctx.upload({2, 3}, std::span<const std::uint8_t>(mask)), 0.3);
                   }});
    // A tensor whose output feeds two ops gets the sum of both gradients.
    all.push_back(
        {"sum_of_gradients", "3x4", {{{3, 4}, -1, 1, 1e-3}, {{5, 4}}, {{3, 4}}}, [](Context& ctx, const Inputs& x) {
             const Tensor h = relu(ctx, x[0]);
             return add(ctx, matmul(ctx, h, false, x[1], true), matmul(ctx, multiply(ctx, h, x[2]), false, x[1], true));
         }});
}

}

std::vector<GradientCase> gradient_cases() {
    std::vector<GradientCase> all;
    for (const auto append : {append_activations, append_batch_norm, append_convolutions, append_elementwise,
                              append_losses, append_others, append_pooling, append_products})
        append(all);
    return all;
}

}
