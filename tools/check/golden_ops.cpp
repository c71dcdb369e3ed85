// Golden ops that are one op of the engine each. Formulas: the headers of engine/ops/.
#include "engine/ops/activation.h"
#include "engine/ops/convolution.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/image.h"
#include "engine/ops/matmul.h"
#include "engine/ops/normalization.h"
#include "engine/ops/pooling.h"
#include "engine/ops/random.h"
#include "engine/ops/reduction.h"
#include "engine/ops/sequence.h"
#include "tools/check/golden.h"
#include "tools/check/golden_tables.h"
#include "train/class_weights.h"

#include <cmath>

namespace bkd {
namespace {

void conv2d_op(GoldenRun& r) {
    r.must_be("dilation", Json::array(std::array{1, 1}));
    r.out("y",
          conv2d(r.ctx, r.in("x"), r.in("w"), r.in_if_any("b"),
                 {.stride = r.size_pair("stride"), .padding = r.padding_pair("padding"), .groups = r.size("groups")}));
}
void text_conv_op(GoldenRun& r) { r.out("y", text_conv(r.ctx, r.in("x"), r.in("w"), r.in("b"), r.padding("padding"))); }
void linear_op(GoldenRun& r) { r.out("y", linear(r.ctx, r.in("x"), r.in("w"), r.in_if_any("b"))); }
void cosine_linear_op(GoldenRun& r) { r.out("y", cosine_linear(r.ctx, r.in("x"), r.in("w"), r.number("scale"))); }
void matmul_op(GoldenRun& r) {
    r.out("y", matmul(r.ctx, r.in("a"), r.boolean("trans_a"), r.in("b"), r.boolean("trans_b")));
}

void batch_norm_train_op(GoldenRun& r) {
    const BatchNormParameters p{r.in("gamma"),       r.in("beta"),    r.in("running_mean"),
                                r.in("running_var"), r.number("eps"), r.number("momentum")};
    r.out("y", batch_norm(r.ctx, r.in("x"), p, r.boolean("relu"), r.in_if_any("residual")));
    r.out("running_mean", p.running_mean);
    r.out("running_var", p.running_var);
}
void batch_norm_eval_op(GoldenRun& r) {
    Context running(r.ctx.runtime(), r.ctx.tape(), /*training=*/false);
    const BatchNormParameters p{r.in("gamma"), r.in("beta"), r.in("running_mean"), r.in("running_var"),
                                r.number("eps")};
    r.out("y", batch_norm(running, r.in("x"), p, r.boolean("relu"), r.in_if_any("residual")));
}

void relu_op(GoldenRun& r) { r.out("y", relu(r.ctx, r.in("x"))); }
void add_op(GoldenRun& r) { r.out("y", add(r.ctx, r.in("a"), r.in("b"))); }
void sub_op(GoldenRun& r) { r.out("y", subtract(r.ctx, r.in("a"), r.in("b"))); }
void mul_op(GoldenRun& r) { r.out("y", multiply(r.ctx, r.in("a"), r.in("b"))); }
void add_relu_op(GoldenRun& r) { r.out("y", add_relu(r.ctx, r.in("a"), r.in("b"))); }
void scale_op(GoldenRun& r) { r.out("y", scale(r.ctx, r.in("x"), r.number("factor"))); }
void bias_add_op(GoldenRun& r) { r.out("y", bias_add(r.ctx, r.in("x"), r.in("b"))); }
void exp_op(GoldenRun& r) { r.out("y", exp(r.ctx, r.in("x"))); }
void log_op(GoldenRun& r) { r.out("y", log(r.ctx, r.in("x"))); }
void concat_op(GoldenRun& r) {
    const std::array pieces{r.in("x0"), r.in("x1"), r.in("x2")};
    const std::vector<int> axis = r.axes("axis", pieces[0].shape().rank());
    BKD_CHECK(axis.size() == 1, "attribute axis has {} numbers", axis.size());
    r.out("y", concat(r.ctx, pieces, axis[0]));
}

kernels::Axes axes(GoldenRun& r) {
    kernels::Axes set;
    for (const int axis : r.axes("axes", r.in("x").shape().rank()))
        set.bits = static_cast<std::uint8_t>(set.bits | 1 << axis);
    return set;
}
void reduce_sum_op(GoldenRun& r) { r.out("y", sum(r.ctx, r.in("x"), axes(r))); }
void reduce_mean_op(GoldenRun& r) { r.out("y", mean(r.ctx, r.in("x"), axes(r))); }

kernels::Window window(GoldenRun& r) {
    r.must_be("dilation", Json::array(std::array{1, 1}));
    r.must_be("ceil_mode", false);
    return {r.size_pair("kernel"), r.size_pair("stride"), r.padding_pair("padding")};
}
void max_pool_op(GoldenRun& r) { r.out("y", max_pool(r.ctx, r.in("x"), window(r))); }
void avg_pool_op(GoldenRun& r) { r.out("y", avg_pool(r.ctx, r.in("x"), window(r), r.boolean("count_include_pad"))); }
void global_avg_pool_op(GoldenRun& r) { r.out("y", global_avg_pool(r.ctx, r.in("x"))); }
void shortcut_a_op(GoldenRun& r) { r.out("y", shortcut_a(r.ctx, r.in("x"), r.size("stride"), r.size("out_channels"))); }

void softmax_op(GoldenRun& r) { r.out("y", softmax(r.ctx, r.in("x"), r.number("T"))); }
void log_softmax_op(GoldenRun& r) { r.out("y", log_softmax(r.ctx, r.in("x"), r.number("T"))); }
void max_over_time_op(GoldenRun& r) { r.out("y", max_over_time(r.ctx, r.in("x"))); }
void dropout_op(GoldenRun& r) { r.out("y", dropout(r.ctx, r.in("x"), r.in("mask"), r.number("p"))); }
void embedding_op(GoldenRun& r) {
    const Tensor table = r.in("w");
    r.out("y", embedding(r.ctx, r.in("tokens"), table, r.integer("padding_idx", -1, table.dim(0) - 1)));
}

void class_balanced_weights_op(GoldenRun& r) {
    std::vector<std::int64_t> counts;
    for (const double n : r.numbers("in", "counts")) counts.push_back(std::llround(n));
    const ClassWeightOptions options{.kind = WeightKind::effective_number,
                                     .beta = r.number("beta"),
                                     .scale = r.boolean("normalize") ? WeightScale::sum_c : WeightScale::none};
    r.out("weight", r.shape("in", "counts"), class_weights(counts, options));
}

void mixup_op(GoldenRun& r) {
    const std::array lambda{r.number("lam")};
    const Tensor mix_lambda = r.ctx.upload({1}, std::span<const double>(lambda));
    r.out("y", mixup(r.ctx, r.in("x"), r.in("perm"), mix_lambda));
    r.out("target", mix_targets(r.ctx, r.in("labels"), r.in("perm"), mix_lambda, r.size("classes")));
}
void image_normalize_op(GoldenRun& r) { r.out("y", image_normalize(r.ctx, r.in("x"), r.in("mean"), r.in("std"))); }
void crop_flip_op(GoldenRun& r) {
    const auto [height, width] = r.size_pair("size");
    r.out("y", crop_flip(r.ctx, r.in("x"), r.in("offset"), r.in("flip"), r.padding("padding"), height, width));
}

void sgd_step_op(GoldenRun& r) {
    const Tensor param = r.in("param"), grads = r.in("grads");
    const std::int64_t count = param.count(), steps = grads.dim(0);
    BKD_CHECK(grads.shape().rank() == 2 && grads.dim(1) == count && steps <= GoldenRun::max_steps,
              "grads {} for param {}, at most {} steps", grads.shape().str(), param.shape().str(),
              GoldenRun::max_steps);
    const double momentum = r.number("momentum");
    const bool nesterov = r.boolean("nesterov");
    Tensor velocity = r.in_if_any("momentum");
    if (!velocity && momentum != 0) velocity = r.ctx.full({count}, 0);
    const std::array rate{r.number("lr")};
    const Tensor learning_rate = r.ctx.upload({1}, std::span<const double>(rate));
    const std::array groups{
        kernels::ParameterGroup{.begin = 0, .end = count, .weight_decay = r.number("weight_decay")}};
    for (std::int64_t step = 0; step < steps; ++step)
        r.ctx.optimizer().sgd_step({.grad = r.ctx.runtime().tensors.slice(grads, step * count, {count}),
                                    .param = param,
                                    .velocity = momentum != 0 ? velocity : Tensor(),
                                    .learning_rate = learning_rate,
                                    .groups = groups,
                                    .momentum = momentum,
                                    .nesterov = nesterov});
    r.out("param", param);
    if (velocity) r.out("momentum", velocity);
}

}

const GoldenTable& golden_ops() {
    static const GoldenTable table{{"conv2d", conv2d_op},
                                   {"text_conv", text_conv_op},
                                   {"linear", linear_op},
                                   {"cosine_linear", cosine_linear_op},
                                   {"matmul", matmul_op},
                                   {"batch_norm_train", batch_norm_train_op},
                                   {"batch_norm_eval", batch_norm_eval_op},
                                   {"relu", relu_op},
                                   {"add", add_op},
                                   {"sub", sub_op},
                                   {"mul", mul_op},
                                   {"add_relu", add_relu_op},
                                   {"scale", scale_op},
                                   {"bias_add", bias_add_op},
                                   {"exp", exp_op},
                                   {"log", log_op},
                                   {"concat", concat_op},
                                   {"reduce_sum", reduce_sum_op},
                                   {"reduce_mean", reduce_mean_op},
                                   {"max_pool", max_pool_op},
                                   {"avg_pool", avg_pool_op},
                                   {"global_avg_pool", global_avg_pool_op},
                                   {"shortcut_a", shortcut_a_op},
                                   {"softmax", softmax_op},
                                   {"log_softmax", log_softmax_op},
                                   {"max_over_time", max_over_time_op},
                                   {"dropout", dropout_op},
                                   {"embedding", embedding_op},
                                   {"class_balanced_weights", class_balanced_weights_op},
                                   {"mixup", mixup_op},
                                   {"image_normalize", image_normalize_op},
                                   {"crop_flip", crop_flip_op},
                                   {"sgd_step", sgd_step_op}};
    return table;
}

GoldenOp find_golden_op(std::string_view op) {
    for (const GoldenTable* table : {&golden_ops(), &golden_losses(), &golden_models()})
        for (const auto& [name, function] : *table)
            if (op == name) return function;
    return nullptr;
}

}
