// What only a device can answer, beyond the table of cases (bkd check-ops --device cuda): a step that is recorded and
// replayed trains as the same step computed each time, to the bit; the CPU agrees; errors of the device have their words.
// The program ends with 77, which CTest shows as skipped, where there is no device; REQUIRE_DEVICE=cuda makes that a failure.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/train/toy.h"
#include "train/losses.h"
#include "train/weights.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace bkd::test {
namespace {

const std::vector<std::int64_t> counts = {40, 24, 16, 8};

// A teacher of one epoch, then BKD with mixup for three: its student's weights and last loss.
struct Trained {
    std::vector<std::vector<float>> weights;
    float loss = 0;
    std::int64_t requests = 0;  // memory asked of the system after the first epoch
};

Trained train_on(const char* device, bool is_recorded) {
    Toy toy(device, counts);
    toy.training.skips_nonfinite = !is_recorded;  // then every step's loss is looked at, and nothing recorded
    toy.training.log_every = 1000;
    SketchMethod method;
    Stage student = Toy::stage("student", 3);
    student.companions = {{.from = "teacher"}};
    student.states = {{.name = "class_weights", .rows = State::Rows::per_class}};
    method.list = {Toy::stage("teacher", 1), student};
    method.on_loss = [](Step& s) {
        if (s.stage().name == "teacher") return plain_cross_entropy(s);
        const Batch batch = s.mixup(1.0);
        const Tensor teacher = s.teacher(batch.images);
        return distillation(s.ctx, s.network(batch.images), teacher, batch.targets,
                            {.log_omega = s.state("class_weights")})
            .loss;
    };
    Trained result;
    std::int64_t after_first = 0;
    Watch watch;
    watch.after_epoch = [&](StageRun&) {
        const std::int64_t now = toy.runtime.backend->pool().statistics().system_requests;
        result.requests = now - after_first;
        after_first = now;
    };
    watch.at_end = [&](StageRun& run) {
        const Context ctx(toy.runtime);
        result.weights.clear();
        const Parameters& parameters = run.context().network().parameters();
        for (const Parameter& p : parameters.all()) result.weights.push_back(parameters.read(ctx, p));
    };
    REQUIRE(Trainer(toy.training, method.list, method, watch).run());
    return result;
}

double largest_difference(const Trained& a, const Trained& b) {
    double worst = 0;
    for (std::size_t t = 0; t < a.weights.size(); ++t)
        for (std::size_t i = 0; i < a.weights[t].size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(a.weights[t][i]) - b.weights[t][i]));
    return worst;
}

}

TEST_CASE("a recorded step trains to the same bits as one that is computed each time") {
    const Trained recorded = train_on("cuda:0", true), computed = train_on("cuda:0", false);
    CHECK(recorded.weights == computed.weights);
}

TEST_CASE("training twice on the device gives the same bits") {
    CHECK(train_on("cuda:0", true).weights == train_on("cuda:0", true).weights);
}

TEST_CASE("the last epoch of a stage asks the system for no memory") { CHECK(train_on("cuda:0", true).requests == 0); }

TEST_CASE("after a few steps on the device the weights are those of the CPU but for rounding") {
    CHECK(largest_difference(train_on("cuda:0", true), train_on("cpu", true)) < 5e-3);
}

TEST_CASE("a label out of range is reported at the next synchronisation, and the device goes on") {
    Runtime runtime({DeviceKind::cuda, 0});
    Context ctx(runtime);
    const std::vector<float> numbers(40, 0.5F);
    const Tensor z = ctx.upload({4, 10}, std::span<const float>(numbers));
    const std::vector<std::int32_t> bad = {3, 9, 10, 0}, good = {3, 9, 0, 0};
    cross_entropy(ctx, z, {.labels = ctx.upload({4}, std::span<const std::int32_t>(bad))});
    CHECK_THROWS_WITH_AS(runtime.stream->synchronize(), doctest::Contains("label 10 at 2 is not in 0..9"), LogicError);
    const Tensor loss = cross_entropy(ctx, z, {.labels = ctx.upload({4}, std::span<const std::int32_t>(good))});
    CHECK(ctx.item(loss) == doctest::Approx(std::log(10.0)).epsilon(1e-6));
}

TEST_CASE("a device that is not there is refused with those that are") {
    try {
        open_backend({DeviceKind::cuda, 99});
        FAIL("cuda:99 was opened");
    } catch (const InputError& error) {
        CHECK(error.id() == "E0801");
        CHECK(error.message().find("cuda:0 (") != std::string::npos);
    }
}

}

int main(int count, char** words) {
    try {
        std::printf("%s\n", bkd::open_backend({bkd::DeviceKind::cuda, 0})->description().c_str());
    } catch (const bkd::InputError& error) {
        const char* wanted = std::getenv("REQUIRE_DEVICE");
        const bool is_required = wanted != nullptr && std::string_view(wanted) == "cuda";
        std::printf("%s: no device: %s\n", is_required ? "failed" : "skipped", error.message().c_str());
        return is_required ? 1 : 77;
    }
    return doctest::Context(count, words).run();
}
