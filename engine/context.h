#pragma once
// Runtime: an open device with its stream and the nodes of its tensors; outlives every tensor made on it.
// Context: what every op and layer takes first: runtime, tape (or none), training flag, randomness. Inference is a
// context without a tape; nothing else decides whether gradients are recorded.
#include "engine/rng.h"
#include "engine/tape.h"

#include <span>

namespace bkd {

struct Runtime {
    // `stored`: bf16 or f32, which is the device's real type.
    explicit Runtime(Device device, const BackendOptions& options = {}, DType stored = DType::f32)
        : backend(open_backend(device, options)), stream(backend->make_stream()), tensors(backend->pool()) {
        store_in(stored);
        set_up();
    }

    std::unique_ptr<Backend> backend;
    std::unique_ptr<Stream> stream;
    TensorStore tensors;
    // [1], real: 1. What backward starts with.
    Tensor one;
    // What activations are stored in, and the copies of weights that are read beside them. Everything else is real.
    DType storage;
    void store_in(DType wanted) { storage = wanted == DType::bf16 ? DType::bf16 : backend->real; }

private:
    void set_up();
};

// Randomness inside a step (dropout). Its position (epoch, step) is memory on the device: [2] i32.
struct Randomness {
    PhiloxKey key{};
    Tensor position{};
};

class Context {
public:
    explicit Context(Runtime& runtime, Tape* tape = nullptr, bool training = false)
        : runtime_(runtime), tape_(tape), training_(training) {}
    Context(const Context&) = delete;

    Runtime& runtime() const { return runtime_; }
    Backend& backend() const { return *runtime_.backend; }
    Tape* tape() const { return tape_; }
    bool training() const { return training_; }  // batch norm by batch statistics, dropout active
    DType real() const { return backend().real; }
    DType storage() const { return runtime_.storage; }  // of activations: bf16, or real()
    Device device() const { return backend().device; }
    Context inference() const { return Context(runtime_); }
    Randomness randomness{};

    Tensor empty(const Shape& shape, DType dtype) const { return runtime_.tensors.make(shape, dtype, device()); }
    Tensor empty(const Shape& shape) const { return empty(shape, real()); }
    Tensor empty_like(const Tensor& x) const { return empty(x.shape(), x.dtype()); }
    Tensor full(const Shape& shape, double value) const;

    // Host numbers to the device: reals become the device's real type, or `dtype`.
    Tensor upload(const Shape& shape, std::span<const float> numbers) const;
    Tensor upload(const Shape& shape, std::span<const double> numbers) const;
    Tensor upload(const Shape& shape, std::span<const double> numbers, DType dtype) const;
    Tensor upload(const Shape& shape, std::span<const std::int32_t> numbers) const;
    Tensor upload(const Shape& shape, std::span<const std::uint8_t> numbers) const;
    // Into memory that is there already, of the same number of elements. A weight's bf16 copy follows.
    void assign(const Tensor& to, std::span<const float> numbers) const;
    void assign(const Tensor& to, std::span<const double> numbers) const;
    void assign(const Tensor& to, std::span<const std::int32_t> numbers) const;
    void assign(const Tensor& to, std::span<const std::uint8_t> numbers) const;
    // x in another dtype; x itself if it has that one. Without a gradient.
    Tensor cast(const Tensor& x, DType dtype) const;
    // A weight's bf16 copy, if it has one, from its master: after writing to that one by an op.
    void refresh_copy(const Tensor& weight) const;
    // Reals, or integers as they are, to the host. Waits for the work issued so far.
    std::vector<double> download(const ConstView& from) const;
    std::vector<float> download_f32(const ConstView& from) const;
    double item(const ConstView& from) const;  // of a single number

    template <class Rule>
    void record(const char* op, const Tensor& y, std::initializer_list<Slot> inputs, Rule&& rule) {
        if (tape_ != nullptr) tape_->record(op, y, inputs, std::forward<Rule>(rule));
    }

#define BKD_FAMILY_ON_CONTEXT(name, Class, OPS) \
    kernels::Class::On name() const { return {backend().name(), *runtime_.stream}; }
    BKD_FAMILIES(BKD_FAMILY_ON_CONTEXT)
#undef BKD_FAMILY_ON_CONTEXT

private:
    template <class T>
    void assign_reals(const Tensor& to, std::span<const T> numbers) const;

    Runtime& runtime_;
    Tape* tape_;
    bool training_;
};

}
