#include "kernels/image.h"
#include "kernels/checks/checker.h"

namespace bkd::kernels {
namespace {

// oh x ow must fit into h x w with the padding, and, without offsets, into the middle.
void check_crop(const Checker& check, const ConstView& x, const ConstView& y, std::int64_t padding) {
    BKD_CHECK_OP(check, padding >= 0, "padding is {}", padding);
    for (const int axis : {1, 2})
        BKD_CHECK_OP(check, y.dim(axis) <= x.dim(axis) + 2 * padding, "y {} exceeds x {} padded by {}", y.shape.str(),
                     x.shape.str(), padding);
}

void check_normalisation(const Checker& check, const ConstView& x, const ConstView& mean, const ConstView& std) {
    check.real("mean", mean, {x.dim(3)});
    check.real("std", std, {x.dim(3)});
}

}

void check(const ImageNormalize& args) {
    const Checker check("image_normalize");
    check.typed("x", args.x, DType::u8);
    check.rank("x", args.x, 4, 4);
    check_normalisation(check, args.x, args.mean, args.std);
    check.stored("y", args.y, args.x.shape);
    check.apart(args);
}

void check(const CropFlip& args) {
    const Checker check("crop_flip");
    check.typed("x", args.x, DType::u8);
    check.typed("y", args.y, DType::u8);
    check.rank("x", args.x, 4, 4);
    check.rank("y", args.y, 4, 4);
    const std::int64_t n = args.x.dim(0);
    check.typed("y", args.y, DType::u8, {n, args.y.dim(1), args.y.dim(2), args.x.dim(3)});
    check.typed("offset", args.offset, DType::i32, {n, 2});
    check.typed("flip", args.flip, DType::u8, {n});
    check_crop(check, args.x, args.y, args.padding);
    check.apart(args);
}

void check(const Mixup& args) {
    const Checker check("mixup");
    check.stored("x", args.x);
    check.rank("x", args.x, 1, Shape::max_rank);
    check.typed("partner", args.partner, DType::i32, {args.x.dim(0)});
    check.one_or_each("mix_lambda", args.mix_lambda, args.x.dim(0));
    check.like("y", args.y, args.x);
    check.apart(args);
}

void check(const MixTargets& args) {
    const Checker check("mix_targets");
    check.real("target", args.target);
    check.rank("target", args.target, 2, 2);
    const std::int64_t n = args.target.dim(0);
    check.typed("labels", args.labels, DType::i32, {n});
    check.typed("partner", args.partner, DType::i32, {n});
    check.one_or_each("mix_lambda", args.mix_lambda, n);
    check.apart(args);
}

void check(const LoadImages& args) {
    const Checker check("load_images");
    check.typed("images", args.images, DType::u8);
    check.rank("images", args.images, 4, 4);
    check.rank("y", args.y, 4, 4);
    const std::int64_t n = args.y.dim(0);
    check.stored("y", args.y, {n, args.y.dim(1), args.y.dim(2), args.images.dim(3)});
    check.typed("index", args.index, DType::i32, {n});
    check.optional_typed("offset", args.offset, DType::i32, {n, 2});
    check.optional_typed("flip", args.flip, DType::u8, {n});
    check.optional_typed("partner", args.partner, DType::i32, {n});
    BKD_CHECK_OP(check, static_cast<bool>(args.partner) == static_cast<bool>(args.mix_lambda),
                 "partner and mix_lambda of y {} come together", args.y.shape.str());
    if (args.mix_lambda) check.one_or_each("mix_lambda", args.mix_lambda, n);
    check_normalisation(check, args.images, args.mean, args.std);
    check_crop(check, args.images, args.y, args.padding);
    if (!args.offset)
        BKD_CHECK_OP(
            check,
            args.y.dim(1) <= args.images.dim(1) + args.padding && args.y.dim(2) <= args.images.dim(2) + args.padding,
            "y {} does not fit images {} at offset {}", args.y.shape.str(), args.images.shape.str(), args.padding);
    check.apart(args);
}

}
