// Cases of kernels/normalization.h. Limits: x - mean loses `far` = half the largest |x| in deviations, in units of u; a
// one-pass variance would lose its square.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

constexpr double u = 0x1p-24;

struct Activations {
    Shape x;
    Draw draw;
    double mean, deviation;
    // Of two or three values the deviation is now and then a thirtieth of what they are drawn with.
    double narrowing() const { return terms() <= 3 ? 30 : terms() <= 9 ? 4 : 1; }
    double far() const { return 4 + narrowing() * (std::abs(mean) + 5 * deviation) / (2 * deviation); }
    double terms() const { return static_cast<double>(x.product(0, x.rank() - 1)); }
    Shape channels() const { return {x[-1]}; }
    // At the size of the tensor's largest element, and of 1 where residual and ReLU leave little. Their squares count
    // too: an error of 16 u far each is allowed.
    Bound value() const {
        const double error = 16 * far() * u;
        return {.rounding = 8, .largest = 16 * far(), .absolute = error, .nmse = std::max(1e-12, error * error)};
    }
    Bound relative() const { return {.rounding = 16 * far(), .nmse = value().nmse}; }
    Bound mean_bound() const {
        return {.rounding = 8 + std::log2(terms()), .absolute = u * (8 + std::log2(terms())) * deviation, .nmse = 1e-8};
    }
    // A sum over m of g or g xhat, each of size 1 with an error of far / sqrt(m) left.
    Bound sum() const {
        return {.rounding = 8,
                .absolute = u * ((4 + std::log2(terms())) * terms() + 16 * far() * std::sqrt(terms())),
                .nmse = 1e-8};
    }
};

std::vector<Shape> shapes() {
    return {{2, 3, 5, 7},  {2, 1},        {2, 1, 1, 1}, {3, 1, 1, 1023}, {5, 8},  {7, 9},    {8, 4, 4, 16},
            {3, 5, 3, 17}, {4, 7, 7, 15}, {6, 31},      {16, 8, 8, 32},  {9, 64}, {1025, 3}, {33, 2, 8, 16}};
}
std::vector<Activations> activations() {
    std::vector<Activations> all;
    for (const Shape& x : shapes()) {
        all.push_back({x, normal(), 0, 1});
        all.push_back({x, normal(10), 10, 1});
        all.push_back({x, normal(300), 300, 1});
    }
    // A channel that never changes has deviation sqrt(eps).
    all.push_back({{4, 3, 3, 5}, ones(), 1, 3e-3});
    all.push_back({{6, 5, 5, 8}, Draw{"small", Draw::Kind::normal, 0, 1e-4}, 0, 1e-4});
    return all;
}
std::vector<Activations> layers() {
    return {
        {{128, 32, 32, 16}, normal(), 0, 1}, {{128, 16, 16, 32}, normal(), 0, 1}, {{128, 8, 8, 64}, normal(), 0, 1}};
}

struct Fusion {
    bool residual, relu;
    std::string name() const { return std::string(residual ? "_residual" : "") + (relu ? "_relu" : ""); }
};
// More sums of chunks than one block of a device puts together.
Activations many_channels() { return {{65, 8200}, normal(), 0, 1}; }

constexpr Fusion fusions[] = {{false, false}, {false, true}, {true, false}, {true, true}};

// Where y goes: to memory of its own, or over one of the two inputs it may lie on.
enum class Into : std::uint8_t { own, x, residual };
template <class Args>
void place(CaseMemory& m, const Activations& a, const Fusion& f, Into into, Args& args) {
    const View x = into == Into::x ? m.updated(a.x, a.value(), a.draw) : m.input(a.x, a.draw);
    View residual{};
    if (f.residual) residual = into == Into::residual ? m.updated(a.x, a.value()) : m.input(a.x);
    args.x = x;
    args.residual = residual;
    args.y = into == Into::x ? x : into == Into::residual ? residual : m.output(a.x, a.value());
    args.relu = f.relu;
}

std::string name(const Activations& a) { return text(a.x) + fmt::format("_mean{}", a.mean); }

