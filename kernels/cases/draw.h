#pragma once
// Draw: where the numbers of a case's tensor come from. The k-th tensor of a case draws the same numbers on every
// backend: Philox (kernels/philox.h) keyed by the case's seed, the tensor's place in the counter, rounded to f32. Each
// distribution is there for a fault it finds; its name is the last part of a case's id. Which ops draw from which:
//
//   normal         all with real inputs. uniform, positive: where a contract or the op's domain asks for a range
//   integers       sums and products, which are exact then: equal bits. Not where a division or a root rounds
//   ones zeros neg_zero
//                  sums, logarithms, batch norm of a channel that never changes; relu and pooling at 0 and -0
//   ramp onehot    whatever moves or sums along axes: transposes, wrong indices. Not elementwise maps: every place is
//                  the same there
//   cancel wide    sums and products: terms that leave little, or differ by 2^40. Not softmax, losses, batch norm:
//                  their bounds are for logits and activations of a known size
//   huge           maps and maxima, where overflow is that of the reference. Not sums: it depends on their order
//   denormal       maps, maxima, copies. Not products, which are 0, and not sums, whose bound is wider than that
//   nan_one nan_some inf_one minus_inf_one
//                  whatever says what becomes of them; convolutions forward in f32 (Case::f32_only)
//   ties           maxima, relu, softmax
//   logit_extreme p_tiny count_extreme
//                  softmax and losses; counts where a loss takes their logarithm
//
// Cases of their own range (ten, forty, hundred, near_one, negative, small, huge_finite, log_probability) name theirs.
#include "kernels/philox.h"
#include "kernels/shape.h"

#include <span>

namespace bkd::kernels {

struct Draw {
    enum class Kind : std::uint8_t {
        uniform,
        normal,
        integers,
        constant,
        ramp,
        onehot,
        cancel,
        wide,
        one_special,
        some_special,
        extreme,
        tiny,
        counts,
        probabilities
    };
    const char* name;
    Kind kind;
    double a = 0, b = 0;
};

inline Draw uniform(double low = -1, double high = 1) { return {"uniform", Draw::Kind::uniform, low, high}; }
inline Draw normal(double mean = 0, double deviation = 1) { return {"normal", Draw::Kind::normal, mean, deviation}; }
inline Draw positive(double low = 0.5, double high = 2) { return {"positive", Draw::Kind::uniform, low, high}; }
inline Draw integers(double most = 8) { return {"integers", Draw::Kind::integers, most}; }  // sums are exact below 2^24
inline Draw ties() { return {"ties", Draw::Kind::integers, 1}; }                            // the first of equal maxima
inline Draw ones() { return {"ones", Draw::Kind::constant, 1}; }
inline Draw zeros() { return {"zeros", Draw::Kind::constant, 0}; }
inline Draw negative_zero() { return {"neg_zero", Draw::Kind::constant, -0.0}; }
inline Draw ramp() { return {"ramp", Draw::Kind::ramp}; }                            // finds transposes
inline Draw onehot() { return {"onehot", Draw::Kind::onehot}; }                      // finds wrong indices
inline Draw cancel() { return {"cancel", Draw::Kind::cancel}; }                      // x, -x in turn
inline Draw wide() { return {"wide", Draw::Kind::wide, 20}; }                        // 2^-20 .. 2^20, both signs
inline Draw huge() { return {"huge", Draw::Kind::uniform, -3e38, 3e38}; }            // products and sums overflow
inline Draw denormal() { return {"denormal", Draw::Kind::uniform, -1e-39, 1e-39}; }  // nothing is flushed to zero
inline Draw nan_one() { return {"nan_one", Draw::Kind::one_special, 0}; }            // normal, with one NaN
inline Draw nan_some() { return {"nan_some", Draw::Kind::some_special}; }            // normal, a quarter of them NaN
inline Draw inf_one() { return {"inf_one", Draw::Kind::one_special, 1}; }            // normal, with one infinity
inline Draw minus_inf_one() {
    return {"minus_inf_one", Draw::Kind::one_special, 2};
}  // a class left out: its log is -infinity
inline Draw logit_extreme(double size = 1e4) {
    return {"logit_extreme", Draw::Kind::extreme, size};
}  // -size, size, N(0, 1)
inline Draw p_tiny() { return {"p_tiny", Draw::Kind::tiny, 200}; }  // logits whose probabilities underflow in f32
inline Draw count_extreme() { return {"count_extreme", Draw::Kind::counts, 1e7}; }    // log of class counts 1 .. 10^7
inline Draw probabilities() { return {"probabilities", Draw::Kind::probabilities}; }  // rows sum to 1

// The four random words elements 4 i .. 4 i + 3 of tensor `tensor` draw from.
PhiloxCounter draw_words(std::uint64_t seed, std::uint32_t tensor, std::int64_t i);

// Fills `values`, the elements of a tensor of `shape`.
void draw(const Draw& from, const Shape& shape, std::uint64_t seed, std::uint32_t tensor, std::span<float> values);

}
