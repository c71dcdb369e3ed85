#include "train/step_tape.h"

#include "data/dataset.h"
#include "train/memory_plan.h"
#include "train/run_data.h"
#include "train/run_settings.h"

#include <algorithm>
#include <map>

namespace bkd {
namespace {

// Follows the launches of a step by the addresses of what they read and write: a plan's memory has addresses like any
// other, and gives those of what is freed to later tensors.
class TapeRecorder final : public LaunchObserver {
public:
    TapeRecorder(Runtime& runtime, StepTape& tape) : runtime_(runtime), tape_(tape) { runtime.stream->observer = this; }
    ~TapeRecorder() override { runtime_.stream->observer = nullptr; }
    TapeRecorder(const TapeRecorder&) = delete;

    void add_network(const std::string& prefix, const Parameters& parameters) {
        const auto name = [&](const Tensor& block, const std::string& text, std::int64_t at, const Shape& shape) {
            if (!block) return;  // of bf16 copies where activations are f32
            const ConstView view = block.view();
            const auto width = static_cast<std::int64_t>(size_of(view.dtype));
            named_[{static_cast<const std::byte*>(view.data) + at * width, shape.count() * width}] = text;
        };
        name(parameters.values(), prefix + "all parameters", 0, parameters.values().shape());
        name(parameters.gradients(), "all gradients", 0, parameters.values().shape());
        for (const Parameter& p : parameters.all()) {
            name(p.value, prefix + p.name, 0, p.shape);
            if (p.is_buffer) continue;
            const std::int64_t at = (static_cast<const std::byte*>(p.value.view().data) -
                                     static_cast<const std::byte*>(parameters.values().view().data)) /
                                    static_cast<std::int64_t>(size_of(p.value.dtype()));
            name(parameters.gradients(), "gradient of " + p.name, at, p.shape);
            name(parameters.copies(), prefix + p.name, at, p.shape);
        }
        if (!prefix.empty()) companions_.push_back(prefix);
    }

    void enters(const char* part, const char* gradient_of) override {
        part_ = part;
        gradient_of_ = gradient_of == nullptr ? "" : gradient_of;
    }

    void before(const Launch& launch) override {
        const PoolStatistics& pool = runtime_.backend->pool().statistics();
        tape_.peak_bytes = std::max(tape_.peak_bytes, pool.live_bytes);
        TapeLaunch entry{.part = part_,
                         .op = launch.op,
                         .gradient_of = gradient_of_,
                         .flops = launch.flops,
                         .bytes_read = launch.bytes_read,
                         .bytes_written = launch.bytes_written};
        Origin origin;  // of the first parameter that is written, else that is read
        bool is_of_written = false;
        for (const kernels::ViewArgument& argument : launch.arguments) {
            TapeTensor tensor{.shape = argument.view.shape,
                              .dtype = argument.view.dtype,
                              .is_read = argument.is_read,
                              .is_written = argument.is_output};
            const auto found = named_.find({static_cast<const std::byte*>(argument.view.data), argument.view.bytes()});
            if (found != named_.end()) tensor.name = found->second;
            if (!tensor.name.empty() && (origin.layer.empty() || (argument.is_output && !is_of_written))) {
                origin = origin_of(tensor.name);
                is_of_written = argument.is_output;
            }
            entry.tensors.push_back(std::move(tensor));
        }
        const bool has_own = !origin.layer.empty();
        for (const kernels::ViewArgument& argument : launch.arguments) {
            if (has_own || !argument.is_read) continue;
            const auto maker = makers_.find(argument.view.data);
            if (maker == makers_.end() || maker->second.layer.empty()) continue;
            origin = maker->second;
            break;
        }
        entry.layer = has_own || origin.layer.empty() ? origin.layer : "after " + origin.layer;
        entry.part = part_of(launch.op, origin);
        for (const kernels::ViewArgument& argument : launch.arguments)
            if (argument.is_output) makers_[argument.view.data] = origin;
        tape_.launches.push_back(std::move(entry));
    }

private:
    // Whose output something is: of a layer, and of which companion's.
    struct Origin {
        std::string layer{}, companion{};
    };

    // "teacher.layer1.0.conv1.weight" is of teacher's layer1.0.conv1.
    Origin origin_of(std::string name) const {
        constexpr std::string_view gradient = "gradient of ";
        if (name.starts_with(gradient)) name.erase(0, gradient.size());
        Origin origin;
        for (const std::string& prefix : companions_)
            if (name.starts_with(prefix)) {
                origin.companion = prefix.substr(0, prefix.size() - 1);
                name.erase(0, prefix.size());
            }
        origin.layer = name.substr(0, name.rfind('.'));
        return origin;
    }

