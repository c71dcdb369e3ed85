#pragma once
// Runs golden cases (golden_file.h) through the ops of the engine on any device and holds every output and gradient
// against the file's numbers by the file's tolerances. An op, a dtype, an attribute or a value of one that is not known
// here is skipped and counted, never passed.
#include "engine/context.h"
#include "tools/check/golden_file.h"

#include <initializer_list>
#include <map>
#include <set>
#include <stdexcept>

namespace bkd {

struct GoldenResult {
    enum class Status : std::uint8_t { pass, fail, skipped } status = Status::pass;
    std::string name, op, dtype;
    std::string detail{};    // why it was skipped or failed
    double worst_ratio = 0;  // of error to limit over all tensors of the case; infinite where it failed without one
    std::string tensor{};    // of the worst element: "out/y"; empty where no element was compared
    std::int64_t index = 0;  // flat
    double expected = 0, actual = 0;
};

// A value of an attribute that has no meaning here: the case is skipped.
class GoldenUnknown : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// One case in the making: what an op's function sees. It takes inputs and attributes and hands over outputs.
class GoldenRun {
public:
    GoldenRun(const GoldenFile& file, const GoldenCase& golden_case, Context& context)
        : ctx(context), file_(file), case_(golden_case) {}

    // An input on the device; one whose gradient is expected takes one. InputError E0411 if the case has none such.
    Tensor in(const std::string& name);
    Tensor in_if_any(const std::string& name);  // empty if the case has no such input
    bool expects_out(const std::string& name) const;
    std::vector<double> numbers(const char* role, const std::string& name) const;
    Shape shape(const char* role, const std::string& name) const;
    const std::vector<std::string>& inputs() const { return case_.in; }

    // Attributes. Whichever is read here is one that the op knows (unknown_attribute). InputError E0404 if it is
    // missing or of another kind, E0408 if it is out of its range.
    static constexpr std::int64_t max_size = 1 << 20, max_steps = 1000;
    double number(std::string_view attribute) const { return read(attribute).number(); }
    bool boolean(std::string_view attribute) const { return read(attribute).boolean(); }
    const std::string& text(std::string_view attribute) const { return read(attribute).text(); }
    std::int64_t integer(std::string_view attribute, std::int64_t least, std::int64_t most) const;
    // 1 to max_size (padding: 0 to max_size), also of every element of a list
    std::int64_t size(std::string_view attribute) const { return integer(attribute, 1, max_size); }
    std::int64_t padding(std::string_view attribute) const { return integer(attribute, 0, max_size); }
    std::vector<std::int64_t> sizes(std::string_view attribute) const { return integers(attribute, 1, max_size); }
    std::array<std::int64_t, 2> size_pair(std::string_view attribute) const { return pair(attribute, 1); }
    std::array<std::int64_t, 2> padding_pair(std::string_view attribute) const { return pair(attribute, 0); }
    // Axes of a tensor of `rank`, negative ones counted from the last.
    std::vector<int> axes(std::string_view attribute, int rank) const;
    // One of a few words; GoldenUnknown for another.
    template <class T>
    T choice(std::string_view attribute, std::initializer_list<std::pair<std::string_view, T>> known) const {
        const std::string& word = read(attribute).text();
        for (const auto& [name, value] : known)
            if (word == name) return value;
        refuse_value(attribute);
    }
    // An attribute that may be given if it says what the op does anyhow; GoldenUnknown for anything else.
    void must_be(std::string_view attribute, const Json& value) const;
    // The first attribute of the case that nobody has read; empty if there is none.
    std::string unknown_attribute() const;

    void out(const std::string& name, const Tensor& value);
    // For ops that run whole training steps and so cannot leave values and gradients on the tape.
    void out(const std::string& name, const Shape& shape, std::vector<double> values);
    void grad(const std::string& name, const Shape& shape, std::vector<double> values);

    // Backward from the outputs that have an upstream gradient, then the comparison. One that compares nothing fails.
    GoldenResult judge();

    Context& ctx;

private:
    struct Found {
        Shape shape;
        std::vector<double> values;
    };
    const Json& read(std::string_view attribute) const;
    [[noreturn]] void refuse_value(std::string_view attribute) const;
    std::vector<std::int64_t> integers(std::string_view attribute, std::int64_t least, std::int64_t most) const;
    std::array<std::int64_t, 2> pair(std::string_view attribute, std::int64_t least) const;
    void compare(GoldenResult& result, const char* role, const std::string& name, const GoldenTolerance& limit,
                 const Found* actual) const;

    const GoldenFile& file_;
    const GoldenCase& case_;
    std::map<std::string, Tensor> inputs_, outputs_;
    std::map<std::string, Found> found_out_, found_grad_;
    mutable std::set<std::string, std::less<>> read_;  // attributes
};

using GoldenOp = void (*)(GoldenRun&);
// The function for `op`, null if there is none. golden_ops.cpp, golden_losses.cpp, golden_models.cpp.
GoldenOp find_golden_op(std::string_view op);

// Whatever is wrong with a case makes it a failed one, with the error's text: nothing is thrown.
GoldenResult run_golden(const GoldenFile& file, const GoldenCase& golden_case, Runtime& runtime);

}
