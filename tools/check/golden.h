#pragma once
// Runs golden cases (golden_file.h) through the ops of the engine on any device and holds every output and gradient
// against the file's numbers by the file's tolerances. An op or dtype that is not known here is skipped and counted,
// never passed.
#include "engine/context.h"
#include "tools/check/golden_file.h"

#include <map>

namespace bkd {

struct GoldenResult {
    enum class Status : std::uint8_t { pass, fail, skipped } status = Status::pass;
    std::string name, op, dtype;
    std::string detail{};    // why it was skipped or failed
    double worst_ratio = 0;  // of error to limit over all tensors of the case
    std::string tensor{};    // of the worst element: "out/y"
    std::int64_t index = 0;  // flat
    double expected = 0, actual = 0;
};

// One case in the making: what an op's function sees. It takes inputs and attributes and hands over outputs.
class GoldenRun {
public:
    GoldenRun(const GoldenFile& file, const GoldenCase& golden_case, Context& context)
        : ctx(context), file_(file), case_(golden_case) {}

    // An input on the device; one whose gradient is expected takes one. Empty if the case has no such input.
    Tensor in(const std::string& name);
    std::vector<double> numbers(const char* role, const std::string& name) const;
    Shape shape(const char* role, const std::string& name) const;
    const std::vector<std::string>& inputs() const { return case_.in; }

    double number(std::string_view attribute) const { return case_.attributes.at(attribute).number(); }
    std::int64_t integer(std::string_view attribute) const { return case_.attributes.at(attribute).integer(); }
    bool boolean(std::string_view attribute) const { return case_.attributes.at(attribute).boolean(); }
    std::string text(std::string_view attribute) const { return case_.attributes.at(attribute).text(); }
    std::vector<std::int64_t> integers(std::string_view attribute) const {
        return case_.attributes.at(attribute).integers();
    }
    std::array<std::int64_t, 2> pair(std::string_view attribute) const;

    void out(const std::string& name, const Tensor& value);
    // For ops that run whole training steps and so cannot leave values and gradients on the tape.
    void out(const std::string& name, const Shape& shape, std::vector<double> values);
    void grad(const std::string& name, const Shape& shape, std::vector<double> values);

    GoldenResult judge();  // backward from the outputs that have an upstream gradient, then the comparison

    Context& ctx;

private:
    struct Found {
        Shape shape;
        std::vector<double> values;
    };
    void compare(GoldenResult& result, const char* role, const std::string& name, const GoldenTolerance& limit,
                 const Found* actual) const;

    const GoldenFile& file_;
    const GoldenCase& case_;
    std::map<std::string, Tensor> inputs_, outputs_;
    std::map<std::string, Found> found_out_, found_grad_;
};

using GoldenOp = void (*)(GoldenRun&);
// The function for `op`, null if there is none. golden_ops.cpp, golden_losses.cpp, golden_models.cpp.
GoldenOp find_golden_op(std::string_view op);

GoldenResult run_golden(const GoldenFile& file, const GoldenCase& golden_case, Runtime& runtime);

}
