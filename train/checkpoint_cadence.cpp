#include "train/checkpoint_cadence.h"

#include "kernels/error.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

namespace bkd {
namespace {

struct Unit {
    const char* name;
    double seconds;  // 0: epochs
};
constexpr Unit units[] = {{"epoch", 0}, {"epochs", 0}, {"s", 1}, {"min", 60}, {"h", 3600}};
constexpr std::int64_t most = 1'000'000;

const Unit* unit_of(const std::string& name) {
    for (const Unit& unit : units)
        if (unit.name == name) return &unit;
    return nullptr;
}

}

CheckpointCadence parse_cadence(const std::string& text, const std::string& at) {
    const auto refuse = [&](const std::string& why) {
        throw InputError({.id = 304,
                          .what = fmt::format("checkpoint.every \"{}\" is no cadence", printable(text)),
                          .at = at,
                          .why = why,
                          .try_ = "\"1 epoch\", \"10 min\", or \"1 epoch, 10 min\""});
    };
    CheckpointCadence cadence;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        std::istringstream words(part);
        std::string number, name, more;
        words >> number >> name >> more;
        std::int64_t count = 0;
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
        const Unit* unit = unit_of(name);
        if (error != std::errc{} || end != number.data() + number.size() || unit == nullptr || !more.empty())
            refuse("a part is a whole number and one of: epoch, epochs, s, min, h");
        if (count < 1 || count > most) refuse(fmt::format("a number is in 1..{}", most));
        if (unit->seconds == 0 ? cadence.epochs != 0 : cadence.seconds != 0)
            refuse("epochs are given once, and so is time");
        if (unit->seconds == 0)
            cadence.epochs = count;
        else
            cadence.seconds = static_cast<double>(count) * unit->seconds;
    }
    if (cadence.epochs == 0 && cadence.seconds == 0) refuse("it names no time");
    return cadence;
}

}