    static bool is_one_of(std::span<const char* const> ops, std::string_view op) {
        return std::ranges::find(ops, op) != ops.end();
    }
    std::string part_of(std::string_view op, const Origin& origin) const {
        if (part_ != "forward") return part_;
        if (is_one_of(kernels::Loss::ops, op)) return "loss";
        if (is_one_of(kernels::Image::ops, op)) return "batch";
        return origin.companion.empty() ? part_ : origin.companion;
    }

    Runtime& runtime_;
    StepTape& tape_;
    std::string part_ = "forward", gradient_of_;
    std::map<std::pair<const std::byte*, std::int64_t>, std::string> named_;  // by address and bytes
    std::map<const void*, Origin> makers_;
    std::vector<std::string> companions_;
};

// A set of the recipe's extents and classes, just large enough for a batch, black. How many classes there are of
// pictures in files their list says.
ImageSet stand_in(const DataSettings& settings, std::int64_t images) {
    ImageSet set = describe_dataset(settings.name, settings.set);
    if (set.class_names.empty()) set.class_names = open_dataset(settings.name, settings.set, Split::train).class_names;
    for (std::int64_t i = 0; i < std::max(images, set.classes()); ++i)
        set.labels.push_back(static_cast<std::int32_t>(i % set.classes()));
    set.images.resize(static_cast<std::size_t>(set.size() * set.image_bytes()));
    return set;
}

}

double StepTape::flops() const {
    double sum = 0;
    for (const TapeLaunch& launch : launches) sum += launch.flops;
    return sum;
}

std::int64_t StepTape::bytes_read() const {
    std::int64_t sum = 0;
    for (const TapeLaunch& launch : launches) sum += launch.bytes_read;
    return sum;
}

std::int64_t StepTape::bytes_written() const {
    std::int64_t sum = 0;
    for (const TapeLaunch& launch : launches) sum += launch.bytes_written;
    return sum;
}

std::vector<StepTape> tapes_of(const Recipe& recipe) {
    const std::vector<Stage> stages = check_recipe(recipe);
    const RunSettings settings = read_run_settings(recipe);
    std::int64_t images = 0;
    for (const Stage& stage : stages) images = std::max(images, stage.batch_size.value_or(128));
    const ImageSet set = stand_in(read_data_settings(recipe), images);
    const std::vector<std::int64_t> counts = class_counts(set.labels, set.classes());

    Runtime runtime({DeviceKind::plan, 0}, {}, settings.storage);
    Splits splits;
    Training training{.runtime = runtime, .splits = splits, .make_network = network_factory(settings.network_for(set))};
    settings.apply(training);

    // Whatever file the recipe names: a network's start.
    std::map<std::string, StageResult> files;
    const FindResult read_file = [&](const std::string& path) -> const StageResult& {
        const auto [found, is_new] = files.try_emplace(path);
        if (!is_new) return found->second;
        const Context ctx(runtime);
        const std::unique_ptr<Network> start = training.make_network(set.classes(), {});
        start->parameters().materialise(ctx, 1, "file");
        found->second.weights = read_weights(ctx, start->parameters());
        return found->second;
    };
    const auto make_method_of = [&](const Stage& stage) {
        return stage.method.empty() ? make_method(recipe.text("method.name"), {recipe, counts})
                                    : make_method(stage.method, {recipe, counts, stage.name});
    };
    std::vector<StepTape> tapes;
    plan_stages({training, {{"train", &set}, {"test", &set}, {"validation", &set}}, stages, make_method_of, read_file},
                0, [&](StageRun& run, Runtime& planned) {
                    const Stage& stage = run.stage();
                    StepTape tape{.stage = stage.name,
                                  .method = stage.method.empty() ? recipe.text("method.name") : stage.method,
                                  .network = settings.network.name,
                                  .storage = settings.storage,
                                  .batch = stage.batch_size.value_or(128),
                                  .parameters = run.context().network().parameters().count()};
                    TapeRecorder recorder(planned, tape);
                    recorder.add_network("", run.context().network().parameters());
                    for (OpenCompanion& companion : run.context().companions())
                        recorder.add_network(companion.name() + ".", companion.network().parameters());
                    run.step();
                    tape.peak_bytes -= 3 * set.size() * set.image_bytes();
                    tapes.push_back(std::move(tape));
                });
    return tapes;
}

}
