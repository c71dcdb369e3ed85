// Cases of kernels/activation.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

// Vector widths are 4, 8 and 16: each of them, one less, one more; a prime; nothing; more than a tile of work.
std::vector<Shape> flat_shapes() {
    return {{1}, {3}, {7}, {8}, {9}, {15}, {17}, {2, 3, 5, 7}, {0, 4}, {1023}, {1025}, {67, 511}};
}
// A ResNet-32's activations for batches of 128.
std::vector<Shape> layer_shapes() { return {{128, 32, 32, 16}, {128, 16, 16, 32}, {128, 8, 8, 64}}; }
std::vector<Shape> row_shapes() {
    return {{1, 1}, {3, 1}, {2, 2}, {3, 7}, {5, 10}, {4, 16}, {4, 17}, {2, 3, 31}, {3, 100}, {2, 1023}, {0, 5}, {6}};
}

// z / T and the distance to the maximum lose u |z| / T each; the sum over classes a little more.
Bound softmax_bound(double far) { return {.rounding = 24 + 6 * far}; }
Bound log_softmax_bound(double far) { return {.rounding = 16, .absolute = 0x1p-24 * (16 + 4 * far)}; }
// dy - sum cancels: the error is of the size of the largest element and of the sum behind it.
Bound backward_bound(const Shape& x) { return of_largest(48 + 8 * std::sqrt(static_cast<double>(x[-1]))); }

struct LogitDraw {
    Draw draw;
    double far;  // largest |z|
};
std::vector<LogitDraw> logit_draws() {
    return {{normal(), 5},
            {Draw{"forty", Draw::Kind::uniform, -40, 40}, 40},
            {logit_extreme(), 1e4},
            {p_tiny(), 200},
            {ties(), 1},
            {nan_one(), 5},
            {minus_inf_one(), 5}};
}

template <class Args>
Cases<Args> softmax_forward(Bound (*bound)(double), bool sums_to_one) {
    Cases<Args> all;
    for (const Shape& x : row_shapes())
        for (const auto& [from, far] : logit_draws())
            for (const double t : {1.0, 2.0, 0.5}) {
                if (t == 0.5 && x != Shape{5, 10}) continue;
                // Of one class that is left out nothing remains.
                if (x[-1] == 1 && std::string_view(from.name) == "minus_inf_one") continue;
                Case<Args>& c =
                    all.add(fmt::format("{}_t{}", text(x), t), from, [=, from = from, far = far](CaseMemory& m) {
                        return Args{.x = m.input(x, from), .y = m.output(x, bound(far / t)), .temperature = t};
                    });
                if (std::string_view(from.name) == "nan_one") continue;
                const double terms = std::sqrt(static_cast<double>(x[-1]));
                c.invariant = sums_to_one ? rows_sum_to(1, 1, 8 + 2 * terms)
                                          : exponentials_sum_to_one(1, 0x1p-24 * (32 + 8 * far / t + 2 * terms));
            }
    for (const Shape& x : {Shape{17}, Shape{5, 10}, Shape{3, 1023}})  // y is f32 whatever x is
        all.add(text(x) + "_wide", normal(),
                [=](CaseMemory& m) { return Args{.x = m.input(x), .y = m.output_f32(x, bound(5))}; });
    for (const Shape& x : {Shape{128, 10}, Shape{128, 100}})
        all.bench(text(x), [=](CaseMemory& m) { return Args{.x = m.input(x), .y = m.output(x, bound(5))}; });
    return all;
}

template <class Args>
Cases<Args> softmax_backward(const Draw& y_from) {
    Cases<Args> all;
    for (const Shape& x : row_shapes())
        for (const bool add : {false, true})
            for (const double t : {1.0, 2.0})
                all.add(fmt::format("{}_t{}{}", text(x), t, add ? "_add" : ""), normal(), [=](CaseMemory& m) {
                    return Args{.dy = m.input(x),
                                .y = m.input(x, y_from),
                                .dx = m.result(x, backward_bound(x), add),
                                .temperature = t};
                });
    for (const Shape& x : {Shape{17}, Shape{5, 10}, Shape{3, 1023}})  // y is f32 whatever dy is
        all.add(text(x) + "_wide", normal(), [=](CaseMemory& m) {
            return Args{.dy = m.input(x), .y = m.input_f32(x, y_from), .dx = m.result(x, backward_bound(x))};
        });
    for (const Shape& x : {Shape{128, 10}, Shape{128, 100}})
        all.bench(text(x), [=](CaseMemory& m) {
            return Args{.dy = m.input(x), .y = m.input(x, y_from), .dx = m.result(x, backward_bound(x))};
        });
    return all;
}

}

Cases<ReluForward> cases(const ReluForward*) {
    Cases<ReluForward> all;
    for (const Shape& x : flat_shapes())
        for (const Draw& from : {normal(), negative_zero(), denormal(), inf_one(), nan_one()})
            all.add(text(x), from,
                    [=](CaseMemory& m) { return ReluForward{.x = m.input(x, from), .y = m.output(x, exact())}; });
    for (const Shape& x : {Shape{17}, Shape{5, 1021}})
        all.add(text(x) + "_inplace", normal(), [=](CaseMemory& m) {
            const View v = m.updated(x, exact());
            return ReluForward{.x = v, .y = v};
        });
    for (const Shape& x : layer_shapes())
        all.bench(text(x), [=](CaseMemory& m) { return ReluForward{.x = m.input(x), .y = m.output(x, exact())}; });
    return all;
}