BatchNormForward forward(CaseMemory& m, const Activations& a, const Fusion& f, bool running, Into into = Into::own,
                         double eps = 1e-5, double momentum = 0.1) {
    BatchNormForward args{};
    place(m, a, f, into, args);
    args.gamma = m.input_f32(a.channels());
    args.beta = m.input_f32(a.channels());
    args.mean = m.output_f32(a.channels(), a.mean_bound());
    args.rstd = m.output_f32(a.channels(), a.relative());
    if (running) {
        args.running_mean =
            m.updated_f32(a.channels(), {.rounding = 16, .largest = 16, .absolute = u * 16 * a.deviation});
        args.running_var = m.updated_f32(a.channels(), a.relative(), positive());
    }
    args.eps = eps;
    args.momentum = momentum;
    return args;
}

// Which gradients are wanted, and which are added to.
struct Wanted {
    bool dx, parameters, residual;
    bool add;
    std::string name() const {
        return std::string(dx ? "_dx" : "") + (parameters ? "_dgamma_dbeta" : "") + (residual ? "_dresidual" : "") +
               (add ? "_add" : "");
    }
};
constexpr Wanted wanted_sets[] = {{true, true, false, false},  {true, true, true, false},  {true, true, true, true},
                                  {true, false, false, false}, {false, true, false, true}, {false, false, true, false}};

template <class Args>
Args backward(CaseMemory& m, const Activations& a, const Wanted& w, bool relu) {
    Args args{};
    args.dy = m.input(a.x);
    args.x = m.input(a.x, a.draw);
    if (relu) args.y = m.input(a.x, ties());
    args.gamma = m.input_f32(a.channels());
    const View mean = m.input_f32(a.channels(), normal(a.mean, 0.1 * a.deviation));
    const View spread = m.input_f32(a.channels(), positive(0.8 / a.deviation, 1.2 / a.deviation));
    if constexpr (requires { args.running_mean; }) {
        args.running_mean = mean;
        args.running_var = spread;
    } else {
        args.mean = mean;
        args.rstd = spread;
    }
    if (w.dx) args.dx = m.result(a.x, a.value(), w.add);
    if (w.parameters) {
        args.dgamma = m.result_f32(a.channels(), a.sum(), w.add);
        args.dbeta = m.result_f32(a.channels(), a.sum(), w.add);
    }
    if (w.residual) args.dresidual = m.result(a.x, w.add ? rounded(1) : exact(), w.add);
    args.relu = relu;
    return args;
}

template <class Args>
Cases<Args> backward_cases() {
    Cases<Args> all;
    for (const Activations& a : activations())
        for (const Wanted& w : wanted_sets)
            for (const bool relu : {false, true}) {
                if (w.residual && a.mean == 10) continue;
                all.add(name(a) + w.name() + (relu ? "_relu" : ""), a.draw,
                        [=](CaseMemory& m) { return backward<Args>(m, a, w, relu); });
            }
    all.add(name(many_channels()), normal(), [](CaseMemory& m) {
        return backward<Args>(m, many_channels(), {true, true, false, false}, false);
    });
    const Activations a{{5, 3, 7, 17}, normal(), 0, 1};
    for (const bool relu : {false, true})
        all.add(name(a) + "_inplace" + (relu ? "_relu" : ""), normal(), [=](CaseMemory& m) {
            Args args = backward<Args>(m, a, {false, true, false, false}, relu);
            const View dy = m.updated(a.x, a.value());
            args.dy = dy;
            args.dx = dy;
            return args;
        });
    for (const Activations& layer : layers()) {
        all.bench(text(layer.x) + "_relu", [=](CaseMemory& m) {
            return backward<Args>(m, layer, {true, true, false, false}, true);
        });
        all.bench(text(layer.x) + "_residual_relu", [=](CaseMemory& m) {
            return backward<Args>(m, layer, {true, true, true, false}, true);
        });
    }
    return all;
}

}

