// The oneDNN primitives of a stream (onednn.h).
#include "kernels/cpu/onednn.h"

#include <sys/mman.h>

namespace bkd::kernels::cpu {

namespace {

// Without them oneDNN's bf16 is a loop in plain C++. ONEDNN_MAX_CPU_ISA takes them away, for tests.
bool has_bf16_instructions() {
    const auto isa = dnnl::get_effective_cpu_isa();
    return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

}

CpuStream::CpuStream(Device d, Pool& p, const CpuOptions& o, std::int64_t& primitives_made)
    : Stream(d, p),
      threads(o.threads),
      onednn_threads(o.onednn_threads),
      winograd(o.winograd),
      primitives(std::make_unique<PrimitiveCache>(primitives_made)),
      multiplies_bf16_(has_bf16_instructions()) {}

CpuStream::~CpuStream() = default;

void require_room() {
    constexpr std::size_t bytes = std::size_t{32} << 20;
    void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        throw InputError({.id = 701,
                          .what = fmt::format("no memory for oneDNN's code: {} bytes", bytes),
                          .at = "cpu",
                          .try_ = "more memory for the process (ulimit -v), or a smaller batch"});
    ::munmap(room, bytes);
}

void Primitive::run(CpuStream& stream, const dnnl::stream& queue, std::initializer_list<const void*> pointers) {
    const Scratch scratch(stream, scratch_bytes_);
    BKD_CHECK(pointers.size() + 1 == memory_.size(), "{} pointers for {} arguments", pointers.size(), memory_.size());
    std::size_t next = 0;
    for (const void* pointer : pointers) memory_[next++].set_data_handle(const_cast<void*>(pointer));
    memory_[next].set_data_handle(scratch.as<void>());
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive_.get(), queue.get(), static_cast<int>(arguments_.size()), arguments_.data()),
        "could not execute a primitive");
}

}
