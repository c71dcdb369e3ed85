#include "train/import_model.h"

#include "data/dataset.h"
#include "train/model_network.h"

#include <algorithm>

namespace bkd {
namespace {

// DataParallel puts this in front of every name.
constexpr std::string_view wrapper = "module.";

// Takes it off where all names have it.
std::vector<std::pair<std::string, std::string>> unwrap(SafeTensors& file) {
    std::vector<std::pair<std::string, std::string>> renamed;
    if (!std::ranges::all_of(file.tensors, [](const StoredTensor& t) { return t.name.starts_with(wrapper); }))
        return {};
    for (StoredTensor& t : file.tensors) {
        std::string name = t.name.substr(wrapper.size());
        renamed.emplace_back(t.name, name);
        t.name = std::move(name);
    }
    return renamed;
}

void add_data_facts(ModelFacts& facts, const ImportModel& options, ImportedModel& result) {
    const ImageSet set = options.data_root.empty() ? describe_dataset(options.data)
                                                   : open_dataset(options.data, options.data_root, Split::test);
    Normalisation normalisation{options.mean.value_or(set.mean), options.deviation.value_or(set.deviation)};
    // The set's own are not checked: a set without images says none.
    if (options.mean || options.deviation) check_normalisation(normalisation, set, "options --mean, --std");
    facts.classes = set.class_names;
    facts.preprocess = preprocess_facts(set, normalisation);
    result.normalisation = std::move(normalisation);
}

void check_classes(const ModelFacts& facts, const NetworkOptions& network, const ImportModel& options) {
    const auto refuse = [&](int id, std::string what, std::string why) {
        throw InputError({.id = id, .what = std::move(what), .at = options.from.string(), .why = std::move(why)});
    };
    const auto classes = static_cast<std::size_t>(network.classes);
    const std::string why = fmt::format("its {} has {} outputs", network.name, classes);
    if (!facts.classes.empty() && facts.classes.size() != classes)
        refuse(
            options.data.empty() ? 404 : 305,
            fmt::format("{} has {} classes", options.data.empty() ? "bkd.classes" : options.data, facts.classes.size()),
            why);
    if (!facts.class_counts.empty() && facts.class_counts.size() != classes)
        refuse(404, fmt::format("bkd.class_counts has {} numbers", facts.class_counts.size()), why);
}

}

ImportedModel import_model(const ImportModel& options) {
    ModelFile file = read_model_file(options.from);
    ImportedModel result{.renamed = unwrap(file.tensors)};
    const std::unique_ptr<Network> network = make_network(network_of_file(file, {options.network, options.classifier}));
    result.network = network->options().name;
    check_tensors(file.tensors, expected_tensors(network->parameters()));
    check_values(file.tensors);

    ModelFacts facts = file.facts.value_or(ModelFacts{});
    facts.network = network_facts(network->options());
    facts.commit = options.commit;
    if (!options.data.empty()) add_data_facts(facts, options, result);
    if (!options.data.empty() && facts.recipe.is_null()) facts.recipe = Json::Object{{"data", options.data}};
    check_classes(facts, network->options(), options);
    std::vector<TensorToStore> tensors;
    for (const StoredTensor& t : file.tensors.tensors)
        tensors.push_back({t.name, t.type, t.shape, file.tensors.bytes(t)});
    result.tensors = static_cast<std::int64_t>(tensors.size());
    result.parameters = network->parameters().count();
    write_model_file(options.to, facts, std::move(tensors), options.overwrite);
    return result;
}

}
