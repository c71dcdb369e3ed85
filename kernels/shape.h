#pragma once
// Shape: up to five 64-bit extents, row-major, outermost first. Rank 0 is a scalar: one element.
#include "kernels/error.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace bkd {

class Shape {
public:
    static constexpr int max_rank = 5;

    Shape() = default;
    Shape(std::initializer_list<std::int64_t> extents) {
        for (const std::int64_t e : extents) push(e);
    }

    int rank() const { return rank_; }
    // Extent of axis i; a negative i counts from the end: shape[-1] is the innermost.
    std::int64_t operator[](int i) const { return extents_[checked_axis(i)]; }
    void set(int i, std::int64_t extent) { extents_[checked_axis(i)] = extent; }
    void push(std::int64_t extent) {
        BKD_CHECK(rank_ < max_rank, "more than {} axes", max_rank);
        BKD_CHECK(extent >= 0, "extent {} is negative", extent);
        extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
    // Number of elements; LogicError if it exceeds 2^63 - 1.
    std::int64_t count() const { return product(0, rank_); }
    // Product of the extents of axes [first, last).
    std::int64_t product(int first, int last) const {
        std::int64_t n = 1;
        for (int i = first; i < last; ++i)
            BKD_CHECK(!__builtin_mul_overflow(n, extents_[static_cast<std::size_t>(i)], &n), "{} overflows", str());
        return n;
    }
    bool operator==(const Shape& other) const {
        if (rank_ != other.rank_) return false;
        for (int i = 0; i < rank_; ++i)
            if ((*this)[i] != other[i]) return false;
        return true;
    }
    std::string str() const {
        std::string text = "[";
        for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string((*this)[i]);
        return text + "]";
    }

private:
    std::size_t checked_axis(int i) const {
        const int axis = i < 0 ? i + rank_ : i;
        if (axis < 0 || axis >= rank_) fail_check("Shape", "axis", fmt::format("axis {} of {}", i, rank_));
        return static_cast<std::size_t>(axis);
    }
    std::array<std::int64_t, max_rank> extents_{};
    int rank_ = 0;
};

}
