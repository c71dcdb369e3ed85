#include "train/evaluate_model.h"

#include "data/dataset.h"
#include "train/model_network.h"
#include "train/preprocess.h"
#include "train/stage_rules.h"
#include "train/weights.h"

namespace bkd {
namespace {

std::string data_of(const EvaluateModelOptions& options, const ModelFacts& facts) {
    const Json* told = facts.recipe.is_object() ? facts.recipe.find("data") : nullptr;
    const std::string name = !options.data.empty()                ? options.data
                             : told != nullptr && told->is_text() ? told->text()
                                                                  : "";
    if (name.empty())
        throw InputError({.id = 304,
                          .what = "the file does not say which data it is for",
                          .at = options.model.string(),
                          .try_ = "--data cifar10"});
    return name;
}

void check_classes(const EvaluateModelOptions& options, const ModelFacts& facts, const ImageSet& set) {
    const std::size_t counts = facts.class_counts.size();
    if (counts != 0 && static_cast<std::int64_t>(counts) != set.classes())
        throw InputError(
            {.id = 404,
             .what = fmt::format("bkd.class_counts has {} numbers, {} has {} classes", counts, set.name, set.classes()),
             .at = options.model.string()});
    if (facts.classes.empty() || facts.classes == set.class_names) return;
    throw InputError({.id = 305,
                      .what = fmt::format("the model's {} classes are not the {} of {}", facts.classes.size(),
                                          set.classes(), set.name),
                      .at = options.model.string()});
}

// The file's network over the data's classes and channels: a file of other extents does not fit it.
NetworkOptions network_over(const ModelFile& file, const EvaluateModelOptions& options, const ImageSet& set) {
    NetworkOptions network =
        network_of_file(file, {options.network.value_or(std::string()), options.classifier.value_or(std::string())});
    network.classes = set.classes();
    network.channels = set.channels;
    return network;
}

}

ModelEvaluation evaluate_model(const EvaluateModelOptions& options) {
    const ModelFile file = read_model_file(options.model);
    const ModelFacts facts = file.facts.value_or(ModelFacts{});
    const DatasetOptions data{.root = options.data_root,
                              .pictures = picture_transform_of(facts.preprocess, options.model.string()),
                              .allows_empty = true};
    const ImageSet set = open_dataset(data_of(options, facts), data, parse_split(options.split));
    check_classes(options, facts, set);
    ModelEvaluation result{.data = set.name, .class_names = set.class_names, .class_counts = facts.class_counts};

    const std::string at = options.model.string();
    Normalisation normalisation = normalisation_of(facts.preprocess, set, at);
    if (options.mean) normalisation.mean = *options.mean;
    if (options.deviation) normalisation.deviation = *options.deviation;
    check_normalisation(normalisation, set, options.mean || options.deviation ? "options --mean, --std" : at);
    if (normalisation != Normalisation{set.mean, set.deviation})
        result.warnings.push_back(fmt::format("normalisation is not the usual one of {}", set.name));

    Runtime runtime(options.device, {.threads = options.threads});
    const Context ctx(runtime);
    const std::unique_ptr<Network> network = make_network(network_over(file, options, set));
    result.network = network->options().name;
    if (network->input_shape(1).rank() != 4)
        throw InputError({.id = 305,
                          .what = fmt::format("{} reads words, {} has images", result.network, set.name),
                          .at = options.model.string()});
    // Held against the network before memory is taken for what the file says of it.
    const StageResult stored = stage_result_of(file, &network->parameters());
    network->parameters().materialise(ctx, 0, "evaluate");
    write_weights(ctx, network->parameters(), stored.weights);
    freeze(*network, BatchNormMode::running);

    const RunSplit split(ctx, set, normalisation.mean, normalisation.deviation);
    const ShotGroups groups =
        facts.class_counts.empty() ? ShotGroups{} : shot_groups(facts.class_counts, options.groups);
    result.evaluation =
        evaluate(ctx, [&](Context& c, const Tensor& images) { return (*network)(c, images); }, split, select(split),
                 {.batch_size = options.batch_size, .groups = groups, .keeps_logits = options.keeps_logits});
    return result;
}

}
