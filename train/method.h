#pragma once
// Method: a way of training, in one file of methods/, which opens with its equation. It says which stages it needs and
// what the loss of one batch is; it knows nothing of devices, types, threads, files or learning rates.
//
// What a method carries from step to step is named State, so that resuming restores it: begin() is called when a stage
// starts, not when it is taken up again. Adding one: its file, its line in methods/list.inc.
#include "train/recipe.h"
#include "train/step.h"

namespace bkd {

// What a finished stage is made of (Stage::finish).
struct FinishContext {
    StageContext& stage;
    Network& inference;  // has the trained weights where names agree
    double value = 0;    // of Finish::values
};

class Method {
public:
    virtual ~Method() = default;
    virtual std::vector<Stage> stages() const = 0;
    virtual Tensor loss(Step& step) = 0;  // [1], on the tape
    // Optional. begin may sweep and fill states.
    virtual void begin(StageContext&) {}
    virtual void after_step(Step&) {}
    virtual void after_epoch(StageContext&, const Metrics&) {}
    virtual void finish(FinishContext&) {}
};

// Where a method reads its options. `as_stage` is set where the method lends its loss to a stage of another one.
struct MethodOptions {
    const Recipe& recipe;
    std::vector<std::int64_t> class_counts{};
    std::string as_stage{};
    Recipe for_stage(const std::string& own) const { return recipe.for_stage(as_stage.empty() ? own : as_stage); }
};

struct MethodEntry {
    const char* name;
    const char* summary;
    std::unique_ptr<Method> (*make)(const MethodOptions&);
};
std::span<const MethodEntry> method_list();  // sorted by name

// InputError E0304 for an unknown name, with the list.
std::unique_ptr<Method> make_method(std::string_view name, const MethodOptions& options);

}
