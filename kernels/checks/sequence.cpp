#include "kernels/sequence.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

void check_texts(const Checker& check, const ConstView& x, const ConstView& y, const ConstView& index) {
    check.stored("x", x);
    check.rank("x", x, 3, 3);
    BKD_CHECK_OP(check, x.dim(1) >= 1, "x {} has no step of time", x.shape.str());
    check.like("y", y, x, {x.dim(0), x.dim(2)});
    check.typed("index", index, DType::i32, y.shape);
}

}

void check(const MaxOverTimeForward& args) {
    const Checker check("max_over_time_forward");
    check_texts(check, args.x, args.y, args.index);
    check.apart(args);
}

void check(const MaxOverTimeBackward& args) {
    const Checker check("max_over_time_backward");
    check_texts(check, args.dx.view, args.dy, args.index);
    check.apart(args);
}

}
