#include "tests/cuda/recorded_convolutions.h"

#include "engine/context.h"
#include "engine/ops/loss.h"
#include "kernels/cases/table.h"

namespace bkd::test {
namespace {

using namespace kernels;

class Recorder final : public Convolution {
public:
    void conv2d_forward(Stream&, const Conv2dForward& args) const override { add(cuda::forward_call(args)); }
    void conv2d_backward(Stream&, const Conv2dBackward& args) const override {
        if (args.dx) add(cuda::data_call(args));
        if (args.dw) add(cuda::weight_call(args));
    }
    mutable Calls calls;

private:
    void add(const cuda::ConvolutionCall& call) const {
        if (cuda::has_elements(call)) calls.emplace(description_of(call), call);
    }
};

// Another backend with the recorder in the place of its convolutions. An observer of the stream would see their shapes,
// but neither stride nor padding.
class RecordingBackend final : public Backend {
public:
    explicit RecordingBackend(std::unique_ptr<Backend> other)
        : Backend(other->device, other->real, host_memory()), other_(std::move(other)) {}
    std::unique_ptr<Stream> make_stream() override { return other_->make_stream(); }
    void upload(Stream& stream, const View& to, const void* host) override { other_->upload(stream, to, host); }
    void download(Stream& stream, const ConstView& from, void* host) override { other_->download(stream, from, host); }
    std::string description() const override { return other_->description(); }
    const Calls& calls() const { return recorder_.calls; }

#define BKD_RECORDING_ACCESSOR(accessor, Class, OPS) \
    const Class& accessor() const override { return chosen(other_->accessor()); }
    BKD_FAMILIES(BKD_RECORDING_ACCESSOR)
#undef BKD_RECORDING_ACCESSOR

private:
    template <class Family>
    const Family& chosen(const Family& family) const {
        return family;
    }
    const Convolution& chosen(const Convolution&) const { return recorder_; }

    std::unique_ptr<Backend> other_;
    Recorder recorder_;
};

}

std::string description_of(const cuda::ConvolutionCall& call) {
    constexpr const char* kinds[] = {"forward", "data", "weight"};
    const auto extents = [](const Shape& s) { return fmt::format("{} {} {} {}", s[0], s[1], s[2], s[3]); };
    const auto& [stride, padding, groups] = call.geometry;
    return fmt::format("{} {}>{} += {} x {} w {} y {} stride {} {} padding {} {} groups {}",
                       kinds[static_cast<std::size_t>(call.kind)], name_of(call.operands), name_of(call.result),
                       call.accumulate ? 1 : 0, extents(call.x), extents(call.w), extents(call.y), stride[0], stride[1],
                       padding[0], padding[1], groups);
}

Calls calls_of_step(const NetworkOptions& options, const Shape& input, DType storage) {
    Runtime runtime({DeviceKind::plan, 0}, {}, storage);
    auto recording = std::make_unique<RecordingBackend>(std::move(runtime.backend));
    const RecordingBackend& recorded = *recording;
    runtime.backend = std::move(recording);
    Tape tape;
    Context setup(runtime), ctx(runtime, &tape, /*training=*/true);
    const auto network = make_network(options);
    network->parameters().materialise(setup, 1, "network");
    ctx.randomness.position = setup.empty({2}, DType::i32);
    network->parameters().begin_step();
    const bool is_text = input.rank() == 2;
    const Tensor x = setup.empty(input, is_text ? DType::i32 : setup.storage());
    const Tensor loss = cross_entropy(ctx, (*network)(ctx, x), {.labels = setup.empty({input[0]}, DType::i32)});
    Context still = ctx.inference();
    tape.backward(still, loss);
    network->parameters().complete_gradients(still);
    return recorded.calls();
}

Calls calls_of_cases(DType storage) {
    RecordingBackend backend(open_backend({DeviceKind::plan, 0}));
    const auto stream = backend.make_stream();
    const auto table = all_op_cases();
    // The distribution of the numbers is nothing to a plan.
    for (const CaseReference& c :
         select(table, {.ops = {"conv2d_*"}, .dtypes = {storage}, .distributions = {normal().name}})) {
        CaseMemory memory(backend, *stream, {.storage = storage});
        c.entry->prepare(memory, nullptr).launch(backend, *stream);
    }
    return backend.calls();
}

}
