// Activations in f64. Contract: kernels/activation.h
#include "kernels/activation.h"

#include "kernels/reference/array.h"
#include "kernels/reference/softmax.h"

namespace bkd::kernels::reference {

// y = max(x, 0)
void Activation::relu_forward(Stream&, const ReluForward& args) const {
    const In x(flat(args.x));
    const Result y(flat(args.y));
    for (std::int64_t i = 0; i < args.x.count(); ++i) y(i) = std::max(x(i), 0.0);
}

// dx = dy, 0 where y <= 0
void Activation::relu_backward(Stream&, const ReluBackward& args) const {
    const In dy(flat(args.dy)), y(flat(args.y));
    const Result dx(flat(args.dx));
    for (std::int64_t i = 0; i < args.y.count(); ++i) dx(i) = y(i) <= 0 ? 0.0 : dy(i);
}

// y = max(a + b, 0)
void Activation::add_relu_forward(Stream&, const AddReluForward& args) const {
    const In a(flat(args.a)), b(flat(args.b));
    const Result y(flat(args.y));
    for (std::int64_t i = 0; i < args.y.count(); ++i) y(i) = std::max(a(i) + b(i), 0.0);
}

// da = db = dy, 0 where y <= 0; one memory for both gets it twice
void Activation::add_relu_backward(Stream&, const AddReluBackward& args) const {
    const In dy(flat(args.dy)), y(flat(args.y));
    const bool same = args.da && args.da.view.data == args.db.view.data;
    const Result da(flat(args.da)), db(flat(same ? Out(args.db.view, true) : args.db));
    for (std::int64_t i = 0; i < args.y.count(); ++i) {
        const double g = y(i) <= 0 ? 0.0 : dy(i);
        if (da) da(i) = g;
        if (db) db(i) = g;
    }
}

namespace {

// log softmax(x_n / T)
Row log_softmax_row(const In<>& x, std::int64_t n, std::int64_t c, double temperature) {
    Row u;
    for (std::int64_t i = 0; i < c; ++i) u.push_back(x(n, i) / temperature);
    return log_softmax(u);
}

}

// y = softmax(x / T)
void Activation::softmax_forward(Stream&, const SoftmaxForward& args) const {
    const In x(rows(args.x));
    const Result y(rows(args.y));
    const std::int64_t c = args.x.dim(-1);
    for (std::int64_t n = 0; n < args.x.count() / c; ++n) {
        const Row log_p = log_softmax_row(x, n, c, args.temperature);
        for (std::int64_t i = 0; i < c; ++i) y(n, i) = std::exp(log_p[static_cast<std::size_t>(i)]);
    }
}

// dx = y (dy - sum_c dy y) / T
void Activation::softmax_backward(Stream&, const SoftmaxBackward& args) const {
    const In dy(rows(args.dy)), y(rows(args.y));
    const Result dx(rows(args.dx));
    const std::int64_t c = args.y.dim(-1);
    for (std::int64_t n = 0; n < args.y.count() / c; ++n) {
        double dot = 0;
        for (std::int64_t i = 0; i < c; ++i) dot += dy(n, i) * y(n, i);
        for (std::int64_t i = 0; i < c; ++i) dx(n, i) = y(n, i) * (dy(n, i) - dot) / args.temperature;
    }
}

// y = x / T - log sum exp(x / T)
void Activation::log_softmax_forward(Stream&, const LogSoftmaxForward& args) const {
    const In x(rows(args.x));
    const Result y(rows(args.y));
    const std::int64_t c = args.x.dim(-1);
    for (std::int64_t n = 0; n < args.x.count() / c; ++n) {
        const Row log_p = log_softmax_row(x, n, c, args.temperature);
        for (std::int64_t i = 0; i < c; ++i) y(n, i) = log_p[static_cast<std::size_t>(i)];
    }
}

// dx = (dy - exp(y) sum_c dy) / T
void Activation::log_softmax_backward(Stream&, const LogSoftmaxBackward& args) const {
    const In dy(rows(args.dy)), y(rows(args.y));
    const Result dx(rows(args.dx));
    const std::int64_t c = args.y.dim(-1);
    for (std::int64_t n = 0; n < args.y.count() / c; ++n) {
        double sum = 0;
        for (std::int64_t i = 0; i < c; ++i) sum += dy(n, i);
        for (std::int64_t i = 0; i < c; ++i) dx(n, i) = (dy(n, i) - std::exp(y(n, i)) * sum) / args.temperature;
    }
}

}
