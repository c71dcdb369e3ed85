#include "kernels/random.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {

void check(const RandomUniform& args) {
    const Checker check("random_uniform");
    check.real("y", args.y);
    check.typed("position", args.position, DType::i32, {2});
    check.apart(args);
}

void check(const RandomMask& args) {
    const Checker check("random_mask");
    check.typed("y", args.y, DType::u8);
    check.typed("position", args.position, DType::i32, {2});
    BKD_CHECK_OP(check, args.keep_probability >= 0 && args.keep_probability <= 1, "{} of mask {}",
                 args.keep_probability, args.y.shape.str());
    check.apart(args);
}

void check(const Dropout& args) {
    const Checker check("dropout");
    check.stored("x", args.x);
    check.typed("mask", args.mask, DType::u8, args.x.shape);
    check.like("y", args.y.view, args.x);
    BKD_CHECK_OP(check, args.p >= 0 && args.p < 1, "p is {}", args.p);
    check.apart(args, {{args.x, args.y.view}});
}

}
