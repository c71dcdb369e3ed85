#pragma once
// Backend: one object per device. Memory, copies, streams, and the kernel families as members.
#include "kernels/activation.h"
#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/image.h"
#include "kernels/loss.h"
#include "kernels/matmul.h"
#include "kernels/normalization.h"
#include "kernels/optimizer.h"
#include "kernels/pooling.h"
#include "kernels/random.h"
#include "kernels/reduction.h"
#include "kernels/sequence.h"

#include <memory>

// Every family: F(accessor, Class, OPS).
#define BKD_FAMILIES(F)                                    \
    F(activation, Activation, BKD_ACTIVATION_OPS)          \
    F(convolution, Convolution, BKD_CONVOLUTION_OPS)       \
    F(elementwise, Elementwise, BKD_ELEMENTWISE_OPS)       \
    F(embedding, Embedding, BKD_EMBEDDING_OPS)             \
    F(image, Image, BKD_IMAGE_OPS)                         \
    F(loss, Loss, BKD_LOSS_OPS)                            \
    F(matmul, Matmul, BKD_MATMUL_OPS)                      \
    F(normalization, Normalization, BKD_NORMALIZATION_OPS) \
    F(optimizer, Optimizer, BKD_OPTIMIZER_OPS)             \
    F(pooling, Pooling, BKD_POOLING_OPS)                   \
    F(random, Random, BKD_RANDOM_OPS)                      \
    F(reduction, Reduction, BKD_REDUCTION_OPS)             \
    F(sequence, Sequence, BKD_SEQUENCE_OPS)

namespace bkd {

class Backend {
public:
    Backend(Device d, DType r, std::unique_ptr<Memory> memory) : device(d), real(r), pool_(std::move(memory)) {}
    virtual ~Backend() = default;
    Backend(const Backend&) = delete;

    const Device device;
    const DType real;  // what stands for f32 here: f64 on `reference`

    Pool& pool() { return pool_; }
    virtual std::unique_ptr<Stream> make_stream() = 0;
    // Copies the elements of `to` from, or of `from` to, the host's memory, which holds the view's dtype. Returns when
    // the host's memory may be reused.
    virtual void upload(Stream& stream, const View& to, const void* host) = 0;
    virtual void download(Stream& stream, const ConstView& from, void* host) = 0;
    // How many device primitives (oneDNN's, cuDNN plans) were made so far: a steady step makes none.
    virtual std::int64_t primitives_made() const { return 0; }
    // Bytes that the device could still give; 0 where it does not say.
    virtual std::int64_t free_memory() const { return 0; }
    // "cpu: AMD EPYC, avx512, 2 threads": what runs say of their device.
    virtual std::string description() const = 0;

#define BKD_FAMILY_ACCESSOR(name, Class, OPS) virtual const kernels::Class& name() const = 0;
    BKD_FAMILIES(BKD_FAMILY_ACCESSOR)
#undef BKD_FAMILY_ACCESSOR

private:
    Pool pool_;
};

// The members a backend class derives its family accessors from: BKD_BACKEND_FAMILIES(cpu) in its class body.
#define BKD_BACKEND_FAMILY(ns, name, Class)                         \
    const kernels::Class& name() const override { return name##_; } \
    kernels::ns::Class name##_{};

struct BackendOptions {
    int threads = 0;       // 0: as many as the affinity mask and the cgroup allow
    bool strict = false;   // cpu: the same bits for any number of threads, at the price of one thread for oneDNN
    bool winograd = true;  // cpu: convolutions of 3 x 3 taps by F(2 x 2, 3 x 3) (kernels/convolution.h, Precision)
    bool tf32 = false;     // cuda: convolutions and products of f32 may round their operands to TF32
    std::string plans{};   // cuda: the table of cuDNN's engines; empty: the one beside the backend, if any
    bool tunes = false;    // cuda: times engines that the table does not know, and writes it
};

// InputError E0801 if there is no such device here.
std::unique_ptr<Backend> open_backend(Device device, const BackendOptions& options = {});

// What `auto` stands for: cuda:0 where a driver and the CUDA backend are, else the CPU.
Device default_device();

// Threads this process may use: affinity mask and cgroup quota, not the number of cores of the machine.
int allowed_threads();

}
