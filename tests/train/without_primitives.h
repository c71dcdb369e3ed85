#pragma once
// What our own code allocates while it issues work.
#include "kernels/stream.h"
#include "tests/allocations.h"

#include <string_view>

namespace bkd::test {

// Convolutions and products are the library's own, and so is what it allocates while it runs one.
struct WithoutPrimitives : LaunchObserver {
    std::int64_t inside = 0, at_start = 0;
    static bool is_primitive(const Launch& launch) {
        const std::string_view op = launch.op;
        return op.find("conv") != std::string_view::npos || op == "gemm";
    }
    void before(const Launch& launch) override {
        if (is_primitive(launch)) at_start = watched_allocations();
    }
    void after(const Launch& launch) override {
        if (is_primitive(launch)) inside += watched_allocations() - at_start;
    }
};

}
