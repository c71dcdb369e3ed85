// The table of gradients on `reference` by central differences and on `cpu` by the adjoint test; and that both see a
// rule that is wrong.
#include "engine/cases/gradient.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"

#include <doctest/doctest.h>

#include <set>

using namespace bkd;

namespace {

std::string said(const GradientCase& c, const GradientResult& r) {
    return fmt::format("{}, input {}, {}: {:.12g} for {:.12g}, {:.3g} of the limit", c.id(), r.input, r.way, r.got,
                       r.want, r.worst_ratio);
}

// y = 3 x, whose rule says `factor`.
GradientCase tripled(double factor) {
    return {"tripled", "3x5", {{{3, 5}}}, [=](Context& ctx, const std::vector<Tensor>& x) {
                Context plain(ctx.runtime());
                const Tensor y = scale(plain, x[0], 3);
                ctx.record("tripled", y, {x[0]}, [=](Context& back, const Tensor& dy, Gradients& grad) {
                    if (Out dx = grad.out(x[0])) back.elementwise().scale({.x = dy, .y = dx, .factor = factor});
                });
                return y;
            }};
}

}

TEST_CASE("the gradient of every op agrees with central differences in f64") {
    GradientCheck check;
    double worst = 0;
    for (const GradientCase& c : gradient_cases()) {
        const GradientResult r = check.central_differences(c);
        CHECK_MESSAGE(r.passed(), said(c, r));
        worst = std::max(worst, r.worst_ratio);
    }
    MESSAGE("worst ", worst, " of its limit");
}

TEST_CASE("the gradient of every op on cpu is the adjoint of its derivative") {
    GradientCheck check;
    Runtime cpu({DeviceKind::cpu, 0}, {.threads = 2});
    int affine = 0;
    double worst = 0;
    for (const GradientCase& c : gradient_cases()) {
        const GradientResult r = check.adjoint(c, cpu);
        CHECK_MESSAGE(r.passed(), said(c, r));
        affine += r.way == "adjoint of an affine op";
        worst = std::max(worst, r.worst_ratio);
    }
    CHECK(affine > 5);
    MESSAGE("worst ", worst, " of its limit");
}

TEST_CASE("a rule that is wrong by a thousandth is seen by both tests") {
    GradientCheck check;
    Runtime cpu({DeviceKind::cpu, 0}, {.threads = 1});
    CHECK(check.central_differences(tripled(3)).passed());
    CHECK(check.adjoint(tripled(3), cpu).passed());
    CHECK_FALSE(check.central_differences(tripled(3.003)).passed());
    CHECK_FALSE(check.adjoint(tripled(3.003), cpu).passed());
    CHECK_FALSE(check.central_differences(tripled(-3)).passed());
}

TEST_CASE("no gradient stands in the table twice, and every family with gradients is there") {
    std::set<std::string> ids, ops;
    for (const GradientCase& c : gradient_cases()) {
        CHECK_MESSAGE(ids.insert(c.id()).second, c.id());
        ops.insert(c.op);
    }
    for (const char* op : {"conv2d",        "text_conv",  "linear",      "cosine_linear",   "matmul",
                           "batch_norm",    "max_pool",   "avg_pool",    "global_avg_pool", "shortcut_a",
                           "relu",          "add_relu",   "softmax",     "log_softmax",     "add",
                           "subtract",      "multiply",   "scale",       "bias_add",        "exp",
                           "log",           "sqrt",       "scale_rows",  "concat",          "reshape",
                           "sum",           "mean",       "embedding",   "max_over_time",   "dropout",
                           "cross_entropy", "focal_loss", "distillation"})
        CHECK_MESSAGE(ops.contains(op), op);
}
