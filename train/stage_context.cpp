#include "train/stage_context.h"

#include "train/name_pattern.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

// The stage as a frozen companion's network is started: everything from one place.
Stage start_of(const Companion& spec) {
    Stage stage;
    stage.name = "companion " + spec.name;
    stage.start = {{.from = spec.from}};
    return stage;
}

}

void check_same_classes(const Companion& spec, const StageResult& source, const ImageSet& train) {
    if (!spec.classes.empty()) return;
    if (!source.class_names.empty() && source.class_names != train.class_names)
        throw InputError({.id = 305,
                          .what = fmt::format("{} was trained on other classes ({}) than this run's {}", spec.name,
                                              source.class_names.size(), train.class_names.size()),
                          .at = spec.from});
    const auto counts = class_counts(train.labels, train.classes());
    if (!source.class_counts.empty() && source.class_counts != counts)
        throw InputError({.id = 305,
                          .what = fmt::format(
                              "{} was trained on another cut of the data: {} to {} images a class, here "
                              "{} to {}",
                              spec.name, std::ranges::max(source.class_counts), std::ranges::min(source.class_counts),
                              std::ranges::max(counts), std::ranges::min(counts)),
                          .at = spec.from,
                          .why = "a teacher's bias is balanced by the class counts it was trained on",
                          .try_ = "train a teacher on this data: leave teacher.file out"});
}

OpenCompanion::OpenCompanion(const Training& training, const Stage& stage, const Companion& spec, Network& trained,
                             std::int64_t classes, const FindResult& find)
    : spec_(spec) {
    const Context ctx(training.runtime);
    const bool follows = spec.kind == Companion::Kind::moving_average;
    const auto own_classes = spec.classes.empty() ? classes : static_cast<std::int64_t>(spec.classes.size());
    network_ = training.make_network(own_classes, stage.parts);
    Parameters& own = network_->parameters();
    own.materialise(ctx, training.seed, fmt::format("{}/{}", stage.name, spec.name));
    if (!follows) {
        check_same_classes(spec, find(spec.from), training.splits.at("train").set());
        apply_start_rules(ctx, start_of(spec), *network_, find);
    } else {
        for (Parameter& p : own.all()) {
            const Parameter* of = trained.parameters().find(p.name);
            BKD_CHECK(of != nullptr, "{} has no {} to follow", stage.name, p.name);
            own.write(ctx, p, trained.parameters().read(ctx, *of));
            if (!p.is_buffer && matches(spec.of, p.name)) followed_.emplace_back(p.value, of->value);
        }
    }
    freeze(*network_, spec.batch_norm);
    if (follows)  // its statistics are its own
        for (Parameter& p : own.all()) p.frozen = !p.is_buffer || spec.batch_norm == BatchNormMode::running;
}

Tensor OpenCompanion::operator()(const Context& ctx, const Tensor& input) const {
    Context forward(ctx.runtime(), nullptr, spec_.batch_norm == BatchNormMode::batch);
    return (*network_)(forward, input);
}

void OpenCompanion::follow(const Context& ctx) const {
    for (const auto& [own, trained] : followed_) {
        ctx.elementwise().scale({.x = own, .y = own, .factor = spec_.momentum});
        ctx.elementwise().scale({.x = trained, .y = Out(own, true), .factor = 1 - spec_.momentum});
    }
    if (!followed_.empty()) network_->parameters().refresh_copies(ctx);
}

StageContext::StageContext(const Training& training, const Stage& stage, const FindResult& find)
    : training_(training), stage_(stage) {
    BKD_CHECK(!stage_.feeds.empty(), "stage {} has no feed", stage_.name);
    open_feeds();
    open_network(find);
    open_states();
}