Cases<BatchNormForward> cases(const BatchNormForward*) {
    Cases<BatchNormForward> all;
    for (const Activations& a : activations())
        for (const Fusion& f : fusions)
            for (const bool running : {true, false})
                all.add(name(a) + f.name() + (running ? "_running" : ""), a.draw,
                        [=](CaseMemory& m) { return forward(m, a, f, running); });
    const Activations a{{5, 3, 7, 17}, normal(), 0, 1};
    all.add(name(a) + "_eps0.001_momentum1", normal(),
            [=](CaseMemory& m) { return forward(m, a, fusions[0], true, Into::own, 1e-3, 1); });
    for (const Fusion& f : fusions)
        all.add(name(a) + f.name() + "_inplace", normal(),
                [=](CaseMemory& m) { return forward(m, a, f, true, Into::x); });
    for (const Fusion& f : {fusions[2], fusions[3]})
        all.add(name(a) + f.name() + "_into_residual", normal(),
                [=](CaseMemory& m) { return forward(m, a, f, false, Into::residual); });
    for (const Fusion& f : fusions)
        all.add(text(a.x) + f.name() + "_running", nan_one(), [=](CaseMemory& m) {
            return forward(m, {a.x, nan_one(), 0, 1}, f, true);
        });
    all.add(name(many_channels()), normal(),
            [](CaseMemory& m) { return forward(m, many_channels(), fusions[0], true); });
    for (const Activations& layer : layers())
        for (const Fusion& f : {fusions[1], fusions[3]})
            all.bench(text(layer.x) + f.name(), [=](CaseMemory& m) { return forward(m, layer, f, true); });
    return all;
}

Cases<BatchNormBackward> cases(const BatchNormBackward*) { return backward_cases<BatchNormBackward>(); }

Cases<BatchNormInference> cases(const BatchNormInference*) {
    Cases<BatchNormInference> all;
    const auto make = [](CaseMemory& m, const Activations& a, const Fusion& f, double eps, Into into = Into::own) {
        const double variance = a.deviation * a.deviation;
        BatchNormInference args{};
        place(m, a, f, into, args);
        args.gamma = m.input_f32(a.channels());
        args.beta = m.input_f32(a.channels());
        args.running_mean = m.input_f32(a.channels(), normal(a.mean, 0.1 * a.deviation));
        args.running_var = m.input_f32(a.channels(), positive(0.5 * variance, 2 * variance));
        args.eps = eps;
        return args;
    };
    for (const Activations& a : activations())
        for (const Fusion& f : fusions)
            all.add(name(a) + f.name(), a.draw, [=](CaseMemory& m) { return make(m, a, f, 1e-5); });
    const Activations a{{5, 3, 7, 17}, normal(), 0, 1};
    all.add(name(a) + "_eps0.001", normal(), [=](CaseMemory& m) { return make(m, a, fusions[0], 1e-3); });
    for (const Draw& from : {nan_one(), inf_one()})
        all.add(text(a.x), from, [=](CaseMemory& m) { return make(m, {a.x, from, 0, 1}, fusions[0], 1e-5); });
    for (const Shape& empty : {Shape{0, 3}, Shape{1, 5}})
        all.add(text(empty), normal(), [=](CaseMemory& m) {
            return make(m, {empty, normal(), 0, 1}, fusions[0], 1e-5);
        });
    all.add(name(a) + "_relu_inplace", normal(), [=](CaseMemory& m) { return make(m, a, fusions[1], 1e-5, Into::x); });
    all.add(name(a) + "_residual_relu_into_residual", normal(),
            [=](CaseMemory& m) { return make(m, a, fusions[3], 1e-5, Into::residual); });
    for (const Activations& layer : layers())
        all.bench(text(layer.x) + "_residual_relu", [=](CaseMemory& m) { return make(m, layer, fusions[3], 1e-5); });
    return all;
}

Cases<BatchNormInferenceBackward> cases(const BatchNormInferenceBackward*) {
    return backward_cases<BatchNormInferenceBackward>();
}

BKD_CASES_OF(normalization, Normalization, BKD_NORMALIZATION_OPS)

}
