#include "kernels/dtype.h"

#include <charconv>

namespace bkd {

std::string Device::str() const {
    switch (kind) {
        case DeviceKind::cpu:
            return "cpu";
        case DeviceKind::cuda:
            return fmt::format("cuda:{}", index);
        case DeviceKind::reference:
            return "reference";
        case DeviceKind::plan:
            return "plan";
    }
    return "?";
}

Device Device::parse(std::string_view text) {
    if (text == "cpu") return {DeviceKind::cpu, 0};
    if (text == "reference") return {DeviceKind::reference, 0};
    if (text == "plan") return {DeviceKind::plan, 0};
    if (text == "cuda") return {DeviceKind::cuda, 0};
    if (text.starts_with("cuda:")) {
        const std::string_view digits = text.substr(5);
        int index = -1;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
        if (error == std::errc{} && end == digits.data() + digits.size() && index >= 0)
            return {DeviceKind::cuda, index};
    }
    throw InputError(
        {.id = 203,
         .what = fmt::format("--device must be cpu, cuda, cuda:N, reference or plan, got \"{}\"", printable(text)),
         .at = "option --device"});
}

}
