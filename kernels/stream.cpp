#include "kernels/stream.h"

namespace bkd {

void check_devices(const Stream& stream, const char* op, const kernels::ViewArguments& arguments) {
    for (const auto& [view, is_output, is_read] : arguments)
        BKD_CHECK(view.device == stream.device, "{}: an argument {} lies on {}, the stream on {}", op, view.shape.str(),
                  view.device.str(), stream.device.str());
}

void Stream::convert(const ConstView& x, const View& y) {
    BKD_CHECK(false, "{} converts no {} to {}", device.str(), name_of(x.dtype), name_of(y.dtype));
}

LaunchScope::LaunchScope(Stream& stream, const char* op, const kernels::ViewArguments& arguments, double flops)
    : stream_(stream) {
    stream.last_op = op;
    for (const kernels::ViewArgument& argument : arguments)
        stream.before_use(argument.view.data, static_cast<std::size_t>(argument.view.bytes()));
    if (stream.observer == nullptr) return;
    for (const auto& [view, is_output, is_read] : arguments)
        (is_output ? launch_.bytes_written : launch_.bytes_read) += view.bytes();
    launch_.op = op;
    launch_.arguments = {arguments.begin(), arguments.size()};
    launch_.flops = flops;
    stream.observer->before(launch_);
}

}
