// What cuDNN itself offers for our convolutions on devices that are not here: their properties are texts
// (kernels/cuda/devices), from which the library ranks engines and makes plans without a device or a driver. Nothing is
// executed.
#include "kernels/cuda/find.h"
#include "kernels/cuda/graph.h"
#include "tests/cuda/recorded_convolutions.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

using namespace bkd;
using namespace bkd::kernels::cuda;

namespace bkd::test {
namespace {

constexpr const char* devices[] = {"a100", "h200", "b200"};
const Device described{DeviceKind::cuda, 0};

std::string json_of(const std::string& device) {
    std::ifstream file(std::string(BKD_SOURCE_DIR "/kernels/cuda/devices/") + device + ".json");
    std::ostringstream text;
    text << file.rdbuf();
    REQUIRE(!text.str().empty());
    return text.str();
}

enum class Precision : std::uint8_t { strict, tf32, bf16 };
constexpr Precision precisions[] = {Precision::strict, Precision::tf32, Precision::bf16};
const char* name_of(Precision precision) {
    constexpr const char* names[] = {"strict f32", "tf32", "bf16"};
    return names[static_cast<std::size_t>(precision)];
}

// Without a driver cuDNN ranks no engine whose result is wider than its operands. On a device it has some, for data
// gradients at least (kernels/cuda/plans.txt); where it has none, our own kernels run (convolution_tile.cu,
// convolution_weight.cu, convolution.cu).
bool is_known_gap(const ConvolutionCall& call) {
    struct Gap {
        ConvolutionKind kind;
        DType operands, result;
    };
    constexpr Gap gaps[] = {{ConvolutionKind::forward, DType::bf16, DType::f32},  // a bias is added to it
                            {ConvolutionKind::data, DType::bf16, DType::f32},     // it is added to a gradient
                            {ConvolutionKind::weight, DType::bf16, DType::f32}};  // always: weights' gradients are f32
    return std::any_of(std::begin(gaps), std::end(gaps), [&](const Gap& gap) {
        return gap.kind == call.kind && gap.operands == call.operands && gap.result == call.result;
    });
}

std::vector<cudnnBackendNumericalNote_t> notes_of(const ConvolutionPlan& plan) {
    const Descriptor configuration(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, described),
        engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR, described);
    const auto get = [](const Descriptor& from, cudnnBackendAttributeName_t name, const Descriptor& to) {
        cudnnBackendDescriptor_t raw = to.raw();
        std::int64_t count = 0;
        BKD_CUDNN(cudnnBackendGetAttribute(from.raw(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
                  described);
    };
    get(plan.descriptor(), CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    get(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    std::vector<cudnnBackendNumericalNote_t> notes(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    std::int64_t count = 0;
    BKD_CUDNN(cudnnBackendGetAttribute(engine.raw(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                       static_cast<std::int64_t>(notes.size()), &count, notes.data()),
              described);
    notes.resize(static_cast<std::size_t>(count));
    return notes;
}

// What library.h promises of a plan, asked of the plan itself.
bool keeps_promises(const ConvolutionPlan& plan, const ConvolutionCall& call) {
    std::set<cudnnBackendNumericalNote_t> forbidden = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC,
                                                       CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
                                                       CUDNN_NUMERICAL_NOTE_FFT, CUDNN_NUMERICAL_NOTE_WINOGRAD};
    if (call.operands == DType::f32 && !call.tf32)
        forbidden.insert({CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS});
    const auto notes = notes_of(plan);
    return plan.workspace_bytes() <= workspace_limit(call) &&
           std::none_of(notes.begin(), notes.end(), [&](auto note) { return forbidden.contains(note); });
}

using Plans = std::vector<std::unique_ptr<ConvolutionPlan>>;

// The backend's plans of a convolution on a described device, best first.
Plans plans_for(const ConvolutionCall& call, const Descriptor& properties, std::size_t limit,
                std::size_t most = SIZE_MAX) {
    Plans plans;
    plan_convolution({described, nullptr, &properties}, call, limit, 0,
                     [&](int, std::unique_ptr<ConvolutionPlan> plan) {
                         plans.push_back(std::move(plan));
                         return plans.size() < most;
                     });
    return plans;
}

// Every call has a plan that keeps the promises, but for the known gaps, which have none, on every device.
template <class Record>
void check_plans(const char* of, Record record, std::size_t most) {
    for (const Precision precision : precisions) {
        const Calls calls = record(precision == Precision::bf16 ? DType::bf16 : DType::f32);
        for (const char* device : devices) {
            const Descriptor properties = described_properties(described, json_of(device));
            std::size_t gaps = 0, made = 0;
            for (auto [description, call] : calls) {
                CAPTURE(device);
                CAPTURE(name_of(precision));
                CAPTURE(description);
                call.tf32 = precision == Precision::tf32;
                const Plans plans = plans_for(call, properties, workspace_limit(call), most);
                if (!is_known_gap(call) || !has_driver()) CHECK(plans.empty() == is_known_gap(call));
                for (const auto& plan : plans) CHECK(keeps_promises(*plan, call));
                gaps += plans.empty() ? 1 : 0;
                made += plans.size();
            }
            MESSAGE(fmt::format("{}, {}: {} convolutions of {}, {} plans, {} without one", device, name_of(precision),
                                calls.size(), of, made, gaps));
        }
    }
}

// Of CIFAR and Fashion-MNIST in the recipes' batches, and of sentences.
Calls calls_of_networks(DType storage) {
    Calls all;
    for (const NetworkEntry& entry : network_list())
        if (std::string_view(entry.name) == "text_cnn") {
            all.merge(calls_of_step({.name = entry.name, .classes = 4, .vocabulary = 100}, {128, 50}, storage));
        } else {
            for (const char* classifier : {"linear", "cosine"})
                all.merge(calls_of_step({.name = entry.name, .classifier = classifier}, {128, 32, 32, 3}, storage));
            all.merge(calls_of_step({.name = entry.name, .channels = 1}, {128, 28, 28, 1}, storage));
        }
    return all;
}

// The gradient of ResNet-20's second layer, which its shortcut is added to.
const std::string second_layer =
    "data f32>f32 += 1 x 128 32 32 16 w 16 3 3 16 y 128 32 32 16 stride 1 1 padding 1 1 groups 1";

}

TEST_CASE("the recorder sees strides, groups, what is added to, and what is rounded once") {
    const Calls f32 = calls_of_networks(DType::f32), bf16 = calls_of_networks(DType::bf16);
    CHECK(f32.contains(second_layer));
    CHECK(
        f32.contains("forward f32>f32 += 0 x 128 32 32 16 w 32 3 3 16 y 128 16 16 32 stride 2 2 padding 1 1 groups 1"));
    CHECK(f32.contains(
        "weight f32>f32 += 0 x 128 50 1 300 w 100 5 1 300 y 128 46 1 100 stride 1 1 padding 0 0 groups 1"));
    CHECK(
        bf16.contains("data bf16>f32 += 0 x 128 32 32 16 w 16 3 3 16 y 128 32 32 16 stride 1 1 padding 1 1 groups 1"));
    CHECK(calls_of_cases(DType::f32)
              .contains("weight f32>f32 += 1 x 2 7 5 3 w 6 3 3 1 y 2 4 3 6 stride 2 2 padding 1 1 groups 3"));
}

TEST_CASE("every convolution of every network has lawful plans on A100, H200 and B200, and none but those is taken") {
    check_plans("networks", calls_of_networks, SIZE_MAX);
}

TEST_CASE("every convolution of the table of cases has a lawful plan on A100, H200 and B200") {
    check_plans("the table of cases", calls_of_cases, 1);
}

TEST_CASE("no plan wants more workspace than it is given, and some want none") {
    const Descriptor properties = described_properties(described, json_of("h200"));
    const ConvolutionCall call = calls_of_networks(DType::f32).at(second_layer);
    const Plans all = plans_for(call, properties, SIZE_MAX), without = plans_for(call, properties, 0);
    CHECK(!without.empty());
    CHECK(without.size() < all.size());
    for (const auto& plan : without) CHECK(plan->workspace_bytes() == 0);
}

TEST_CASE("a plan that was written as JSON is the same plan when it is read") {
    for (const char* device : devices) {
        CAPTURE(device);
        const Descriptor properties = described_properties(described, json_of(device));
        const Plans plans =
            plans_for(calls_of_networks(DType::f32).at(second_layer), properties, std::size_t{64} << 20, 3);
        REQUIRE(!plans.empty());
        for (const auto& plan : plans) {
            const std::string json = plan->descriptor().text(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
            CHECK(json.front() == '{');
            Descriptor again(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, described);
            again
                .set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                     std::vector<char>(json.begin(), json.end()))
                .set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, properties)
                .finalize();
            CHECK(again.text(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION) == json);
        }
    }
}

TEST_CASE("a device's properties are read and written as JSON; a text that lacks one is refused") {
    for (const char* device : devices) {
        const std::string written =
            described_properties(described, json_of(device)).text(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION);
        CHECK(described_properties(described, written).text(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION) == written);
    }
    std::string json = json_of("h200");
    json.erase(json.find("  \"warpSize\": 32,\n"), 18);
    try {
        described_properties(described, json);
        FAIL("accepted");
    } catch (const InputError& error) { CHECK(error.id() == "E0802"); }
}

}
