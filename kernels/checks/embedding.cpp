#include "kernels/embedding.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

void check_table(const Checker& check, const ConstView& tokens, const ConstView& w, const ConstView& y) {
    check.typed("tokens", tokens, DType::i32);
    check.rank("tokens", tokens, 2, 2);
    check.rank("w", w, 2, 2);
    check.stored("y", y, {tokens.dim(0), tokens.dim(1), w.dim(1)});
}

}

void check(const EmbeddingForward& args) {
    const Checker check("embedding_forward");
    check_table(check, args.tokens, args.w, args.y);
    check.like("w", args.w, args.y, args.w.shape);
    check.apart(args);
}

void check(const EmbeddingBackward& args) {
    const Checker check("embedding_backward");
    check.real("dw", args.dw.view);
    check_table(check, args.tokens, args.dw.view, args.dy);
    BKD_CHECK_OP(check, args.padding_index >= -1 && args.padding_index < args.dw.view.dim(0), "{} of w {}",
                 args.padding_index, args.dw.view.shape.str());
    check.apart(args);
}

}
