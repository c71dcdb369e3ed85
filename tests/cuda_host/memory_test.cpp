// What is said where a training does not fit into the device: the stand-in's device has 1 GiB.
#include "tests/train/toy.h"
#include "train/memory_plan.h"

#include <doctest/doctest.h>

namespace bkd::test {
namespace {

struct PlannedToy {
    explicit PlannedToy(std::int64_t batch) {
        toy.training.make_network = network_factory({.name = "resnet8", .classes = 4, .width = 128});
        stages = {Toy::stage("train")};
        stages[0].batch_size = batch;
    }
    PlannedTraining planned() const {
        return {toy.training,
                {{"train", &toy.train}, {"test", &toy.test}},
                stages,
                [](const Stage&) {
                    auto method = std::make_unique<SketchMethod>();
                    method->on_loss = plain_cross_entropy;
                    return method;
                },
                nothing_before};
    }
    Toy toy{"cuda", {3000, 1000, 500, 500}};
    std::vector<Stage> stages;
};

}

TEST_CASE("a training that needs more memory than the device has is refused with the largest batch that fits") {
    const PlannedToy fits(64), exceeds(4000);
    CHECK_NOTHROW(check_memory(fits.planned()));
    const std::int64_t planned = plan_memory(exceeds.planned()).front().bytes;
    CHECK(planned > std::int64_t{1} << 30);
    try {
        check_memory(exceeds.planned());
        FAIL("not refused");
    } catch (const InputError& error) {
        CHECK(error.id() == "E0702");
        CHECK(error.parts().what.starts_with("cuda:0 has 1.0 GiB free, this plan needs "));
        CHECK(error.parts().at == "stage train, batch 4000");
        const std::string advice = error.parts().try_;
        REQUIRE(advice.starts_with("batch.size="));
        const std::int64_t largest = std::stoll(advice.substr(11));
        CHECK(plan_memory(exceeds.planned(), largest).front().bytes <= std::int64_t{1} << 30);
        CHECK(plan_memory(exceeds.planned(), largest + 1).front().bytes > std::int64_t{1} << 30);
    }
}

TEST_CASE("memory that runs out during a training is told with the plan's numbers and a batch to try") {
    const PlannedToy toy(512);
    const InputError error =
        with_plan(InputError({.id = 701, .what = "no memory for 64 bytes", .why = "0 bytes are free"}), toy.planned());
    CHECK(error.parts().why.find("0 bytes are free; by plan stage train takes ") == 0);
    CHECK(error.parts().try_.starts_with("batch.size = "));
}

}
