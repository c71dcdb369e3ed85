#include "kernels/elementwise.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

template <class Args>
void check_pair(const Checker& check, const Args& args) {
    check.stored("a", args.a);
    check.like("b", args.b, args.a);
    check.like("y", args.y.view, args.a);
    check.apart(args, {{args.a, args.y.view}, {args.b, args.y.view}});
}

template <class Args>
void check_map(const Checker& check, const Args& args, const ConstView& y) {
    check.stored("x", args.x);
    check.like("y", y, args.x);
    check.apart(args, {{args.x, y}});
}

// `part` is [offset, offset + its extent) of `whole` along `axis`.
void check_part(const Checker& check, const ConstView& whole, const ConstView& part, int axis, std::int64_t offset) {
    check.rank("x", whole, 1, Shape::max_rank);
    check.rank("y", part, whole.rank(), whole.rank());
    BKD_CHECK_OP(check, axis >= 0 && axis < whole.rank(), "axis {} of {}", axis, whole.shape.str());
    Shape fitting = whole.shape;
    fitting.set(axis, part.dim(axis));
    BKD_CHECK_OP(check, part.shape == fitting, "{} is no part of {} along axis {}", part.shape.str(), whole.shape.str(),
                 axis);
    BKD_CHECK_OP(check, offset >= 0 && offset <= whole.dim(axis) - part.dim(axis),
                 "{} at offset {} exceeds {} along axis {}", part.shape.str(), offset, whole.shape.str(), axis);
}

}

void check(const Add& args) { check_pair(Checker("add"), args); }
void check(const Subtract& args) { check_pair(Checker("subtract"), args); }
void check(const Multiply& args) { check_pair(Checker("multiply"), args); }
void check(const Divide& args) { check_pair(Checker("divide"), args); }
void check(const Scale& args) { check_map(Checker("scale"), args, args.y.view); }
void check(const Exp& args) { check_map(Checker("exp"), args, args.y); }
void check(const Log& args) { check_map(Checker("log"), args, args.y); }
void check(const Sqrt& args) { check_map(Checker("sqrt"), args, args.y); }

void check(const ScaleRows& args) {
    const Checker check("scale_rows");
    check.rank("x", args.x, 1, Shape::max_rank);
    check.one_or_each("factor", args.factor, args.x.dim(0));
    check_map(check, args, args.y.view);
}

void check(const BiasAdd& args) {
    const Checker check("bias_add");
    check.rank("x", args.x, 1, Shape::max_rank);
    check.real("bias", args.bias, {args.x.dim(-1)});
    check_map(check, args, args.y);
}

void check(const Fill& args) { Checker("fill").typed("y", args.y, args.y.dtype); }

void check(const Cast& args) {
    const Checker check("cast");
    check.typed("x", args.x, args.x.dtype);
    check.typed("y", args.y, args.y.dtype, args.x.shape);
    if (args.x.dtype == args.y.dtype)
        check.apart(args, {{args.x, args.y}});
    else
        check.apart(args);
}

void check(const SliceCopy& args) {
    const Checker check("slice_copy");
    check.stored("x", args.x);
    check.like("y", args.y.view, args.x, args.y.view.shape);
    check_part(check, args.x, args.y.view, args.axis, args.offset);
    check.apart(args, {{args.x, args.y.view}});
}

void check(const SliceScatter& args) {
    const Checker check("slice_scatter");
    check.stored("x", args.x);
    check.like("y", args.y.view, args.x, args.y.view.shape);
    check_part(check, args.y.view, args.x, args.axis, args.offset);
    check.apart(args, {{args.x, args.y.view}});
}

void check(const Put& args) {
    const Checker check("put");
    check.real("x", args.x, {1});
    check.typed("index", args.index, DType::i32, {1});
    check.rank("y", args.y, 1, 1);
    check.real("y", args.y);
    check.optional_typed("fault", args.fault, DType::i32, {1});
    check.apart(args);
}

}
