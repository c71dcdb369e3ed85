#pragma once
// The table of gradients: engine ops with inputs, and two ways to look at their rules. Central differences: in f64 on
// `reference`, with a random upstream gradient u, (<u, y(x + h e)> - <u, y(x - h e)>) / 2h = <J e, u> must equal
// <e, J^T u>, which the tape gives. Adjoint: the device under test computes J^T u, and <e, J^T u> must agree with that
// <J e, u>; where y is affine in an input, J e too is the device's own.
// One direction an input sees what a difference an element would see, for two runs instead of two an element.
#include "engine/context.h"

#include <functional>
#include <string>
#include <vector>

namespace bkd {

struct GradientInput {
    Shape shape;
    double low = -1, high = 1;
    double away_from_zero = 0;  // inputs of an op with a kink there keep this distance
};

struct GradientCase {
    std::string op, attributes;
    std::vector<GradientInput> inputs;
    std::function<Tensor(Context&, const std::vector<Tensor>&)> run;
    std::string id() const { return op + "/" + attributes + "/f32/uniform"; }
};

// Every op with a gradient, shapes odd and prime, the same tensor on both sides where an op has two.
std::vector<GradientCase> gradient_cases();

struct GradientResult {
    double worst_ratio = 0;  // largest difference of its limit, over inputs and ways
    int input = -1;          // of the worst
    double got = 0, want = 0, limit = 0;
    std::string way{};  // "central differences", "adjoint", "adjoint of an affine op"
    bool passed() const { return worst_ratio <= 1; }
};

class GradientCheck {
public:
    explicit GradientCheck(std::uint64_t seed = 7) : seed_(seed) {}
    GradientResult central_differences(const GradientCase& c);
    GradientResult adjoint(const GradientCase& c, Runtime& tested);

private:
    struct Drawn {
        std::vector<std::vector<double>> x, direction;  // f32 numbers
        std::vector<double> upstream;
    };
    Drawn drawn(const GradientCase& c);
    std::vector<double> draw(const GradientInput& input);
    double derivative(const GradientCase& c, const Drawn& d, std::size_t input);
    bool is_affine(const GradientCase& c, const Drawn& d, std::size_t input);

    Runtime reference_{Device{DeviceKind::reference, 0}};
    std::uint64_t seed_, drawn_ = 0;
};

}
