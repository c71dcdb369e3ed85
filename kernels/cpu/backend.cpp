// cpu: real numbers are f32, work runs at once. Convolutions and products are oneDNN's, or plain loops where the build has
// BKD_CPU_BACKEND=portable; all else are our own loops.
// A backend changes nothing outside itself: the number of OpenMP threads is set around each call that depends on it.
#include "kernels/backend.h"

#include "kernels/cpu/stream.h"

#include <omp.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <mutex>
#include <system_error>
#include <thread>

namespace bkd::kernels::cpu {
namespace {

// "model name" of the first processor, "unknown processor" where the system does not say.
std::string processor_name() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(':');
        if (line.starts_with("model name") && colon != std::string::npos && colon + 2 < line.size())
            return printable(line.substr(colon + 2));
    }
    return "unknown processor";
}

#ifdef BKD_CPU_PORTABLE
constexpr const char* library = ", without oneDNN";
#else
constexpr const char* library = "";
#endif

// What the clones of simd.h were chosen by.
const char* instruction_set() {
#if defined(__x86_64__) && !defined(BKD_NO_CLONES)
    if (__builtin_cpu_supports("x86-64-v4"))
        return __builtin_cpu_supports("avx512bf16") ? "avx512 with bf16" : "avx512";
    if (__builtin_cpu_supports("x86-64-v3")) return "avx2";
#endif
#if defined(__x86_64__)
    return "sse4.2";
#else
    return "portable code";
#endif
}

class CpuBackend final : public Backend {
public:
    explicit CpuBackend(const BackendOptions& options)
        : Backend({DeviceKind::cpu, 0}, DType::f32, host_memory()),
          options_{allowed(options), options.strict ? 1 : allowed(options), options.winograd} {
        start_threads(options_.threads);
    }

    std::unique_ptr<Stream> make_stream() override {
        return std::make_unique<CpuStream>(device, pool(), options_, primitives_made_);
    }
    void upload(Stream&, const View& to, const void* host) override {
        if (to.bytes() > 0) std::memcpy(to.data, host, static_cast<std::size_t>(to.bytes()));
    }
    void download(Stream&, const ConstView& from, void* host) override {
        if (from.bytes() > 0) std::memcpy(host, from.data, static_cast<std::size_t>(from.bytes()));
    }
    std::int64_t primitives_made() const override { return primitives_made_; }
    std::string description() const override {
        return fmt::format("cpu: {}, {}, {} thread{}{}", processor_name(), instruction_set(), options_.threads,
                           options_.threads == 1 ? "" : "s", library);
    }

#define BKD_MEMBER(name, Class, OPS) BKD_BACKEND_FAMILY(cpu, name, Class)
    BKD_FAMILIES(BKD_MEMBER)
#undef BKD_MEMBER

private:
    // OMP_NUM_THREADS, which omp_get_max_threads() answers with, may ask for fewer than are allowed.
    static int allowed(const BackendOptions& options) {
        BKD_CHECK(options.threads >= 0, "{} threads", options.threads);
#ifdef __SANITIZE_THREAD__
        return 1;  // libgomp is not instrumented: its joins are unknown to the sanitizer, which sees races in every loop
#endif
        return options.threads > 0 ? options.threads : std::min(allowed_threads(), omp_get_max_threads());
    }

    // libgomp ends the process where it cannot start a thread. So as many are started before, all at once, and then its
    // own, which take the stacks that these leave.
    static void start_threads(int threads) {
        try {
            std::mutex gate;
            std::vector<std::jthread> helpers;
            const std::lock_guard shut(gate);  // it opens before they are joined
            for (int i = 1; i < threads; ++i) helpers.emplace_back([&] { const std::lock_guard passed(gate); });
        } catch (const std::system_error& error) {
            throw InputError({.id = 701,
                              .what = fmt::format("cannot start {} threads: {}", threads, error.code().message()),
                              .at = "cpu",
                              .try_ = "--threads 1, or more memory or processes for this user (ulimit)"});
        }
        std::atomic<int> running = 0;  // a region that does nothing is left out by the compiler
#pragma omp parallel num_threads(threads)
        ++running;
    }

    const CpuOptions options_;
    std::int64_t primitives_made_ = 0;
};

}

std::unique_ptr<Backend> open(const Device&, const BackendOptions& options) {
    return std::make_unique<CpuBackend>(options);
}

}
