#include "engine/cases/gradient.h"

#include <cmath>

namespace bkd {
namespace {

using Numbers = std::vector<std::vector<double>>;

constexpr double step = 0x1p-20;

std::vector<Tensor> upload(Context& ctx, const GradientCase& c, const Numbers& x) {
    std::vector<Tensor> tensors;
    for (std::size_t k = 0; k < x.size(); ++k)
        tensors.push_back(ctx.upload(c.inputs[k].shape, std::span<const double>(x[k])));
    return tensors;
}

std::vector<double> value(Runtime& runtime, const GradientCase& c, const Numbers& x) {
    Context ctx(runtime, nullptr, /*training=*/true);
    return ctx.download(c.run(ctx, upload(ctx, c, x)));
}

// J^T u by the tape.
Numbers gradients(Runtime& runtime, const GradientCase& c, const Numbers& x, const std::vector<double>& u) {
    Tape tape;
    Context ctx(runtime, &tape, /*training=*/true);
    std::vector<Tensor> leaves = upload(ctx, c, x);
    for (Tensor& leaf : leaves) leaf.set_takes_gradient(true);
    const Tensor y = c.run(ctx, leaves);
    Context back = ctx.inference();
    tape.backward(back, y, ctx.upload(y.shape(), std::span<const double>(u)));
    Numbers dx;
    for (const Tensor& leaf : leaves) dx.push_back(ctx.download(leaf.gradient()));
    return dx;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

std::vector<double> moved(std::vector<double> x, const std::vector<double>& e, double by) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += by * e[i];
    return x;
}

// y(x with e as input k) - y(x with 0 as input k).
std::vector<double> image_of(Runtime& runtime, const GradientCase& c, Numbers x, std::size_t k,
                             const std::vector<double>& e) {
    x[k] = e;
    const std::vector<double> with = value(runtime, c, x);
    x[k].assign(e.size(), 0);
    return moved(with, value(runtime, c, x), -1);
}

void note(GradientResult& result, const char* way, std::size_t input, double got, double want, double limit) {
    const double ratio = std::abs(got - want) / limit;
    if (ratio <= result.worst_ratio && result.input >= 0) return;
    result = {std::isfinite(ratio) ? ratio : HUGE_VAL, static_cast<int>(input), got, want, limit, way};
}

// What a difference quotient in f64 leaves: rounding over the step, and the step's square.
double difference_limit(const std::vector<double>& dx, const std::vector<double>& e) {
    return 1e-7 * std::max(std::sqrt(dot(dx, dx) * dot(e, e)), 1e-2);
}

// Of a sum of products in f32, each with some roundings behind it.
double rounding_limit(const std::vector<double>& a, const std::vector<double>& b) {
    return 64 * 0x1p-24 * std::sqrt(dot(a, a) * dot(b, b));
}

}

std::vector<double> GradientCheck::draw(const GradientInput& input) {
    std::vector<double> numbers(static_cast<std::size_t>(input.shape.count()));
    for (double& number : numbers) {
        number =
            input.low + (input.high - input.low) * philox_draw(philox_key(seed_, "gradient"), drawn_++)[0] * 0x1p-32;
        if (std::abs(number) < input.away_from_zero)
            number += number < 0 ? -input.away_from_zero : input.away_from_zero;
        number = static_cast<float>(number);
    }
    return numbers;
}

GradientCheck::Drawn GradientCheck::drawn(const GradientCase& c) {
    Drawn d;
    drawn_ = 0;
    for (const GradientInput& input : c.inputs) d.x.push_back(draw(input));
    for (const GradientInput& input : c.inputs) d.direction.push_back(draw({input.shape}));
    d.upstream = draw({{static_cast<std::int64_t>(value(reference_, c, d.x).size())}});
    return d;
}

double GradientCheck::derivative(const GradientCase& c, const Drawn& d, std::size_t input) {
    Numbers above = d.x, below = d.x;
    above[input] = moved(d.x[input], d.direction[input], step);
    below[input] = moved(d.x[input], d.direction[input], -step);
    return dot(moved(value(reference_, c, above), value(reference_, c, below), -1), d.upstream) / (2 * step);
}

bool GradientCheck::is_affine(const GradientCase& c, const Drawn& d, std::size_t input) {
    Numbers ahead = d.x;
    ahead[input] = moved(d.x[input], d.direction[input], 1);
    const std::vector<double> there = moved(value(reference_, c, ahead), value(reference_, c, d.x), -1);
    const std::vector<double> gap = moved(there, image_of(reference_, c, d.x, input, d.direction[input]), -1);
    return dot(gap, gap) <= 1e-24 * dot(there, there);
}

GradientResult GradientCheck::central_differences(const GradientCase& c) {
    const Drawn d = drawn(c);
    const Numbers dx = gradients(reference_, c, d.x, d.upstream);
    GradientResult result;
    for (std::size_t k = 0; k < d.x.size(); ++k)
        note(result, "central differences", k, dot(dx[k], d.direction[k]), derivative(c, d, k),
             difference_limit(dx[k], d.direction[k]));
    return result;
}

GradientResult GradientCheck::adjoint(const GradientCase& c, Runtime& tested) {
    const Drawn d = drawn(c);
    const Numbers dx = gradients(tested, c, d.x, d.upstream);
    GradientResult result;
    for (std::size_t k = 0; k < d.x.size(); ++k) {
        const std::vector<double>& e = d.direction[k];
        const double along = dot(dx[k], e), rounding = rounding_limit(dx[k], e);
        note(result, "adjoint", k, along, derivative(c, d, k), difference_limit(dx[k], e) + rounding);
        if (!is_affine(c, d, k)) continue;
        const std::vector<double> image = image_of(tested, c, d.x, k, e);
        note(result, "adjoint of an affine op", k, along, dot(image, d.upstream),
             rounding + rounding_limit(image, d.upstream) + 1e-30);
    }
    return result;
}

}
