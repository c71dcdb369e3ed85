#pragma once
// Stream: an ordered queue of work on one device (the CPU's runs at once) with the pool its kernels take scratch from,
// and what every op passes before its body (family.h): device check, profiler, plan.
#include "kernels/arguments.h"
#include "kernels/pool.h"

#include <memory>
#include <span>

namespace bkd {

// What an observer is told about one op.
struct Launch {
    const char* op = nullptr;
    std::span<const kernels::ViewArgument> arguments;
    double flops = 0;                                // multiplications and additions, as far as the op counts them
    std::int64_t bytes_read = 0, bytes_written = 0;  // each tensor once
};

class LaunchObserver {
public:
    virtual ~LaunchObserver() = default;
    virtual void before(const Launch&) {}
    virtual void after(const Launch&) {}
    // What the launches that follow are part of ("forward", "backward", "update"), and of which op's gradient.
    virtual void enters(const char* /*part*/, const char* /*gradient_of*/) {}
};

// Work that was recorded instead of run, with the memory it uses; replay() queues all of it in one call.
class Recording {
public:
    virtual ~Recording() = default;
    virtual void replay() = 0;
};

class Stream {
public:
    Stream(Device d, Pool& p) : device(d), pool(p) {}
    virtual ~Stream() = default;
    Stream(const Stream&) = delete;
    virtual void synchronize() = 0;  // returns when everything issued so far is done
    // What stands in for bf16 in the arguments that a body sees (widen.h): bf16 itself where bodies take it as it is.
    virtual DType widens_to() const { return DType::bf16; }
    // Of a device that widens: whether it multiplies bf16 as it is where an op says may_stay_bf16.
    virtual bool multiplies_bf16() const { return false; }
    // y = x in y's dtype, one of the two bf16. Of a device that widens.
    virtual void convert(const ConstView& x, const View& y);

    // Before an op touches memory: that of each argument, and its scratch. What an earlier op left to a later launch is
    // done now if it lies there. Only this stream knows of it: memory that is given back is free for this stream at
    // once, for another one after synchronize().
    virtual void before_use(const void* /*data*/, std::size_t /*bytes*/) {}

    // From begin_recording() to end_recording() ops are noted and not run. Whatever needs their results or hands them new
    // numbers (synchronize, upload, download) is a LogicError that names the last op, and ends the recording. Every
    // shape in it should have run before: plans are not made while recording.
    virtual bool can_record() const { return false; }
    virtual void begin_recording() { BKD_CHECK(false, "{} records nothing", device.str()); }
    virtual std::unique_ptr<Recording> end_recording() { return nullptr; }
    virtual void abandon_recording() noexcept {}  // nothing, if there is none

    const Device device;
    Pool& pool;
    LaunchObserver* observer = nullptr;
    void enter(const char* part, const char* gradient_of = nullptr) const {
        if (observer != nullptr) observer->enters(part, gradient_of);
    }
    const char* last_op = "no op";  // issued so far, for messages
};

// Scratch memory for the duration of one kernel.
class Scratch {
public:
    Scratch(Stream& stream, std::size_t bytes) : pool_(stream.pool), block_(pool_.take(bytes)) {
        try {
            stream.before_use(block_.data, bytes);
        } catch (...) {
            pool_.give(block_);
            throw;
        }
    }
    ~Scratch() { pool_.give(block_); }
    Scratch(const Scratch&) = delete;
    template <class T>
    T* as() const {
        return static_cast<T*>(block_.data);
    }

private:
    Pool& pool_;
    Block block_;
};

// LogicError for an argument on another device than the stream.
void check_devices(const Stream& stream, const char* op, const kernels::ViewArguments& arguments);

// From before an op's body to after it, for whoever observes the stream.
class LaunchScope {
public:
    LaunchScope(Stream& stream, const char* op, const kernels::ViewArguments& arguments, double flops);
    ~LaunchScope() {
        if (stream_.observer != nullptr) stream_.observer->after(launch_);
    }
    LaunchScope(const LaunchScope&) = delete;

private:
    Stream& stream_;
    Launch launch_;
};

template <class Args>
double flops_of(const Args& args) {
    if constexpr (requires { args.flops(); })
        return args.flops();
    else
        return 0;
}

}
