#include "kernels/stream.h"

namespace bkd {

void check_devices(const Stream& stream, const char* op, const kernels::ViewArguments& arguments) {
    for (const auto& [view, is_output] : arguments)
        BKD_CHECK(view.device == stream.device, "{}: an argument {} lies on {}, the stream on {}", op, view.shape.str(),
                  view.device.str(), stream.device.str());
}

LaunchScope::LaunchScope(Stream& stream, const char* op, const kernels::ViewArguments& arguments, double flops)
    : stream_(stream) {
    stream.last_op = op;
    if (stream.observer == nullptr) return;
    for (const auto& [view, is_output] : arguments)
        (is_output ? launch_.bytes_written : launch_.bytes_read) += view.bytes();
    launch_.op = op;
    launch_.arguments = {arguments.begin(), arguments.size()};
    launch_.flops = flops;
    stream.observer->before(launch_);
}

}
