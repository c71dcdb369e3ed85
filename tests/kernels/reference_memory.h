#pragma once
// Tensors of the reference backend, written down as lists of numbers, for tests against golden numbers.
#include "kernels/backend.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <vector>

namespace bkd::test {

using Numbers = std::vector<double>;

class ReferenceMemory {
public:
    const std::unique_ptr<Backend> backend = open_backend({DeviceKind::reference, 0});
    const std::unique_ptr<Stream> stream = backend->make_stream();

    template <class T = double>
    View of(const Shape& shape, const std::vector<T>& values) {
        REQUIRE(shape.count() == static_cast<std::int64_t>(values.size()));
        const std::size_t bytes = values.size() * sizeof(T);
        const View view{backend->pool().take(bytes).data, shape, dtype_of<T>(), backend->device};
        backend->upload(*stream, view, values.data());
        return view;
    }
    View integers(const Shape& shape, const std::vector<std::int32_t>& values) { return of(shape, values); }
    View bytes(const Shape& shape, const std::vector<std::uint8_t>& values) { return of(shape, values); }
    View empty(const Shape& shape) { return of(shape, Numbers(static_cast<std::size_t>(shape.count()), std::nan(""))); }

    template <class T = double>
    std::vector<T> read(const View& view) {
        std::vector<T> values(static_cast<std::size_t>(view.count()));
        REQUIRE(view.dtype == dtype_of<T>());
        backend->download(*stream, view, values.data());
        return values;
    }
};

// Golden numbers are printed to 12 digits: equal to 1e-11, relative where they exceed 1.
inline void check_close(const Numbers& got, const Numbers& want, double tolerance = 1e-11) {
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
        CAPTURE(i);
        CAPTURE(got[i]);
        CAPTURE(want[i]);
        CHECK(std::abs(got[i] - want[i]) <= tolerance * std::max(1.0, std::abs(want[i])));
    }
}

}