void StageContext::open_feeds() {
    const Context ctx(training_.runtime);
    for (const Feed& feed : stage_.feeds) {
        try {
            feeds_.emplace_back(ctx, feed, training_.splits.at(feed.split),
                                FeedSettings{.seed = training_.seed,
                                             .scope = fmt::format("{}/{}", stage_.name, feed.name),
                                             .batch_size = feed.batch_size.value_or(stage_.batch_size.value_or(128)),
                                             .last_batch = stage_.last_batch.value_or(LastBatch::keep),
                                             .augment = stage_.augment.value_or(CropFlip{}),
                                             .threads = training_.loader_threads});
        } catch (const InputError& error) {
            InputError::Parts parts = error.parts();
            parts.at =
                fmt::format("stage {}, feed {}{}{}", stage_.name, feed.name, parts.at.empty() ? "" : ", ", parts.at);
            throw InputError(std::move(parts));
        }
    }
    const FeedSource& first = feeds_.front();
    const ImageSet& set = training_.splits.at(stage_.feeds.front().split).set();
    class_counts_.assign(static_cast<std::size_t>(first.sampler().classes()), 0);
    for (const std::int32_t label : set.labels) {
        const std::int32_t own = first.sampler().feed_label(label);
        if (own >= 0) ++class_counts_[static_cast<std::size_t>(own)];
    }
    double total = 0;
    for (const std::int64_t n : class_counts_) total += static_cast<double>(n);
    std::vector<double> log_prior;
    for (const std::int64_t n : class_counts_) log_prior.push_back(std::log(static_cast<double>(n) / total));
    log_prior_ = ctx.upload({classes()}, std::span<const double>(log_prior));
}

void StageContext::open_network(const FindResult& find) {
    const Context ctx(training_.runtime);
    network_ = training_.make_network(classes(), stage_.parts);
    add_trained_states(stage_, *network_, [&](const State& state) { return shape_of(state); });
    network_->parameters().materialise(ctx, training_.seed, stage_.name);
    apply_start_rules(ctx, stage_, *network_, find);
    apply_train_rules(stage_, *network_);
    apply_batch_norm_rules(stage_, *network_);
    for (const Companion& spec : stage_.companions)
        companions_.emplace_back(training_, stage_, spec, *network_, classes(), find);
}

Shape StageContext::shape_of(const State& state) const {
    Shape shape;
    if (state.rows == State::Rows::per_class) shape.push(classes());
    if (state.rows == State::Rows::per_image) shape.push(training_.splits.at(stage_.feeds.front().split).set().size());
    for (int i = 0; i < state.shape.rank(); ++i) shape.push(state.shape[i]);
    return shape;
}

void StageContext::open_states() {
    const Context ctx(training_.runtime);
    for (const State& state : stage_.states) {
        const std::int64_t batch = stage_.batch_size.value_or(128);
        if (state.rows == State::Rows::ring && (state.shape.rank() == 0 || state.shape[0] % batch != 0))
            throw InputError({.id = 305,
                              .what = fmt::format("ring \"{}\" of {} is no multiple of the batch of {}", state.name,
                                                  state.shape.str(), batch),
                              .at = fmt::format("stage {}, state {}", stage_.name, state.name),
                              .why = "a batch's rows replace the oldest ones, whole batches at a time"});
        if (!state.is_trained) states_.push_back({state, ctx.full(shape_of(state), state.initial)});
    }
}

FeedSource& StageContext::feed(std::string_view name) {
    if (name.empty()) return feeds_.front();
    for (FeedSource& feed : feeds_)
        if (feed.name() == name) return feed;
    BKD_CHECK(false, "stage {} has no feed {}", stage_.name, name);
    return feeds_.front();
}

OpenCompanion& StageContext::companion(std::string_view name) {
    for (OpenCompanion& companion : companions_)
        if (companion.name() == name) return companion;
    BKD_CHECK(false, "stage {} has no companion {}", stage_.name, name);
    return companions_.front();
}

Tensor StageContext::state(std::string_view name) {
    for (const OpenState& state : states_)
        if (state.spec.name == name) return state.memory;
    const Parameter* trained = network_->parameters().find(fmt::format("state.{}", name));
    BKD_CHECK(trained != nullptr, "stage {} has no state {}", stage_.name, name);
    return trained->value;
}

std::vector<float> StageContext::read_state(std::string_view name) {
    return Context(training_.runtime).download_f32(state(name));
}

void StageContext::write_state(std::string_view name, std::span<const float> numbers) {
    Context(training_.runtime).assign(state(name), numbers);
}

void StageContext::sweep(const std::string& split, const std::function<void(const SweepBatch&)>& visit,
                         std::span<const std::int32_t> some_classes) {
    const RunSplit& images = training_.splits.at(split);
    bkd::sweep(Context(training_.runtime), images, select(images, some_classes), training_.eval_batch, visit);
}

Metrics StageContext::evaluate(const Predict& predict, const std::string& split,
                               std::span<const std::int32_t> some_classes) {
    const RunSplit& images = training_.splits.at(split);
    return bkd::evaluate(Context(training_.runtime), predict, images, select(images, some_classes),
                         {.batch_size = training_.eval_batch})
        .metrics;
}

}
