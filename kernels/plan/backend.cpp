// plan: executes nothing. Its memory is addresses without storage, its ops are empty; what it is for is what an
// observer of its stream is told: op, shapes, bytes, flops, in order. A whole training step is planned in microseconds
// on any machine.
#include "kernels/backend.h"

#include <cstring>

namespace bkd::kernels::plan {
namespace {

// Hands out rising addresses that nobody reads or writes.
class NoMemory final : public Memory {
public:
    void* take(std::size_t bytes) override {
        constexpr std::size_t page = 4096;
        const std::size_t at = next_;
        next_ += (bytes + page - 1) / page * page;
        return reinterpret_cast<void*>(at);
    }
    void give(void*, std::size_t) noexcept override {}

private:
    std::size_t next_ = std::size_t{1} << 40;
};

class PlanStream final : public Stream {
public:
    using Stream::Stream;
    void synchronize() override {}
};

class PlanBackend final : public Backend {
public:
    PlanBackend() : Backend({DeviceKind::plan, 0}, DType::f32, std::make_unique<NoMemory>()) {}
    std::unique_ptr<Stream> make_stream() override { return std::make_unique<PlanStream>(device, pool()); }
    void upload(Stream&, const View&, const void*) override {}
    void download(Stream&, const ConstView& from, void* host) override {
        std::memset(host, 0, static_cast<std::size_t>(from.bytes()));
    }
    std::string description() const override { return "plan: nothing is executed"; }

#define BKD_MEMBER(name, Class, OPS) BKD_BACKEND_FAMILY(plan, name, Class)
    BKD_FAMILIES(BKD_MEMBER)
#undef BKD_MEMBER
};

}

std::unique_ptr<Backend> open(const Device&, const BackendOptions&) { return std::make_unique<PlanBackend>(); }

}