Cases<ReluBackward> cases(const ReluBackward*) {
    Cases<ReluBackward> all;
    for (const Shape& x : flat_shapes())
        for (const bool add : {false, true})
            for (const Draw& from : {ties(), negative_zero()})
                all.add(text(x) + (add ? "_add" : ""), from, [=](CaseMemory& m) {
                    return ReluBackward{
                        .dy = m.input(x), .y = m.input(x, from), .dx = m.result(x, add ? rounded(1) : exact(), add)};
                });
    for (const Shape& x : {Shape{17}, Shape{5, 1021}})
        all.add(text(x) + "_inplace", ties(), [=](CaseMemory& m) {
            const View dy = m.updated(x, exact());
            return ReluBackward{.dy = dy, .y = m.input(x, ties()), .dx = dy};
        });
    for (const Shape& x : layer_shapes())
        all.bench(text(x), [=](CaseMemory& m) {
            return ReluBackward{.dy = m.input(x), .y = m.input(x), .dx = m.result(x, exact())};
        });
    return all;
}

Cases<AddReluForward> cases(const AddReluForward*) {
    Cases<AddReluForward> all;
    for (const Shape& x : flat_shapes())
        for (const Draw& from : {normal(), cancel(), inf_one(), nan_one()})
            all.add(text(x), from, [=](CaseMemory& m) {
                return AddReluForward{.a = m.input(x, from), .b = m.input(x), .y = m.output(x, rounded(1))};
            });
    for (const Shape& x : {Shape{17}, Shape{5, 1021}}) {
        all.add(text(x) + "_into_a", normal(), [=](CaseMemory& m) {
            const View a = m.updated(x, rounded(1));
            return AddReluForward{.a = a, .b = m.input(x), .y = a};
        });
        all.add(text(x) + "_into_b", normal(), [=](CaseMemory& m) {
            const View b = m.updated(x, rounded(1));
            return AddReluForward{.a = m.input(x), .b = b, .y = b};
        });
        all.add(text(x) + "_twice", normal(), [=](CaseMemory& m) {
            const View a = m.input(x);
            return AddReluForward{.a = a, .b = a, .y = m.output(x, rounded(1))};
        });
    }
    for (const Shape& x : layer_shapes())
        all.bench(text(x), [=](CaseMemory& m) {
            return AddReluForward{.a = m.input(x), .b = m.input(x), .y = m.output(x, rounded(1))};
        });
    return all;
}

Cases<AddReluBackward> cases(const AddReluBackward*) {
    Cases<AddReluBackward> all;
    for (const Shape& x : flat_shapes())
        for (const int add : {0, 1, 2, 3})  // a bit for each output
            all.add(text(x) + "_add" + std::to_string(add), ties(), [=](CaseMemory& m) {
                return AddReluBackward{.dy = m.input(x),
                                       .y = m.input(x, ties()),
                                       .da = m.result(x, rounded(1), (add & 1) != 0),
                                       .db = m.result(x, rounded(1), (add & 2) != 0)};
            });
    for (const Shape& x : {Shape{17}, Shape{5, 1021}})
        for (const bool add : {false, true}) {
            const std::string suffix = add ? "_add" : "";
            all.add(text(x) + "_only_a" + suffix, ties(), [=](CaseMemory& m) {
                return AddReluBackward{
                    .dy = m.input(x), .y = m.input(x, ties()), .da = m.result(x, rounded(1), add), .db = {}};
            });
            all.add(text(x) + "_only_b" + suffix, ties(), [=](CaseMemory& m) {
                return AddReluBackward{
                    .dy = m.input(x), .y = m.input(x, ties()), .da = {}, .db = m.result(x, rounded(1), add)};
            });
            all.add(text(x) + "_same" + suffix, ties(), [=](CaseMemory& m) {
                const ConstView dy = m.input(x), y = m.input(x, ties());
                const Out both = m.result(x, tiled_sum(3), add);
                return AddReluBackward{.dy = dy, .y = y, .da = both, .db = Out(both.view, true)};
            });
        }
    for (const Shape& x : layer_shapes())
        all.bench(text(x), [=](CaseMemory& m) {
            return AddReluBackward{
                .dy = m.input(x), .y = m.input(x), .da = m.result(x, exact()), .db = m.result(x, exact())};
        });
    return all;
}

Cases<SoftmaxForward> cases(const SoftmaxForward*) { return softmax_forward<SoftmaxForward>(softmax_bound, true); }
Cases<SoftmaxBackward> cases(const SoftmaxBackward*) { return softmax_backward<SoftmaxBackward>(probabilities()); }
Cases<LogSoftmaxForward> cases(const LogSoftmaxForward*) {
    return softmax_forward<LogSoftmaxForward>(log_softmax_bound, false);
}
Cases<LogSoftmaxBackward> cases(const LogSoftmaxBackward*) {
    return softmax_backward<LogSoftmaxBackward>(Draw{"log_probability", Draw::Kind::uniform, -6, -0.1});
}

BKD_CASES_OF(activation, Activation, BKD_ACTIVATION_OPS)

}
