#include "train/predictor.h"

#include "data/dataset.h"
#include "engine/ops/image.h"
#include "train/model_network.h"
#include "train/weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bkd {
namespace {

[[noreturn]] void refuse(int id, std::string what, const std::string& at, std::string why = {}, std::string try_ = {}) {
    throw InputError(
        {.id = id, .what = std::move(what), .at = printable(at), .why = std::move(why), .try_ = std::move(try_)});
}

// The extents that a file's images have, for the rules of preprocess.h.
ImageSet extents_of(const ImageFile& file) {
    ImageSet set;
    set.name = file.path;
    set.height = file.height, set.width = file.width, set.channels = file.channels;
    return set;
}

}

Predictor::Predictor(const PredictorOptions& options) : path_(options.model.string()) {
    const ModelFile file = read_model_file(options.model);
    const ModelFacts facts = file.facts.value_or(ModelFacts{});
    network_ = make_network(network_of_file(file, {options.network, options.classifier}));
    if (network_->input_shape(1).rank() != 4) refuse(305, network() + " reads words, predict has images", path_);
    // Held against the network before memory is taken for what the file says of it.
    const StageResult stored = stage_result_of(file, &network_->parameters());
    preprocess_ = facts.preprocess;
    const ImageSet like = options.data.empty() ? ImageSet{} : describe_dataset(options.data);
    const Normalisation normalisation = normalisation_of_file(options, like);
    class_names_ = class_names_of(facts, like);

    runtime_ = std::make_unique<Runtime>(options.device, BackendOptions{.threads = options.threads}, options.storage);
    const Context ctx(*runtime_);
    network_->parameters().allocate(ctx);
    write_weights(ctx, network_->parameters(), stored.weights);
    if (options.folds) network_->fold(ctx);
    const std::int64_t channels = network_->options().channels;
    mean_ = ctx.upload({channels}, normalisation.mean);
    deviation_ = ctx.upload({channels}, normalisation.deviation);
}

// The user's words go first, then the file's, then those of the data set that the user names.
Normalisation Predictor::normalisation_of_file(const PredictorOptions& options, ImageSet like) const {
    like.channels = network_->options().channels;
    if (like.name.empty()) like.name = network();
    // As large as the file says: the images of each file are held against it later.
    for (const auto& [key, extent] : {std::pair{"height", &like.height}, {"width", &like.width}})
        if (const Json* told = preprocess_.is_object() ? preprocess_.find(key) : nullptr; told && told->is_integer())
            *extent = told->integer();
    Normalisation found = normalisation_of(preprocess_, like, path_);
    if (options.mean) found.mean = *options.mean;
    if (options.deviation) found.deviation = *options.deviation;
    if (found.mean.empty() || found.deviation.empty())
        refuse(304, "the file does not say how its images were normalised", path_, "",
               "--mean and --std, or --data with the set it was trained on");
    check_normalisation(found, like,
                        options.mean || options.deviation ? "options --mean, --std"
                        : options.data.empty()            ? path_
                                                          : "option --data");
    return found;
}

std::vector<std::string> Predictor::class_names_of(const ModelFacts& facts, const ImageSet& like) const {
    const std::vector<std::string>& names = facts.classes.empty() ? like.class_names : facts.classes;
    if (!names.empty() && static_cast<std::int64_t>(names.size()) != classes())
        refuse(305,
               fmt::format("{} has {} classes, the model's {} has {} outputs",
                           facts.classes.empty() ? like.name : "bkd.classes", names.size(), network(), classes()),
               path_);
    if (!like.class_names.empty() && like.class_names != names)
        refuse(305, fmt::format("the model's {} classes are not the {} of {}", names.size(), like.classes(), like.name),
               path_);
    return names;
}

void Predictor::check_images(const ImageFile& file) const {
    const ImageSet set = extents_of(file);
    if (set.channels != network_->options().channels)
        refuse(305,
               fmt::format("the model is for images of {} channels, those of {} have {}", network_->options().channels,
                           file.path, set.channels),
               path_);
    normalisation_of(preprocess_, set, path_);
}

std::span<const float> Predictor::operator()(const ImageFile& file, std::int64_t first, std::int64_t count) {
    BKD_CHECK(first >= 0 && count >= 1 && first + count <= file.size(), "images {} to {} of {}", first, first + count,
              file.size());
    Context ctx(*runtime_);
    if (!index_ || index_.dim(0) < count) {
        std::vector<std::int32_t> numbers(static_cast<std::size_t>(count));
        std::iota(numbers.begin(), numbers.end(), 0);
        index_ = ctx.upload({count}, std::span<const std::int32_t>(numbers));
    }
    const auto bytes = static_cast<std::size_t>(file.image_bytes());
    const Shape shape{count, file.height, file.width, file.channels};
    const Tensor pixels = ctx.upload(
        shape, std::span(file.images)
                   .subspan(static_cast<std::size_t>(first) * bytes, static_cast<std::size_t>(count) * bytes));
    const Tensor images = ctx.empty(shape, ctx.storage());
    const Tensor index = runtime_->tensors.slice(index_, 0, {count});
    ctx.image().load_images({.images = pixels, .index = index, .mean = mean_, .std = deviation_, .y = images});
    const Tensor logits = (*network_)(ctx, images);
    logits_.resize(static_cast<std::size_t>(logits.count()));
    if (logits.dtype() == DType::f32)
        ctx.backend().download(*runtime_->stream, logits, logits_.data());
    else
        logits_ = ctx.download_f32(logits);
    check_finite(file, first);
    return logits_;
}

void Predictor::check_finite(const ImageFile& file, std::int64_t first) const {
    const auto bad = std::ranges::find_if(logits_, [](float z) { return !std::isfinite(z); });
    if (bad == logits_.end()) return;
    const std::int64_t row = (bad - logits_.begin()) / classes();
    refuse(901, fmt::format("a logit of image {} is {}", first + row, *bad), file.path,
           "no class is the answer to a number that is none",
           "bkd inspect " + printable(path_) + " --values, or --dtype f32");
}

void probabilities(std::span<const float> logits, std::span<float> p) {
    const double largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float z : logits) sum += std::exp(z - largest);
    std::ranges::transform(logits, p.begin(), [&](float z) { return static_cast<float>(std::exp(z - largest) / sum); });
}

void rank_classes(std::span<const float> logits, std::span<std::int32_t> order, std::size_t k) {
    BKD_CHECK(order.size() == logits.size() && k <= order.size(), "{} of {} ranks of {} classes", k, order.size(),
              logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                      [&](std::int32_t a, std::int32_t b) {
                          const float za = logits[static_cast<std::size_t>(a)],
                                      zb = logits[static_cast<std::size_t>(b)];
                          return za > zb || (za == zb && a < b);
                      });
}

}
