#pragma once
// cuDNN and cuBLASLt that are not there: the functions that kernels/cuda calls (dnn.h, blas.cpp), interpreted by plain
// loops, so that its own calling code runs. Each call is checked as the libraries would and more strictly; a wrong one
// is refused and noted among the faults of the tally. Work is queued on the stream like a kernel's.
//
// cuDNN's ranking begins with engines that the backend must not take. Each of them gives numbers that show it:
//   0  TF32: operands rounded            6  more workspace than there is
//   1  operands converted down           7  no plan can be made
//   2  another result every time         8  sums from the last to the first
//   3  Winograd, one percent too large   9  another result every time
//   4  FFT, one percent too large       10  sums in f64, faster than 8
//   5  sums kept in bf16                11  fallback: sums from the first
// 8, 10 and 11 keep what the backend promises of f32, 0 and 1 too if TF32 is asked for or the operands are bf16.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace simt {

// Offer::nothing leaves all products and convolutions to the kernels of kernels/cuda; Offer::unlawful keeps 0 to 7.
enum class Offer : std::uint8_t { everything, unlawful, nothing };
Offer& offer();
// An offer for as long as this lives.
struct OfferFor {
    explicit OfferFor(Offer what) { offer() = what; }
    ~OfferFor() { offer() = Offer::everything; }
    OfferFor(const OfferFor&) = delete;
};
std::size_t& cudnn_version();  // 91900
// The places in the ranking of the convolutions queued so far.
std::vector<int>& engines_run();

}
