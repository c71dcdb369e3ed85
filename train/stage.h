#pragma once
// Stage: what one stage of a training trains, as plain data. A method lists its stages (method.h), the trainer runs
// them (trainer.h); neither knows the other's words.
//
//   Part        a head or branch attached to the network, by name
//   StartRule   where weights come from           TrainRule      what moves, and how fast
//   Feed        a named source of batches         BatchNormRule  whose statistics normalise
//   Companion   another network, run without a tape: a teacher, or a moving average
//   State       named numbers that a method carries along; saved and restored with the network
//   Finish      how training heads become inference heads
//
// Rules are tried in order and the last one that matches a name decides. Patterns hold '*' for any run of characters.
// An empty optional is filled in from the recipe (stage_recipe.h).
#include "data/augment.h"
#include "data/loader.h"
#include "engine/optimizer/schedule.h"
#include "engine/optimizer/sgd.h"

#include <optional>
#include <string>
#include <vector>

namespace bkd {

struct Part {
    std::string name, kind;  // {"head", "cosine"}: understood by whoever builds networks (network_factory.h)
};

inline constexpr const char* fresh = "fresh";

// Tensors of the new network that match `take` start as in `from`: fresh, the name of an earlier stage, or a model
// file. `rename` is the pattern of their names there, where they differ: what '*' stands for is carried over.
struct StartRule {
    std::string from = fresh;
    std::string take = "*";
    std::string rename{};
};

// Parameters that match move; those that no rule matches are frozen, and so cost neither decay nor momentum.
struct TrainRule {
    std::string take = "*";
    double learning_rate_factor = 1;
    bool decays = true;
    bool frozen = false;  // takes back an earlier rule
};

// batch: a training forward normalises by the batch and moves the running statistics; running: it uses those and leaves
// them. Never implied by frozen weights.
enum class BatchNormMode : std::uint8_t { batch, running };
struct BatchNormRule {
    std::string take = "*";  // of layers: "layer1.0.bn1"
    BatchNormMode mode = BatchNormMode::batch;
};

// Split x sampler x views. The first feed of a stage sets the epoch; the others start over when they end.
struct Feed {
    std::string name = "main";
    std::string split = "train";
    SamplerOptions sampler{};
    std::vector<CropFlip> views{};             // each with a random key of its own; empty: one, the stage's `augment`
    std::optional<std::int64_t> batch_size{};  // else the stage's
};

struct Companion {
    enum class Kind : std::uint8_t { frozen, moving_average };
    std::string name = "teacher";
    Kind kind = Kind::frozen;
    std::string from{};       // frozen: an earlier stage or a model file
    std::string of = "*";     // moving average: of which parameters; the others stay as they started
    double momentum = 0.999;  // moving average: c <- m c + (1 - m) p, after the optimizer
    BatchNormMode batch_norm = BatchNormMode::running;  // of frozen ones no statistics move in either mode
    std::vector<std::int32_t> classes{};                // that its logits stand for; empty: all
};

// Numbers named by the method: {shape}, or one row of it per class, per training image, or per place of a ring. A
// trained state is a parameter of the network, "state.<name>", which rules match like any other.
struct State {
    enum class Rows : std::uint8_t { plain, per_class, per_image, ring };
    std::string name{};
    Shape shape{};  // of a row; a ring's first extent is its length, a multiple of the batch
    Rows rows = Rows::plain;
    double initial = 0;
    bool is_trained = false;
    bool in_model = false;  // also part of the model file
};

// The inference network has these parts and the trained network's weights where names agree; Method::finish writes what
// differs. `values` are those of a parameter swept at evaluation (tau, alpha); the first is the stage's own.
struct Finish {
    std::vector<Part> parts{};
    std::vector<double> values{0.0};
};

// Which epoch is the stage's result.
struct Selection {
    enum class Kind : std::uint8_t { last, best };
    enum class Metric : std::uint8_t { top1, balanced };
    Kind kind = Kind::last;
    std::string split = "test";
    Metric metric = Metric::top1;
};

struct Stage {
    std::string name = "train";
    std::string method{};  // whose loss; empty: of the method that lists this stage
    std::vector<Part> parts{};
    std::vector<StartRule> start{StartRule{}};
    std::vector<TrainRule> train{TrainRule{}};
    std::vector<BatchNormRule> batch_norm{BatchNormRule{}};
    std::vector<Feed> feeds{Feed{}};
    std::vector<Companion> companions{};
    std::vector<State> states{};
    std::optional<Finish> finish{};
    std::optional<SgdOptions> optimizer{};
    bool decays_vectors = true;          // batch norm's parameters and biases, too
    std::optional<Schedule> schedule{};  // epochs and steps_per_epoch are filled in when the stage opens
    std::int64_t index_base = 0;         // the schedule's number of the first epoch
    std::optional<std::int64_t> epochs{};
    std::int64_t steps = 0;  // the stage ends after so many, if that is earlier; 0: no limit
    std::optional<std::int64_t> batch_size{};
    std::optional<LastBatch> last_batch{};
    std::optional<CropFlip> augment{};
    Selection select{};
};

}
