#include "train/stage_rules.h"

#include "train/name_pattern.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkd {
namespace {

constexpr std::string_view statistics = ".running_mean";

std::string shape_of_file(const Weight& weight) { return fmt::format("[{}]", fmt::join(weight.shape, ",")); }

[[noreturn]] void fail(int id, const Stage& stage, std::string what, std::string why = {}) {
    throw InputError(
        {.id = id, .what = std::move(what), .at = fmt::format("stage {}", stage.name), .why = std::move(why)});
}

// Index of the last rule that matches, or the number of rules.
template <class Rule>
std::size_t last_match(const std::vector<Rule>& rules, std::string_view name) {
    for (std::size_t i = rules.size(); i-- > 0;)
        if (matches(rules[i].take, name)) return i;
    return rules.size();
}

template <class Rule>
void check_all_used(int id, const Stage& stage, const char* kind, const std::vector<Rule>& rules,
                    const std::vector<std::string>& names) {
    for (const Rule& rule : rules)
        if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return matches(rule.take, name); }))
            fail(id, stage, fmt::format("{} rule \"{}\" matches nothing", kind, rule.take),
                 names.empty() ? "the network has none" : fmt::format("names are like \"{}\"", names.front()));
}

std::vector<std::string> names_of(const Parameters& parameters, bool with_buffers) {
    std::vector<std::string> names;
    for (const Parameter& p : parameters.all())
        if (with_buffers || !p.is_buffer) names.push_back(p.name);
    return names;
}

std::vector<std::string> batch_norms_of(const Parameters& parameters) {
    std::vector<std::string> layers;
    for (const Parameter& p : parameters.all())
        if (p.is_buffer && p.name.ends_with(statistics))
            layers.push_back(p.name.substr(0, p.name.size() - statistics.size()));
    return layers;
}

void check_start_rules(const Stage& stage, const Parameters& parameters) {
    check_all_used(311, stage, "start", stage.start, names_of(parameters, true));
    for (const Parameter& p : parameters.all())
        if (last_match(stage.start, p.name) == stage.start.size())
            fail(311, stage, fmt::format("no start rule covers tensor \"{}\"", p.name),
                 "every tensor starts fresh, from a stage, or from a file");
}

void check_train_rules(const Stage& stage, const Parameters& parameters) {
    check_all_used(305, stage, "train", stage.train, names_of(parameters, false));
}

void check_batch_norm_rules(const Stage& stage, const std::vector<std::string>& layers) {
    if (layers.empty()) return;
    check_all_used(305, stage, "batch_norm", stage.batch_norm, layers);
    for (const std::string& layer : layers)
        if (last_match(stage.batch_norm, layer) == stage.batch_norm.size())
            fail(305, stage, fmt::format("no batch_norm rule covers layer \"{}\"", layer),
                 "whether statistics move is never implied");
}

void start_one(const Context& ctx, const Stage& stage, const StartRule& rule, Network& network, Parameter& p,
               const FindResult& find) {
    const StageResult& source = find(rule.from);
    const std::string there = rule.rename.empty() ? p.name : renamed(rule.take, rule.rename, p.name).value_or(p.name);
    const auto found = source.weights.find(there);
    if (found == source.weights.end())
        fail(311, stage, fmt::format("start rule \"{}\" finds no tensor \"{}\" in {}", rule.take, there, rule.from));
    if (!fits(p, found->second))
        throw InputError({.id = 413,
                          .what = fmt::format("tensor \"{}\" is {}, this network needs {}", there,
                                              shape_of_file(found->second), p.file_shape().str()),
                          .at = rule.from,
                          .why = fmt::format("start rule \"{}\" of stage {}", rule.take, stage.name)});
    network.parameters().write(ctx, p, to_memory(p, found->second));
}

}

void add_trained_states(const Stage& stage, Network& network, const std::function<Shape(const State&)>& shape_of) {
    for (const State& state : stage.states)
        if (state.is_trained)
            network.parameters().add(
                {.name = "state." + state.name, .shape = shape_of(state), .init = Init::constant(state.initial)});
}

void check_rules(const Stage& stage, const Network& network) {
    check_start_rules(stage, network.parameters());
    check_train_rules(stage, network.parameters());
    check_batch_norm_rules(stage, batch_norms_of(network.parameters()));
}

std::string starts_from(const Stage& stage, std::string_view name) {
    const std::size_t rule = last_match(stage.start, name);
    return rule == stage.start.size() ? std::string() : stage.start[rule].from;
}

void apply_start_rules(const Context& ctx, const Stage& stage, Network& network, const FindResult& find) {
    check_start_rules(stage, network.parameters());
    for (Parameter& p : network.parameters().all()) {
        const std::size_t rule = last_match(stage.start, p.name);
        if (stage.start[rule].from != fresh) start_one(ctx, stage, stage.start[rule], network, p, find);
    }
}

void apply_train_rules(const Stage& stage, Network& network) {
    check_train_rules(stage, network.parameters());
    for (Parameter& p : network.parameters().all()) {
        if (p.is_buffer) continue;
        const std::size_t i = last_match(stage.train, p.name);
        p.frozen = i == stage.train.size() || stage.train[i].frozen;
        if (p.frozen) continue;
        p.learning_rate_factor = stage.train[i].learning_rate_factor;
        p.decays = stage.train[i].decays && (stage.decays_vectors || p.shape.rank() > 1);
    }
    network.parameters().regroup();
}

void apply_batch_norm_rules(const Stage& stage, Network& network) {
    const std::vector<std::string> layers = batch_norms_of(network.parameters());
    check_batch_norm_rules(stage, layers);
    for (const std::string& layer : layers) {
        const std::size_t i = last_match(stage.batch_norm, layer);
        Parameter& mean = *network.parameters().find(layer + std::string(statistics));
        mean.batch_statistics = stage.batch_norm[i].mode == BatchNormMode::batch;
    }
}

void freeze(Network& network, BatchNormMode mode) {
    for (Parameter& p : network.parameters().all()) {
        p.frozen = true;
        p.batch_statistics = mode == BatchNormMode::batch;
    }
    network.parameters().regroup();
}

}
