#include "train/memory_plan.h"

#include <algorithm>

namespace bkd {
namespace {

std::string size_text(std::int64_t bytes) {
    constexpr std::int64_t gib = std::int64_t{1} << 30;
    return bytes < gib / 2 ? fmt::format("{} MiB", bytes >> 20)
                           : fmt::format("{:.1f} GiB", static_cast<double>(bytes) / gib);
}

const StageMemory& largest(const std::vector<StageMemory>& all) {
    return *std::max_element(all.begin(), all.end(),
                             [](const StageMemory& a, const StageMemory& b) { return a.bytes < b.bytes; });
}

// What the device has for this run, what the run holds already included; 0: not known.
std::int64_t available(const Training& training) {
    Backend& backend = *training.runtime.backend;
    const std::int64_t free = backend.free_memory();
    return free == 0 ? 0 : free + backend.pool().statistics().system_bytes;
}

// The largest batch whose stages all fit; 0 if none does.
std::int64_t largest_batch(const PlannedTraining& planned, std::int64_t limit, std::int64_t too_large) {
    std::int64_t fits = 0;
    while (too_large - fits > 1) {
        const std::int64_t middle = fits + (too_large - fits) / 2;
        (largest(plan_memory(planned, middle)).bytes <= limit ? fits : too_large) = middle;
    }
    return fits;
}

// Planning makes no samples.
class Unmade final : public SampleSource {
public:
    void read(std::int32_t, std::span<std::uint8_t>) const override {}
    void read_changed(std::int32_t, const std::function<double()>&, std::span<std::uint8_t>) const override {}
    std::string name(std::int32_t) const override { return {}; }
};

ImageSet without_samples(ImageSet set) {
    set.source = std::make_shared<Unmade>();
    return set;
}

InputError::Parts refusal(const PlannedTraining& planned, const StageMemory& most, std::int64_t limit) {
    const std::int64_t batch = largest_batch(planned, limit, most.batch);
    return {.id = 702,
            .what = fmt::format("{} has {} free, this plan needs {}", planned.training.runtime.backend->device.str(),
                                size_text(limit), size_text(most.bytes)),
            .at = fmt::format("stage {}, batch {}", most.stage, most.batch),
            .why = "the plan is of data set, networks, activations and gradients of one step",
            .try_ = batch == 0 ? "a smaller network or data set"
                               : fmt::format("batch.size={}, the largest that fits by the same plan", batch)};
}

}

void plan_stages(const PlannedTraining& planned, std::int64_t batch,
                 const std::function<void(StageRun&, Runtime&)>& make_step) {
    const Training& real = planned.training;
    Runtime runtime({DeviceKind::plan, 0}, {}, real.runtime.storage);
    const Context ctx(runtime);
    std::map<std::string, ImageSet> unmade;
    Splits splits;
    for (const auto& [name, real_set] : planned.sets) {
        const ImageSet& set =
            real_set->source ? unmade.emplace(name, without_samples(*real_set)).first->second : *real_set;
        const std::vector<float> ones(static_cast<std::size_t>(set.channels), 1.0F);
        splits.add(ctx, name, set, ones, ones);
    }
    const Training training{.runtime = runtime,
                            .splits = splits,
                            .make_network = real.make_network,
                            .skips_nonfinite = real.skips_nonfinite};

    std::map<std::string, StageResult> results;
    const FindResult find = [&](const std::string& from) -> const StageResult& {
        const auto found = results.find(from);
        return found != results.end() ? found->second : planned.read_file(from);
    };
    const std::optional<std::int64_t> usual = planned.stages.front().batch_size;
    for (Stage stage : planned.stages) {
        if (batch > 0 && stage.batch_size == usual) stage.batch_size = batch;
        const std::unique_ptr<Method> method = planned.make_method(stage);
        StageRun run(training, stage, *method, find);
        run.begin();
        run.begin_epoch();
        make_step(run, runtime);
        results.insert_or_assign(stage.name, run.result());
    }
}

std::vector<StageMemory> plan_memory(const PlannedTraining& planned, std::int64_t batch) {
    std::vector<StageMemory> all;
    plan_stages(planned, batch, [&](StageRun& run, Runtime& runtime) {
        run.step();
        all.push_back(
            {run.stage().name, run.stage().batch_size.value_or(128), runtime.backend->pool().statistics().peak_bytes});
    });
    return all;
}

void check_memory(const PlannedTraining& planned) {
    const std::int64_t limit = available(planned.training);
    if (limit == 0) return;
    const std::vector<StageMemory> all = plan_memory(planned);
    if (const StageMemory& most = largest(all); most.bytes > limit) throw InputError(refusal(planned, most, limit));
}

InputError with_plan(const InputError& error, const PlannedTraining& planned) {
    InputError::Parts parts = error.parts();
    const StageMemory most = largest(plan_memory(planned));
    // Scratch and what the pool cannot use come on top: an eighth is a guess that a second failure corrects.
    const std::int64_t known = available(planned.training);
    const std::int64_t limit = (known == 0 ? most.bytes : std::min(known, most.bytes)) / 8 * 7;
    const std::int64_t batch = largest_batch(planned, limit, most.batch);
    parts.why += fmt::format("{}by plan stage {} takes {} with batches of {}, scratch of kernels not counted",
                             parts.why.empty() ? "" : "; ", most.stage, size_text(most.bytes), most.batch);
    // Where the device does not say what it has, a smaller batch helps only where tensors are most of the memory.
    constexpr std::int64_t outside = std::int64_t{256} << 20;
    if (known == 0 && most.bytes < outside)
        parts.try_ = fmt::format("more memory for the process: program, libraries and threads take about {} beside it",
                                 size_text(outside));
    else if (batch > 0)
        parts.try_ = fmt::format("batch.size = {}", batch);
    return InputError(std::move(parts));
}

}
