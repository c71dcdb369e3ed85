#pragma once
// Numbers in the memory of a device, for tests of a backend without an engine.
#include "kernels/backend.h"

#include <cmath>
#include <vector>

namespace bkd::test {

inline std::vector<float> noise(std::int64_t count) {
    std::vector<float> numbers;
    for (std::int64_t i = 0; i < count; ++i) numbers.push_back(std::sin(static_cast<float>(i * i + 1)));
    return numbers;
}

// A tensor of f32 noise on a device.
class Placed {
public:
    Placed(Backend& backend, Stream& stream, const Shape& shape)
        : memory_(stream, static_cast<std::size_t>(shape.count()) * sizeof(float)),
          view{memory_.as<void>(), shape, DType::f32, backend.device} {
        backend.upload(stream, view, noise(shape.count()).data());
    }

private:
    Scratch memory_;

public:
    const View view;
};

inline std::vector<float> downloaded(Backend& backend, Stream& stream, const View& view) {
    std::vector<float> numbers(static_cast<std::size_t>(view.count()));
    backend.download(stream, view, numbers.data());
    return numbers;
}

}
