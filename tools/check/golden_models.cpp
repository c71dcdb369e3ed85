// Golden ops that are whole networks and training steps. Parameters arrive as inputs under PyTorch's names in the
// layouts of memory; training repeats one batch.
#include "engine/ops/elementwise.h"
#include "engine/ops/image.h"
#include "engine/ops/loss.h"
#include "engine/optimizer/sgd.h"
#include "models/text_cnn.h"
#include "tools/check/golden_tables.h"

#include <cmath>
#include <functional>

namespace bkd {
namespace {

std::unique_ptr<Network> load_network(GoldenRun& r, const NetworkOptions& options, const std::string& prefix = "") {
    std::unique_ptr<Network> network = make_network(options);
    for (const Parameter& p : network->parameters().all())
        BKD_CHECK(p.shape == r.shape("in", prefix + p.name), "{} is {} in the file", p.name,
                  r.shape("in", prefix + p.name).str());
    network->parameters().materialise(r.ctx, 0, "golden");
    for (Parameter& p : network->parameters().all())
        r.ctx.assign(p.value, std::span<const double>(r.numbers("in", prefix + p.name)));
    return network;
}

NetworkOptions resnet_options(GoldenRun& r) {
    return {.name = fmt::format("resnet{}", r.integer("depth", 8, 2000)),
            .classes = r.size("classes"),
            .classifier = r.choice<std::string>("head", {{"linear", "linear"}, {"cosine", "cosine"}}),
            .cosine_scale = r.number("scale"),
            .width = r.size("width")};
}

NetworkOptions text_options(GoldenRun& r, double dropout) {
    const Shape table = r.shape("in", "embedding.weight");
    return {.name = "text_cnn",
            .classes = r.size("classes"),
            .vocabulary = table[0],
            .embedding = table[1],
            .filters = r.size("filters"),
            .text_padding = r.padding("padding"),
            .kernels = r.sizes("kernels"),
            .dropout = dropout};
}

void resnet_cifar_eval_op(GoldenRun& r) {
    const auto network = load_network(r, resnet_options(r));
    Context ctx = r.ctx.inference();
    r.out("logits", (*network)(ctx, r.in("x")));
}
void text_cnn_eval_op(GoldenRun& r) {
    const auto network = load_network(r, text_options(r, 0));
    Context ctx = r.ctx.inference();
    r.out("logits", (*network)(ctx, r.in("tokens")));
}

// Element i of the tensor `name` of networks.safetensors (tests/golden/networks.py): in [-1, 1), 24 bits.
class Formula {
public:
    explicit Formula(std::string_view name) {
        for (const char c : name) hash_ = (hash_ ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
    }
    double operator()(std::uint64_t i) const {
        std::uint64_t z = hash_ ^ ((i + 1) * 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        z ^= z >> 31;
        return static_cast<double>(z >> 40) / (1 << 23) - 1;
    }

private:
    std::uint64_t hash_ = 0xcbf29ce484222325;
};

Tensor formula_tensor(GoldenRun& r, std::string_view name, const Shape& shape, double middle, double factor) {
    const Formula formula(name);
    std::vector<double> numbers(static_cast<std::size_t>(shape.count()));
    for (std::size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = static_cast<double>(static_cast<float>(middle + factor * formula(i)));
    return r.ctx.upload(shape, numbers);
}

// Any network, its weights by the formula.
std::unique_ptr<Network> formula_network(GoldenRun& r) {
    NetworkOptions options{.name = r.text("network"),
                           .classes = r.size("classes"),
                           .classifier = r.choice<std::string>("head", {{"linear", "linear"}, {"cosine", "cosine"}}),
                           .cosine_scale = r.number("scale"),
                           .width = r.size("width")};
    const std::string stem = r.text("stem");
    const std::int64_t experts = r.integer("experts", 1, 16);
    const bool reduces_width = r.boolean("reduces_width");
    const NetworkTrait trait = network_trait(options.name);
    if (trait == NetworkTrait::stem) options.stem = stem;
    if (trait == NetworkTrait::experts) options.experts = experts, options.reduces_width = reduces_width;
    std::unique_ptr<Network> network = make_network(options);
    network->parameters().materialise(r.ctx, 0, "golden");
    for (Parameter& p : network->parameters().all()) {
        const auto fan_in = static_cast<double>(p.shape.count() / std::max<std::int64_t>(1, p.shape[0]));
        const bool is_matrix = p.shape.rank() > 1, is_variance = p.name.ends_with("running_var");
        const bool is_gamma = !is_matrix && p.name.ends_with("weight");
        const double factor = is_matrix ? std::sqrt(6 / fan_in) : is_variance ? 0.5 : 0.1;
        const Tensor numbers = formula_tensor(r, p.name, p.shape, is_variance ? 1 : is_gamma ? 0.3 : 0, factor);
        r.ctx.assign(p.value, std::span<const double>(r.ctx.download(numbers)));
    }
    return network;
}

Tensor formula_images(GoldenRun& r) {
    const std::int64_t size = r.integer("size", 1, 1024);
    return formula_tensor(r, "x", {r.integer("batch", 1, 1024), size, size, 3}, 0, 1);
}

void network_eval_op(GoldenRun& r) {
    const auto network = formula_network(r);
    Context ctx = r.ctx.inference();
    r.out("logits", (*network)(ctx, formula_images(r)));
}

// What a step leaves behind, by name; all but the first step's gradients are collected over the steps.
struct StepOutcome {
    Tensor loss, logits;
    Tensor ce{}, kl{};
};

void train(GoldenRun& r, Network& network, const std::string& prefix,
           const std::function<StepOutcome(Context&, std::int64_t)>& step) {
    Parameters& parameters = network.parameters();
    Sgd sgd(r.ctx, parameters,
            {.momentum = r.number("momentum"),
             .nesterov = r.boolean("nesterov"),
             .weight_decay = r.number("weight_decay")});
    const std::array rate{r.number("lr")};
    const Tensor learning_rate = r.ctx.upload({1}, std::span<const double>(rate));
    const std::int64_t steps = r.integer("steps", 1, GoldenRun::max_steps);
    std::vector<double> loss, ce, kl, logits;
    Shape logits_shape{steps};
    for (std::int64_t s = 0; s < steps; ++s) {
        Tape tape;
        Context ctx(r.ctx.runtime(), &tape, /*training=*/true);
        parameters.begin_step();
        const StepOutcome outcome = step(ctx, s);
        Context back = ctx.inference();
        tape.backward(back, outcome.loss);
        parameters.complete_gradients(back);
        loss.push_back(ctx.item(outcome.loss));
        if (outcome.ce) ce.push_back(ctx.item(outcome.ce));
        if (outcome.kl) kl.push_back(ctx.item(outcome.kl));
        for (const double z : ctx.download(outcome.logits)) logits.push_back(z);
        if (s == 0) {
            for (const std::int64_t axis : {0, 1}) logits_shape.push(outcome.logits.dim(static_cast<int>(axis)));
            for (const Parameter& p : parameters.all())
                if (!p.is_buffer) r.grad(prefix + p.name, p.shape, ctx.download(p.value.gradient()));
        }
        sgd.step(back, learning_rate);
    }
    r.out("loss", {steps}, loss);
    if (!ce.empty()) r.out("ce", {steps}, ce);
    if (!kl.empty()) r.out("kl", {steps}, kl);
    r.out("logits", logits_shape, logits);
    for (const Parameter& p : parameters.all()) r.out("after." + p.name, p.shape, r.ctx.download(p.value));
}

void resnet_cifar_train_op(GoldenRun& r) {
    const auto network = load_network(r, resnet_options(r));
    train(r, *network, "", [&](Context& ctx, std::int64_t) {
        const Tensor logits = (*network)(ctx, r.in("x"));
        return StepOutcome{cross_entropy(ctx, logits, {.labels = r.in("labels")}), logits};
    });
}

void network_train_op(GoldenRun& r) {
    const auto network = formula_network(r);
    const Tensor images = formula_images(r);
    const std::int64_t classes = network->options().classes;
    std::vector<std::int32_t> labels(static_cast<std::size_t>(images.dim(0)));
    for (std::size_t i = 0; i < labels.size(); ++i)
        labels[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) % classes);
    const Tensor label_tensor = r.ctx.upload({images.dim(0)}, std::span<const std::int32_t>(labels));
    train(r, *network, "", [&](Context& ctx, std::int64_t) {
        const std::vector<Tensor> logits = network->experts(ctx, images);
        Tensor loss;
        for (const Tensor& z : logits) {
            const Tensor ce = cross_entropy(ctx, z, {.labels = label_tensor});
            loss = loss ? add(ctx, loss, ce) : ce;
        }
        return StepOutcome{loss, logits.front()};
    });
}

void text_cnn_train_op(GoldenRun& r) {
    const auto network = load_network(r, text_options(r, r.number("dropout")));
    const auto& text = dynamic_cast<const TextCnn&>(*network);
    const Tensor masks = r.in("masks");
    BKD_CHECK(masks.shape().rank() == 3 && masks.dim(0) == r.integer("steps", 1, GoldenRun::max_steps),
              "masks {} for the steps of the case", masks.shape().str());
    train(r, *network, "", [&](Context& ctx, std::int64_t s) {
        const Shape mask{masks.dim(1), masks.dim(2)};
        const Tensor features =
            text.features(ctx, r.in("tokens"), ctx.runtime().tensors.slice(masks, s * mask.count(), mask));
        const Tensor logits = text.head(ctx, features);
        return StepOutcome{cross_entropy(ctx, logits, {.labels = r.in("labels")}), logits};
    });
}

// (images, targets) = mixup once; the teacher in eval mode sees the mixed images   paper: Algorithm 1, lines 9, 10, 11, 12
void bkd_student_step_op(GoldenRun& r) {
    const auto student = load_network(r, resnet_options(r), "student.");
    const auto teacher = load_network(r, resnet_options(r), "teacher.");
    Context still = r.ctx.inference();
    const std::array lambda{r.number("lam")};
    const Tensor mix_lambda = r.ctx.upload({1}, std::span<const double>(lambda));
    const Tensor images = mixup(still, r.in("x"), r.in("perm"), mix_lambda);
    const Tensor target = mix_targets(still, r.in("labels"), r.in("perm"), mix_lambda, r.size("classes"));
    std::vector<double> log_omega = r.numbers("in", "omega");
    for (double& w : log_omega) w = std::log(w);
    const DistillationOptions options{
        .log_omega = r.ctx.upload(r.shape("in", "omega"), std::span<const double>(log_omega)),
        .temperature = r.number("T"),
        .kd_weight = r.number("kl_weight")};
    const Tensor teacher_logits = (*teacher)(still, images);
    r.out("teacher_logits", teacher_logits);
    train(r, *student, "student.", [&](Context& ctx, std::int64_t) {
        const Tensor logits = (*student)(ctx, images);
        const DistillationLoss result = distillation(ctx, logits, teacher_logits, {.dense = target}, options);
        return StepOutcome{result.loss, logits, result.ce, result.kl};
    });
}

}

const GoldenTable& golden_models() {
    static const GoldenTable table{
        {"resnet_cifar_eval", resnet_cifar_eval_op}, {"resnet_cifar_train", resnet_cifar_train_op},
        {"network_eval", network_eval_op},           {"network_train", network_train_op},
        {"text_cnn_eval", text_cnn_eval_op},         {"text_cnn_train", text_cnn_train_op},
        {"bkd_student_step", bkd_student_step_op}};
    return table;
}

}
