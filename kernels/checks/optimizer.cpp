#include "kernels/optimizer.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {

void check(const SgdStep& args) {
    const Checker check("sgd_step");
    check.real("param", args.param);
    check.rank("param", args.param, 1, 1);
    check.real("grad", args.grad, args.param.shape);
    check.optional_real("velocity", args.velocity, args.param.shape);
    check.optional_typed("copy", args.copy, DType::bf16, args.param.shape);
    check.real("learning_rate", args.learning_rate, {1});
    check.optional_typed("fault", args.fault, DType::i32, {1});
    BKD_CHECK_OP(check, args.velocity || (args.momentum == 0 && !args.nesterov),
                 "momentum {} of param {} without velocity", args.momentum, args.param.shape.str());
    std::int64_t free = 0;
    for (const ParameterGroup& group : args.groups) {
        BKD_CHECK_OP(check, group.begin >= free && group.begin <= group.end && group.end <= args.param.dim(0),
                     "group [{}, {}) of param {}: groups rise and do not overlap", group.begin, group.end,
                     args.param.shape.str());
        free = group.end;
    }
    check.apart(args);
}

}
