#include "train/run_study.h"

#include "train/class_weights.h"
#include "train/method.h"
#include "train/run_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bkd {
namespace {

// The recipe as the run has it, without what would mix images: a mixed image has no class of its own.
Recipe recipe_to_study(const RunRecord& run, const StudyOptions& options) {
    std::vector<std::string> overrides;
    for (const RecipeLine& line : run.recipe)
        if (line.is_used && (line.key == "mixup.alpha" || line.key.ends_with(".mixup.alpha")))
            overrides.push_back(line.key + "=0");
    RecipeOptions recipes = options.recipes;
    if (!options.data_root.empty()) recipes.options.push_back({"data.root", options.data_root, "option --data-root"});
    return load_recipe(std::filesystem::absolute(run.path / "recipe.toml").string(), overrides, recipes);
}

// Every training image once, as it is.
Stage stage_to_study(Stage stage) {
    Feed& feed = stage.feeds.front();
    feed.sampler = {.classes = feed.sampler.classes};
    feed.views.clear();
    feed.batch_size = 256;
    stage.feeds.resize(1);
    stage.augment = CropFlip{};
    stage.last_batch = LastBatch::keep;
    stage.start = {StartRule{}};  // the weights are written over
    return stage;
}

std::vector<double> softmax_of(std::span<const float> logits, double temperature) {
    const double largest = *std::ranges::max_element(logits);
    std::vector<double> p;
    double sum = 0;
    for (const float z : logits) sum += p.emplace_back(std::exp((z - largest) / temperature));
    for (double& value : p) value /= sum;
    return p;
}

class MeanProbability {
public:
    explicit MeanProbability(std::size_t classes)
        : means_{std::vector<double>(classes), std::vector<double>(classes)} {}
    void add(std::span<const double> p, std::size_t label) {
        for (std::size_t c = 0; c < p.size(); ++c) means_.of_class[c] += p[c];
        means_.of_label[label] += p[label];
    }
    ClassProbabilities over(std::span<const std::int64_t> samples) {
        double all = 0;
        for (const std::int64_t n : samples) all += static_cast<double>(n);
        for (std::size_t c = 0; c < samples.size(); ++c) {
            means_.of_class[c] /= all;
            means_.of_label[c] = samples[c] == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                 : means_.of_label[c] / static_cast<double>(samples[c]);
        }
        return std::move(means_);
    }

private:
    ClassProbabilities means_;
};

class StudiedStage {
public:
    StudiedStage(const OpenedRun& run, const Stage& stage, const Recipe& recipe, const FindResult& find,
                 const std::filesystem::path& model)
        : run_(run),
          recipe_(recipe.for_stage(stage.name)),
          method_(run.make_method(stage)),
          context_(run.training, stage_to_study(stage), find),
          plain_(run.training.runtime),
          epochs_(stage.epochs.value_or(1)) {
        Network& network = context_.network();
        write_weights(plain_, network.parameters(), read_stage_result(model, &network.parameters(), {}).weights);
        freeze(network, BatchNormMode::running);
        context_.epoch = epochs_ - 1;
        method_->begin(context_);
    }

    StageStudy study(const StudyParts& parts) {
        StageStudy result{.stage = context_.stage().name};
        if (std::ranges::find(context_.stage().states, DeferredWeightsName, &State::name) !=
            context_.stage().states.end()) {
            const std::vector<float> omega =
                class_weights_at(epochs_ - 1, context_.class_counts(), class_weight_options(recipe_));
            result.omega.assign(omega.begin(), omega.end());
        }
        if (parts.gradients) add_gradients(result);
        if (parts.probabilities) add_probabilities(result);
        return result;
    }

    EvaluationRecord evaluation() {
        EvaluationRecord record{.model = context_.stage().name + ".last",
                                .network = context_.network().options().name,
                                .data = run_.data.train.name,
                                .split = run_.training.eval_split,
                                .epoch = epochs_,
                                .groups = run_.training.groups};
        const std::vector<std::int32_t>& classes = context_.stage().feeds.front().sampler.classes;
        const std::vector<std::string>& names = run_.data.train.class_names;
        for (const std::int32_t c : classes) record.class_names.push_back(names.at(static_cast<std::size_t>(c)));
        if (classes.empty()) record.class_names = names;
        record.class_counts.assign(context_.class_counts().begin(), context_.class_counts().end());
        const RunSplit& split = run_.training.splits.at(record.split);
        record.metrics = evaluate(plain_, [&](Context& ctx, const Tensor& x) { return context_.network()(ctx, x); },
                                  split, select(split, classes), {run_.training.eval_batch, context_.groups()})
                             .metrics;
        return record;
    }

private:
    static constexpr const char* DeferredWeightsName = "class_weights";

    void add_gradients(StageStudy& result) {
        const auto classes = static_cast<std::size_t>(context_.classes());
        for (auto* sums : {&result.encouraging, &result.discouraging, &result.encouraging_by_others})
            sums->assign(classes, 0);
        Tape tape;
        Context ctx(context_.runtime(), &tape, false);
        FeedSource& feed = context_.feed();
        const std::int64_t batches = feed.batches_per_epoch();
        for (std::int64_t b = 0; b < batches; ++b) {
            feed.next(plain_);
            std::vector<Tensor> logits;
            Step step(context_, ctx, {.epoch = epochs_ - 1, .step = b, .done = b});
            step.watched_logits = &logits;
            const Tensor loss = method_->loss(step);
            if (logits.size() != 1 || !loss.takes_gradient()) {
                tape.clear();
                for (auto* sums : {&result.encouraging, &result.discouraging, &result.encouraging_by_others})
                    sums->clear();
                return;
            }
            tape.backward(plain_, loss);
            add_batch(result, plain_.download(logits.front().gradient()), feed.labels());
        }
    }

