#include "train/import_model.h"

#include "data/dataset.h"
#include "engine/float_types.h"
#include "train/model_network.h"
#include "train/name_pattern.h"

#include <algorithm>

namespace bkd {
namespace {

using Renamed = std::vector<std::pair<std::string, std::string>>;

[[noreturn]] void fail_without_effect(const std::string& option, const std::string& why) {
    throw InputError({.id = 208,
                      .what = fmt::format("{} has no effect", option),
                      .at = "option " + option.substr(0, option.find(' ')),
                      .why = why});
}

// Gives the tensors the names that rename(name) says, and sorts them.
template <class Rename>
void rename_tensors(SafeTensors& file, Renamed& renamed, Rename rename) {
    for (StoredTensor& t : file.tensors) {
        const std::optional<std::string> name = rename(t.name);
        if (!name || *name == t.name) continue;
        renamed.emplace_back(t.name, *name);
        t.name = *name;
    }
    std::ranges::sort(file.tensors, {}, &StoredTensor::name);
    const auto twice = std::ranges::adjacent_find(file.tensors, {}, &StoredTensor::name);
    if (twice != file.tensors.end())
        throw InputError({.id = 405,
                          .what = fmt::format("two tensors would be called \"{}\"", printable(twice->name)),
                          .at = printable(file.path)});
}

void rename_as_told(SafeTensors& file, const ImportModel& options, Renamed& done) {
    for (const auto& [from, to] : options.rename) {
        const std::size_t before = done.size();
        rename_tensors(file, done, [&](const std::string& name) { return renamed(from, to, name); });
        if (done.size() == before)
            fail_without_effect(fmt::format("--rename {}={}", from, to), "no tensor of the file has such a name");
    }
}

std::vector<std::string> drop_as_told(SafeTensors& file, const ImportModel& options) {
    std::vector<std::string> dropped;
    for (const std::string& pattern : options.drop) {
        const std::size_t before = dropped.size();
        std::erase_if(file.tensors, [&](const StoredTensor& t) {
            if (matches(pattern, t.name)) dropped.push_back(t.name);
            return matches(pattern, t.name);
        });
        if (dropped.size() == before) fail_without_effect("--drop " + pattern, "no tensor of the file has such a name");
    }
    return dropped;
}

// CIFAR networks call their last layer "linear" here and "fc" elsewhere, ImageNet's the other way round.
void rename_classifier(SafeTensors& file, const Network& network, Renamed& done) {
    const std::vector<ExpectedTensor> expected = expected_tensors(network.parameters());
    const auto is_expected = [&](const std::string& name) {
        return std::ranges::find(expected, name, &ExpectedTensor::name) != expected.end();
    };
    for (const auto& [theirs, ours] : {std::pair{"fc", "linear"}, std::pair{"linear", "fc"}}) {
        const std::string weight = fmt::format("{}.weight", ours);
        if (!is_expected(weight) || file.find(weight) != nullptr) continue;
        const std::string from = fmt::format("{}.*", theirs), to = fmt::format("{}.*", ours);
        rename_tensors(file, done, [&](const std::string& name) { return renamed(from, to, name); });
    }
}

// Refuses what differs but for what may be missing, which is returned.
std::vector<std::string> check_differences(const SafeTensors& file, TensorComparison& found, const ImportModel& options,
                                           std::size_t expected) {
    std::vector<std::string> allowed;
    std::erase_if(found.missing, [&](const std::string& name) {
        const bool may = std::ranges::any_of(options.may_miss, [&](const auto& p) { return matches(p, name); });
        if (may) allowed.push_back(name);
        return may;
    });
    for (const std::string& pattern : options.may_miss)
        if (std::ranges::none_of(allowed, [&](const auto& name) { return matches(pattern, name); }))
            fail_without_effect("--allow-missing " + pattern, "no such tensor of the network is missing");
    try {
        refuse_differences(file, found, expected);
    } catch (const InputError& error) {
        InputError::Parts parts = error.parts();
        if (parts.id == 411) parts.try_ += "; --allow-missing NAMES writes a file without them";
        if (parts.id == 412) parts.try_ += "; --drop NAMES leaves them out";
        throw InputError(std::move(parts));
    }
    return allowed;
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

// Without its classifier a file says nothing of how many classes there are.
bool has_classifier(const SafeTensors& file) {
    return std::ranges::any_of(std::initializer_list<const char*>{"linear.weight", "fc.weight", "linears.0.weight"},
                               [&](const char* name) { return file.find(name) != nullptr; });
}

Json without(const Json& object, std::string_view key) {
    Json::Object members = object.members();
    std::erase_if(members, [&](const Json::Member& member) { return member.first == key; });
    return members;
}

}

ImportedModel import_model(const ImportModel& options) {
    ModelFile file = read_model_file(options.from, {}, {}, {}, options.pth);
    if (!file.pth && !options.pth.key.empty()) fail_without_effect("--key", "the file is no checkpoint of PyTorch's");
    if (!file.pth && options.pth.skip_unknown_globals)
        fail_without_effect("--skip-unknown-globals", "the file is none of PyTorch's own");
    ImportedModel result;
    result.prefix = file.pth ? file.pth->prefix : strip_wrappers(file.tensors.tensors);
    result.pth = std::move(file.pth);
    rename_as_told(file.tensors, options, result.renamed);
    result.dropped = drop_as_told(file.tensors, options);
    result.widened = to_f32(file.tensors);
    const std::unique_ptr<Network> network = make_network(network_of_file(file, {options.network, options.classifier}));
    result.network = network->options().name;
    rename_classifier(file.tensors, *network, result.renamed);
    const std::vector<ExpectedTensor> expected = expected_tensors(network->parameters());
    TensorComparison found = compare_tensors(file.tensors, expected);
    result.matched = found.matched;
    result.expected = static_cast<std::int64_t>(expected.size());
    result.missing = check_differences(file.tensors, found, options, expected.size());
    check_values(file.tensors);

    ModelFacts facts = file.facts.value_or(ModelFacts{});
    const bool has_classes = has_classifier(file.tensors);
    facts.network = network_facts(network->options());
    if (!has_classes) facts.network = without(facts.network, "classes");
    facts.commit = options.commit;
    if (!options.data.empty()) add_data_facts(facts, options, result);
    if (!options.data.empty() && facts.recipe.is_null()) facts.recipe = Json::Object{{"data", options.data}};
    if (has_classes) check_classes(facts, network->options(), options);
    std::vector<TensorToStore> tensors;
    for (const StoredTensor& t : file.tensors.tensors)
        tensors.push_back({t.name, t.type, t.shape, file.tensors.bytes(t)});
    result.tensors = static_cast<std::int64_t>(tensors.size());
    for (const Parameter& p : network->parameters().all())
        if (!p.is_buffer && file.tensors.find(p.name) != nullptr) result.parameters += p.shape.count();
    write_model_file(options.to, facts, std::move(tensors), options.overwrite);
    return result;
}

}
