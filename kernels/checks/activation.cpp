#include "kernels/activation.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

void check_softmax(const Checker& check, const ConstView& x, double temperature) {
    BKD_CHECK_OP(check, x.rank() >= 1 && x.dim(-1) >= 1, "{} has no class", x.shape.str());
    BKD_CHECK_OP(check, temperature > 0, "temperature is {}", temperature);
}

template <class Args>
void check_softmax_forward(const Checker& check, const Args& args) {
    check.stored("x", args.x);
    check.like_or_real("y", args.y, args.x, args.x.shape);
    check_softmax(check, args.x, args.temperature);
    check.apart(args);
}

template <class Args>
void check_softmax_backward(const Checker& check, const Args& args) {
    check.stored("dy", args.dy);
    check.like_or_real("y", args.y, args.dy, args.dy.shape);
    check.like("dx", args.dx.view, args.dy);
    check_softmax(check, args.y, args.temperature);
    check.apart(args);
}

}

void check(const ReluForward& args) {
    const Checker check("relu_forward");
    check.stored("x", args.x);
    check.like("y", args.y, args.x);
    check.apart(args, {{args.x, args.y}});
}

void check(const ReluBackward& args) {
    const Checker check("relu_backward");
    check.stored("y", args.y);
    check.like("dy", args.dy, args.y);
    check.like("dx", args.dx.view, args.y);
    check.apart(args, {{args.dx.view, args.dy}});
}

void check(const AddReluForward& args) {
    const Checker check("add_relu_forward");
    check.stored("a", args.a);
    check.like("b", args.b, args.a);
    check.like("y", args.y, args.a);
    check.apart(args, {{args.a, args.y}, {args.b, args.y}});
}

void check(const AddReluBackward& args) {
    const Checker check("add_relu_backward");
    check.stored("y", args.y);
    check.like("dy", args.dy, args.y);
    check.optional_like("da", args.da.view, args.y);
    check.optional_like("db", args.db.view, args.y);
    check.apart(args, {{args.da.view, args.db.view}});
}

void check(const SoftmaxForward& args) { check_softmax_forward(Checker("softmax_forward"), args); }
void check(const SoftmaxBackward& args) { check_softmax_backward(Checker("softmax_backward"), args); }
void check(const LogSoftmaxForward& args) { check_softmax_forward(Checker("log_softmax_forward"), args); }
void check(const LogSoftmaxBackward& args) { check_softmax_backward(Checker("log_softmax_backward"), args); }

}
