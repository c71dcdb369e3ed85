#include "train/evaluate_model.h"

#include "data/dataset.h"
#include "train/network_factory.h"
#include "train/run_recorder.h"
#include "train/stage_rules.h"

#include <cmath>

namespace bkd {
namespace {

std::string text_of(const Json& object, const char* key) {
    const Json* found = object.is_object() ? object.find(key) : nullptr;
    return found == nullptr ? std::string() : found->text();
}

std::vector<float> numbers_of(const Json& object, const char* key) {
    std::vector<float> numbers;
    if (const Json* found = object.is_object() ? object.find(key) : nullptr)
        for (const Json& number : found->elements()) numbers.push_back(static_cast<float>(number.number()));
    return numbers;
}

[[noreturn]] void fail_untold(const std::string& what, const EvaluateModelOptions& options, std::string advice) {
    throw InputError(
        {.id = 304, .what = "the file does not say " + what, .at = options.model.string(), .try_ = std::move(advice)});
}

NetworkOptions network_of(const EvaluateModelOptions& options, const ModelFacts& facts, const ImageSet& set) {
    NetworkOptions network{.name = options.network.value_or(text_of(facts.network, "name")),
                           .classes = set.classes(),
                           .channels = set.channels};
    if (network.name.empty()) fail_untold("which network it is", options, "--network resnet32");
    const std::string classifier = text_of(facts.network, "classifier");
    if (!classifier.empty()) network.classifier = classifier;
    if (options.classifier) network.classifier = *options.classifier;
    if (const Json* width = facts.network.is_object() ? facts.network.find("width") : nullptr)
        network.width = width->integer();
    if (const Json* scale = facts.network.is_object() ? facts.network.find("cosine_scale") : nullptr)
        network.cosine_scale = scale->number();
    return network;
}

std::string data_of(const EvaluateModelOptions& options, const ModelFacts& facts) {
    const std::string name = options.data.empty() ? text_of(facts.recipe, "data") : options.data;
    if (name.empty()) fail_untold("which data it is for", options, "--data cifar10");
    return name;
}

void check_classes(const EvaluateModelOptions& options, const ModelFacts& facts, const ImageSet& set) {
    if (facts.classes.empty() || facts.classes == set.class_names) return;
    throw InputError({.id = 305,
                      .what = fmt::format("the model's {} classes are not the {} of {}", facts.classes.size(),
                                          set.classes(), set.name),
                      .at = options.model.string()});
}

}

ModelEvaluation evaluate_model(const EvaluateModelOptions& options) {
    const ModelFacts facts = read_model_file(options.model).facts.value_or(ModelFacts{});
    const ImageSet set = open_dataset(data_of(options, facts), options.data_root, parse_split(options.split));
    check_classes(options, facts, set);
    ModelEvaluation result{.data = set.name, .class_names = set.class_names, .class_counts = facts.class_counts};

    std::vector<float> mean = numbers_of(facts.preprocess, "mean"), deviation = numbers_of(facts.preprocess, "std");
    if (mean.empty()) mean = set.mean, deviation = set.deviation;
    if (options.mean) mean = *options.mean;
    if (options.deviation) deviation = *options.deviation;
    if (mean != set.mean || deviation != set.deviation)
        result.warnings.push_back(fmt::format("normalisation is not the usual one of {}", set.name));
    const auto channels = static_cast<std::size_t>(set.channels);
    if (mean.size() != channels || deviation.size() != channels)
        throw InputError(
            {.id = 304,
             .what = fmt::format("{} means and {} deviations for {} channels", mean.size(), deviation.size(), channels),
             .at = options.model.string()});

    for (const float d : deviation)
        if (!(d > 0) || !std::isfinite(d))
            throw InputError({.id = 304,
                              .what = fmt::format("a deviation of {} cannot be divided by", d),
                              .at = options.model.string(),
                              .try_ = "--std with numbers above 0"});

    Runtime runtime(options.device, {.threads = options.threads});
    const Context ctx(runtime);
    const std::unique_ptr<Network> network = make_network(network_of(options, facts, set));
    result.network = network->options().name;
    network->parameters().materialise(ctx, 0, "evaluate");
    write_weights(ctx, network->parameters(), read_stage_result(options.model, network.get(), {}).weights);
    freeze(*network, BatchNormMode::running);

    const ResidentSplit split(ctx, set, mean, deviation);
    const ShotGroups groups =
        facts.class_counts.empty() ? ShotGroups{} : shot_groups(facts.class_counts, options.groups);
    result.evaluation =
        evaluate(ctx, [&](Context& c, const Tensor& images) { return (*network)(c, images); }, split, select(split),
                 {.batch_size = options.batch_size, .groups = groups, .keeps_logits = options.keeps_logits});
    return result;
}

}
