#pragma once
// Division by a number that is the same for a whole launch, without the 20 instructions of a division: Granlund and
// Montgomery, "Division by invariant integers using multiplication", PLDI 1994, for numerators below 2^31.
#include "kernels/error.h"

#include <cstdint>
#include <limits>

namespace bkd::kernels::cuda {

class Divider {
public:
    struct Result {
        std::uint32_t quotient, remainder;
    };

    // For numerators below `items`: LogicError where they are too many to be divided up.
    Divider(std::int64_t divisor, std::int64_t items) {
        constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
        BKD_CHECK(divisor <= most && items <= most, "{} items in rows of {}: a kernel divides up to {}", items, divisor,
                  most);
        divisor_ = divisor < 1 ? 1 : static_cast<std::uint32_t>(divisor);  // an empty tensor is never divided up
        while ((std::uint64_t{1} << shift_) < divisor_) ++shift_;
        const std::uint64_t one = std::uint64_t{1} << 32;
        multiplier_ = static_cast<std::uint32_t>(one * ((std::uint64_t{1} << shift_) - divisor_) / divisor_ + 1);
    }
    __device__ Result operator()(std::uint32_t n) const {
        const std::uint32_t quotient = (__umulhi(n, multiplier_) + n) >> shift_;
        return {quotient, n - quotient * divisor_};
    }
    __device__ std::uint32_t divisor() const { return divisor_; }

private:
    std::uint32_t divisor_ = 1, multiplier_ = 0, shift_ = 0;
};

}
