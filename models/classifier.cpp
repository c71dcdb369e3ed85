#include "models/classifier.h"

namespace bkd {

Classifier::Classifier(Parameters& p, const std::string& name, std::int64_t in, const NetworkOptions& o,
                       const Init& weight_init) {
    if (o.classifier == "cosine")
        cosine_.emplace(p, name, in, o.classes, o.cosine_scale);
    else if (o.classifier == "linear")
        linear_.emplace(p, name, in, o.classes, weight_init);
    else
        throw InputError({.id = 304,
                          .what = fmt::format("no classifier is called \"{}\"", printable(o.classifier)),
                          .at = "model.classifier",
                          .try_ = "linear or cosine"});
}

Tensor Classifier::operator()(Context& ctx, const Tensor& x) const {
    return cosine_ ? (*cosine_)(ctx, x) : (*linear_)(ctx, x);
}

}
