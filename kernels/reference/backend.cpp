// reference: plain loops over f64 in the words of the formulas. The truth that every other backend is tested against,
// and the device for gradient checks by central differences. Slow on purpose.
#include "kernels/backend.h"

#include <cstring>

namespace bkd::kernels::reference {
namespace {

class ReferenceStream final : public Stream {
public:
    using Stream::Stream;
    void synchronize() override {}
    DType widens_to() const override { return DType::f64; }
    void convert(const ConstView& x, const View& y) override { Elementwise().cast(*this, {.x = x, .y = y}); }
};

class ReferenceBackend final : public Backend {
public:
    ReferenceBackend() : Backend({DeviceKind::reference, 0}, DType::f64, host_memory()) {}
    std::unique_ptr<Stream> make_stream() override { return std::make_unique<ReferenceStream>(device, pool()); }
    void upload(Stream&, const View& to, const void* host) override {
        if (to.bytes() > 0) std::memcpy(to.data, host, static_cast<std::size_t>(to.bytes()));
    }
    void download(Stream&, const ConstView& from, void* host) override {
        if (from.bytes() > 0) std::memcpy(host, from.data, static_cast<std::size_t>(from.bytes()));
    }
    std::string description() const override { return "reference: f64, 1 thread"; }

#define BKD_MEMBER(name, Class, OPS) BKD_BACKEND_FAMILY(reference, name, Class)
    BKD_FAMILIES(BKD_MEMBER)
#undef BKD_MEMBER
};

}

std::unique_ptr<Backend> open(const Device&, const BackendOptions&) { return std::make_unique<ReferenceBackend>(); }

}
