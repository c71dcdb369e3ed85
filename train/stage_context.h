#pragma once
// StageContext: a stage opened, as methods see it between steps: its network, companions, states and feeds, with the
// rules of the stage applied, and the services sweep and evaluate. A method's begin, after_epoch and finish get it;
// within a step its loss gets a Step (step.h).
#include "train/batch.h"
#include "train/evaluate.h"
#include "train/network_factory.h"
#include "train/stage_rules.h"

namespace bkd {

// What all stages of a training share.
struct Training {
    Runtime& runtime;
    const Splits& splits;
    NetworkFactory make_network;
    std::uint64_t seed = 1;
    std::int64_t loader_threads = 1;
    std::int64_t log_every = 50;
    std::int64_t eval_every = 1, eval_batch = 100;
    std::string eval_split = "test";
    ShotThresholds groups{};
    bool replays_steps = true;                 // where the device can record; false: each is computed anew
    bool skips_nonfinite = false;              // train.nonfinite = skip
    std::optional<double> divergence_above{};  // train.divergence
    std::int64_t divergence_steps = 100;
};

class OpenCompanion {
public:
    OpenCompanion(const Training& training, const Stage& stage, const Companion& spec, Network& trained,
                  std::int64_t classes, const FindResult& find);
    const std::string& name() const { return spec_.name; }
    const Companion& spec() const { return spec_; }
    Network& network() { return *network_; }
    Tensor operator()(const Context& ctx, const Tensor& input) const;  // logits, without a tape
    void follow(const Context& ctx) const;                             // of a moving average: one update

private:
    Companion spec_;
    std::unique_ptr<Network> network_;
    std::vector<std::pair<Tensor, Tensor>> followed_;  // own and trained parameters
};

// A model file knows which classes it was trained on, and how many images of each: E0305 where the run's differ.
void check_same_classes(const Companion& companion, const StageResult& source, const ImageSet& train);

class StageContext {
public:
    StageContext(const Training& training, const Stage& stage, const FindResult& find);

    const Training& training() const { return training_; }
    const Stage& stage() const { return stage_; }
    Runtime& runtime() const { return training_.runtime; }
    std::int64_t classes() const { return static_cast<std::int64_t>(class_counts_.size()); }
    // Training images of each class of the first feed, in its numbering.
    std::span<const std::int64_t> class_counts() const { return class_counts_; }
    ShotGroups groups() const { return shot_groups(class_counts_, training_.groups); }
    const Tensor& log_prior() const { return log_prior_; }  // [classes] log(n_i / n)
    std::int64_t epoch = 0;                                 // that is coming, counted from 0

    Network& network() { return *network_; }
    FeedSource& feed(std::string_view name = {});  // the empty name is the first one
    std::deque<FeedSource>& feeds() { return feeds_; }
    OpenCompanion& companion(std::string_view name);
    std::deque<OpenCompanion>& companions() { return companions_; }

    struct OpenState {
        State spec;
        Tensor memory;
    };
    std::vector<OpenState>& states() { return states_; }  // without the trained ones, which are parameters
    Tensor state(std::string_view name);
    std::vector<float> read_state(std::string_view name);
    void write_state(std::string_view name, std::span<const float> numbers);

    // Over the images of a split, or those of some classes.
    void sweep(const std::string& split, const std::function<void(const SweepBatch&)>& visit,
               std::span<const std::int32_t> some_classes = {});
    Metrics evaluate(const Predict& predict, const std::string& split, std::span<const std::int32_t> some_classes = {});

private:
    void open_feeds();
    void open_network(const FindResult& find);
    void open_states();
    Shape shape_of(const State& state) const;

    const Training& training_;
    Stage stage_;
    std::deque<FeedSource> feeds_;
    std::vector<std::int64_t> class_counts_;
    Tensor log_prior_;
    std::unique_ptr<Network> network_;
    std::deque<OpenCompanion> companions_;
    std::vector<OpenState> states_;
};

}
