#pragma once
// Stream: an ordered queue of work on one device (the CPU's runs at once) with the pool its kernels take scratch from, and
// LaunchScope, the one gate through which every op passes: device check, profiler, plan.
#include "kernels/arguments.h"
#include "kernels/pool.h"

#include <array>
#include <span>

namespace bkd {

// What an observer is told about one op.
struct Launch {
    struct Argument {
        ConstView view;
        bool is_output;
    };
    const char* op = nullptr;
    std::span<const Argument> arguments;
    double flops = 0;         // multiplications and additions, as far as the op counts them
    std::int64_t bytes_read = 0, bytes_written = 0;  // each tensor once
};

class LaunchObserver {
public:
    virtual ~LaunchObserver() = default;
    virtual void before(const Launch&) {}
    virtual void after(const Launch&) {}
};

class Stream {
public:
    Stream(Device d, Pool& p) : device(d), pool(p) {}
    virtual ~Stream() = default;
    Stream(const Stream&) = delete;
    virtual void synchronize() = 0;  // returns when everything issued so far is done

    const Device device;
    Pool& pool;
    LaunchObserver* observer = nullptr;
};

template <class Args>
class LaunchScope {
public:
    LaunchScope(Stream& stream, const char* op, const Args& args) : stream_(stream) {
        kernels::for_each_view(args, [&](const ConstView& view, bool is_output) {
            BKD_CHECK(view.device == stream.device, "{}: an argument {} lies on {}, the stream on {}", op,
                      view.shape.str(), view.device.str(), stream.device.str());
            if (stream.observer == nullptr) return;
            (is_output ? launch_.bytes_written : launch_.bytes_read) += view.bytes();
            arguments_[count_++] = {view, is_output};
        });
        if (stream.observer == nullptr) return;
        launch_.op = op;
        launch_.arguments = {arguments_.data(), count_};
        if constexpr (requires { args.flops(); }) launch_.flops = args.flops();
        stream.observer->before(launch_);
    }
    ~LaunchScope() { if (stream_.observer != nullptr) stream_.observer->after(launch_); }
    LaunchScope(const LaunchScope&) = delete;

private:
    Stream& stream_;
    Launch launch_;
    std::array<Launch::Argument, 20> arguments_;
    std::size_t count_ = 0;
};

}