    // The loss is a mean over the batch: times its size, a gradient is that of one image.
    void add_batch(StageStudy& result, const std::vector<double>& gradient, std::span<const std::int32_t> labels) {
        const std::size_t classes = result.encouraging.size();
        const auto images = static_cast<double>(labels.size());
        for (std::size_t i = 0; i < labels.size(); ++i)
            for (std::size_t c = 0; c < classes; ++c) {
                const double push = -images * gradient[i * classes + c];
                (push > 0 ? result.encouraging : result.discouraging)[c] += std::abs(push);
                if (push > 0 && static_cast<std::size_t>(labels[i]) != c) result.encouraging_by_others[c] += push;
            }
    }

    void add_probabilities(StageStudy& result) {
        // Other methods that have class weights give them to the cross-entropy.
        const bool reweights = !result.omega.empty() && recipe_.text("method.name") == "bkd";
        const auto classes = static_cast<std::size_t>(context_.classes());
        const bool has_teacher =
            std::ranges::any_of(context_.companions(), [](const OpenCompanion& c) { return c.name() == "teacher"; });
        if (has_teacher) result.temperature = recipe_.number("kd.temperature");
        MeanProbability student(classes), teacher(classes), balanced(classes);
        std::vector<std::int64_t> samples(classes);
        const auto visit = [&](const SweepBatch& batch) {
            Context ctx = plain_.inference();
            const std::vector<float> z = plain_.download_f32(context_.network()(ctx, batch.images));
            std::vector<float> teacher_z;
            if (has_teacher) teacher_z = plain_.download_f32(context_.companion("teacher")(ctx, batch.images));
            for (std::size_t i = 0; i < batch.labels.size(); ++i) {
                const auto label = static_cast<std::size_t>(batch.labels[i]);
                const auto row = [&](const std::vector<float>& all) {
                    return softmax_of(std::span(all).subspan(i * classes, classes), result.temperature);
                };
                ++samples[label];
                student.add(row(z), label);
                if (!has_teacher) continue;
                std::vector<double> p = row(teacher_z);
                teacher.add(p, label);
                if (!reweights) continue;
                double sum = 0;
                for (std::size_t c = 0; c < classes; ++c) sum += p[c] *= result.omega[c];
                for (double& value : p) value /= sum;
                balanced.add(p, label);
            }
        };
        context_.sweep(run_.training.eval_split, visit, context_.stage().feeds.front().sampler.classes);
        result.student = student.over(samples);
        if (has_teacher) result.teacher = teacher.over(samples);
        if (has_teacher && reweights) result.balanced = balanced.over(samples);
    }

    const OpenedRun& run_;
    Recipe recipe_;
    std::unique_ptr<Method> method_;
    StageContext context_;
    Context plain_;
    std::int64_t epochs_;
};

}

Json::Object study_json(const StageStudy& study, const StudyParts& parts) {
    Json::Object object{{"omega", Json::array(study.omega)}};
    const auto add = [&](const char* name, const ClassProbabilities& p) {
        object.emplace_back(name,
                            Json::Object{{"of_class", Json::array(p.of_class)}, {"of_label", Json::array(p.of_label)}});
    };
    if (parts.gradients) {
        object.emplace_back("encouraging", Json::array(study.encouraging));
        object.emplace_back("discouraging", Json::array(study.discouraging));
        object.emplace_back("encouraging_by_others", Json::array(study.encouraging_by_others));
    }
    if (!parts.probabilities) return object;
    object.emplace_back("temperature", study.temperature);
    add("student", study.student);
    if (study.teacher) add("teacher", *study.teacher);
    if (study.balanced) add("balanced_teacher", *study.balanced);
    return object;
}

RunStudy study_run(const RunRecord& run, const StudyOptions& options) {
    const Recipe recipe = recipe_to_study(run, options);
    RunStudy study;
    open_run(recipe, {.device = options.device, .threads = options.threads}, [&](const OpenedRun& opened) {
        if (opened.data.fingerprint != run.facts.at("data").at("sha256").text())
            throw InputError({.id = 1005,
                              .what = "the training data here are not those of the run",
                              .at = printable(run.path.string()),
                              .why = "the SHA-256 over labels and pixels differs from that in run.json"});
        std::map<std::string, StageResult> results;
        const auto find = [&](const std::string& from) -> const StageResult& {
            const auto stage = std::ranges::find(opened.stages, from, &Stage::name);
            if (stage == opened.stages.end()) return opened.read_model_file(from);
            const char* which = stage->select.kind == Selection::Kind::best ? "best" : "last";
            const auto [found, is_new] = results.try_emplace(from);
            if (is_new) found->second = read_stage_result(run.model_path(from, which), nullptr, {});
            return found->second;
        };
        for (const Stage& stage : opened.stages) {
            if (options.only_last_stage && &stage != &opened.stages.back()) continue;
            const auto record = std::ranges::find(run.stages, stage.name, &StageRecord::name);
            if (record == run.stages.end() || !record->is_finished || stage.finish) {
                study.missing.push_back(fmt::format(
                    "stage {}: {}", stage.name,
                    stage.finish ? "its model is not the network that was trained" : "it has not ended yet"));
                continue;
            }
            if (options.say)
                options.say(fmt::format("studying {} of {}", printable(stage.name), printable(run.name())));
            StudiedStage studied(opened, stage, recipe, find, run.model_path(stage.name, "last"));
            study.stages.push_back(studied.study(options.parts));
            // Those of an earlier version have no calibration.
            if (const EvaluationRecord* kept = run.evaluation(stage.name + ".last");
                kept == nullptr || kept->metrics.calibration.empty())
                study.evaluations.push_back(studied.evaluation());
        }
    });
    return study;
}

}
