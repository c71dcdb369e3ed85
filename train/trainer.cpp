#include "train/trainer.h"

namespace bkd {

Trainer::Trainer(const Training& training, std::vector<Stage> stages, Method& method, TrainObserver& observer,
                 LendMethod lend)
    : training_(training), stages_(std::move(stages)), method_(method), observer_(observer), lend_(std::move(lend)) {}

bool Trainer::run(const Checkpoint* from) {
    const std::size_t first = from == nullptr ? 0 : static_cast<std::size_t>(from->stage_index);
    for (std::size_t i = first; i < stages_.size(); ++i)
        if (!run_stage(i, i == first ? from : nullptr)) return false;
    return true;
}

bool Trainer::run_stage(std::size_t index, const Checkpoint* from) {
    const Stage& stage = stages_[index];
    const std::unique_ptr<Method> lent = stage.method.empty() ? nullptr : lend_(stage);
    StageRun run(training_, stage, lent ? *lent : method_,
                 [&](const std::string& name) -> const StageResult& { return find(name); });
    run.on_fault = [&](const FaultReport& report) { observer_.fault_found(run, report); };
    if (from == nullptr)
        run.begin();
    else
        run.restore(*from);
    if (from != nullptr && read_best)
        if (auto best = read_best(stage)) run.set_best_result(std::move(*best));
    observer_.stage_started(run);
    while (!run.is_done()) {
        run.begin_epoch();
        while (!run.is_epoch_done()) {
            const auto report = run.step();
            observer_.step_ended(run, report ? &*report : nullptr);
            if (is_interrupted(run)) return false;
        }
        observer_.epoch_ended(run, run.end_epoch());
        if (observer_.should_stop() || is_interrupted(run)) return false;
    }
    const bool takes_best = stage.select.kind == Selection::Kind::best && run.best_result();
    give(takes_best ? *run.best_result() : run.result());
    observer_.stage_ended(run, results_.at(stage.name));
    return true;
}

bool Trainer::is_interrupted(StageRun& run) {
    if (!observer_.is_interrupted()) return false;
    observer_.interrupted(run);
    return true;
}

void Trainer::give(StageResult result) { results_.insert_or_assign(result.name, std::move(result)); }

const StageResult& Trainer::result(const std::string& stage) const {
    const auto found = results_.find(stage);
    BKD_CHECK(found != results_.end(), "stage {} has no result yet", stage);
    return found->second;
}

const StageResult& Trainer::find(const std::string& from) {
    const auto found = results_.find(from);
    if (found != results_.end()) return found->second;
    const bool is_file = from.find_first_of("/.") != std::string::npos;
    if (!is_file || !read_file)
        throw InputError({.id = 311,
                          .what = fmt::format("no earlier stage is called \"{}\"", printable(from)),
                          .at = "start rules and companions"});
    StageResult result = read_file(from);
    result.name = from;
    give(std::move(result));
    return results_.at(from);
}

}
