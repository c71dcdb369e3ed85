#include "train/import_model.h"

#include "data/dataset.h"
#include "engine/model_file.h"
#include "train/network_factory.h"

#include <algorithm>

namespace bkd {
namespace {

// DataParallel puts this in front of every name.
constexpr std::string_view wrapper = "module.";

std::string told_network(const ModelFile& file, const ImportModel& options) {
    if (!options.network.empty()) return options.network;
    const Json* name = file.facts && file.facts->network.is_object() ? file.facts->network.find("name") : nullptr;
    if (name == nullptr)
        throw InputError({.id = 304,
                          .what = "the file does not say which network it is",
                          .at = options.from.string(),
                          .try_ = "--network resnet32"});
    return name->text();
}

std::int64_t extent(const SafeTensors& file, const char* tensor, std::size_t axis) {
    const StoredTensor& t = file.at(tensor);
    return axis < t.shape.size() ? t.shape[axis] : 1;
}

}

ImportedModel import_model(const ImportModel& options) {
    ModelFile file = read_model_file(options.from);
    ImportedModel result{.network = told_network(file, options)};
    const bool wrapped = std::all_of(file.tensors.tensors.begin(), file.tensors.tensors.end(),
                                     [](const StoredTensor& t) { return t.name.starts_with(wrapper); });
    for (StoredTensor& t : file.tensors.tensors) {
        if (!wrapped) break;
        const std::string name = t.name.substr(wrapper.size());
        result.renamed.emplace_back(t.name, name);
        t.name = name;
    }
    const bool is_cosine = options.classifier == "cosine";
    const std::unique_ptr<Network> network =
        make_network({.name = result.network,
                      .classes = extent(file.tensors, "linear.weight", is_cosine ? 1 : 0),
                      .channels = extent(file.tensors, "conv1.weight", 1),
                      .classifier = options.classifier,
                      .width = extent(file.tensors, "conv1.weight", 0)});
    std::vector<ExpectedTensor> expected;
    for (const Parameter& p : network->parameters().all()) {
        expected.push_back({p.name, {}});
        for (int i = 0; i < p.file_shape().rank(); ++i) expected.back().shape.push_back(p.file_shape()[i]);
    }
    check_tensors(file.tensors, expected);
    check_values(file.tensors);

    ModelFacts facts = file.facts.value_or(ModelFacts{});
    facts.network = network_facts(network->options());
    facts.commit = options.commit;
    if (!options.data.empty()) {
        const ImageSet set = open_dataset(options.data, "auto", Split::test);
        facts.classes = set.class_names;
        facts.preprocess = Json::Object{{"height", set.height},
                                        {"width", set.width},
                                        {"channels", set.channels},
                                        {"mean", Json::array(set.mean)},
                                        {"std", Json::array(set.deviation)},
                                        {"resize", "none"}};
    }
    std::vector<TensorToStore> tensors;
    for (const StoredTensor& t : file.tensors.tensors)
        tensors.push_back({t.name, t.type, t.shape, file.tensors.bytes(t)});
    result.tensors = static_cast<std::int64_t>(tensors.size());
    result.parameters = network->parameters().count();
    write_model_file(options.to, facts, std::move(tensors), options.overwrite);
    return result;
}

}
