#include "tools/check/golden.h"

#include "kernels/bf16.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

namespace bkd {
namespace {

std::vector<double> read_numbers(const SafeTensors& file, const StoredTensor& t) {
    const auto widened = [](const auto& values) { return std::vector<double>(values.begin(), values.end()); };
    switch (t.type) {
        case ElementType::f32:
            return widened(file.values<float>(t));
        case ElementType::f64:
            return file.values<double>(t);
        case ElementType::bf16: {
            std::vector<double> numbers;
            for (const std::uint16_t bits : file.values<std::uint16_t>(t)) numbers.push_back(to_f32(Bf16{bits}));
            return numbers;
        }
        case ElementType::i32:
            return widened(file.values<std::int32_t>(t));
        case ElementType::u8:
            return widened(file.values<std::uint8_t>(t));
        default:
            break;
    }
    throw InputError({.id = 409, .what = fmt::format("a golden tensor of {}", name_of(t.type)), .at = file.place(t)});
}

Shape shape_of(const SafeTensors& file, const StoredTensor& t) {
    if (t.shape.size() > static_cast<std::size_t>(Shape::max_rank))
        throw InputError({.id = 408,
                          .what = fmt::format("{} axes, at most {} here", t.shape.size(), Shape::max_rank),
                          .at = file.place(t)});
    Shape shape;
    for (const std::int64_t extent : t.shape) shape.push(extent);
    return shape;
}

void check_range(std::string_view attribute, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value < least || value > most)
        throw InputError({.id = 408,
                          .what = fmt::format("attribute {} is {}", attribute, value),
                          .why = fmt::format("it is {} to {}", least, most)});
}

void fail_without_number(GoldenResult& result, std::string why) {
    if (result.status == GoldenResult::Status::pass) result.detail = std::move(why);
    result.status = GoldenResult::Status::fail;
    result.worst_ratio = std::numeric_limits<double>::infinity();
    result.tensor.clear();
}

}

Tensor GoldenRun::in(const std::string& name) {
    const Tensor t = in_if_any(name);
    if (!t)
        throw InputError({.id = 411,
                          .what = fmt::format("the case has no input {}", name),
                          .at = file_.file.path,
                          .why = "an op's inputs are tensors CASE/in/NAME that the case lists"});
    return t;
}

Tensor GoldenRun::in_if_any(const std::string& name) {
    if (std::find(case_.in.begin(), case_.in.end(), name) == case_.in.end()) return {};
    if (const auto known = inputs_.find(name); known != inputs_.end()) return known->second;
    const StoredTensor& stored = file_.tensor(case_, "in", name);
    const Shape extents = shape_of(file_.file, stored);
    Tensor t;
    if (stored.type == ElementType::i32)
        t = ctx.upload(extents, std::span<const std::int32_t>(file_.file.values<std::int32_t>(stored)));
    else if (stored.type == ElementType::u8)
        t = ctx.upload(extents, std::span<const std::uint8_t>(file_.file.values<std::uint8_t>(stored)));
    else
        t = ctx.upload(extents, std::span<const double>(read_numbers(file_.file, stored)),
                       stored.type == ElementType::bf16 ? DType::bf16 : ctx.real());
    for (const auto& [wanted, limit] : case_.grad)
        if (wanted == name) t.set_takes_gradient(true);
    return inputs_[name] = t;
}

std::vector<double> GoldenRun::numbers(const char* role, const std::string& name) const {
    return read_numbers(file_.file, file_.tensor(case_, role, name));
}

Shape GoldenRun::shape(const char* role, const std::string& name) const {
    return shape_of(file_.file, file_.tensor(case_, role, name));
}

bool GoldenRun::expects_out(const std::string& name) const {
    return std::any_of(case_.out.begin(), case_.out.end(), [&](const auto& wanted) { return wanted.first == name; });
}

const Json& GoldenRun::read(std::string_view attribute) const {
    read_.emplace(attribute);
    return case_.attributes.at(attribute);
}

void GoldenRun::refuse_value(std::string_view attribute) const {
    throw GoldenUnknown(fmt::format("unknown value {} of attribute {}", printable(read(attribute).dump()), attribute));
}

std::int64_t GoldenRun::integer(std::string_view attribute, std::int64_t least, std::int64_t most) const {
    const std::int64_t value = read(attribute).integer();
    check_range(attribute, value, least, most);
    return value;
}

std::vector<std::int64_t> GoldenRun::integers(std::string_view attribute, std::int64_t least, std::int64_t most) const {
    const std::vector<std::int64_t> values = read(attribute).integers();
    for (const std::int64_t value : values) check_range(attribute, value, least, most);
    return values;
}

std::array<std::int64_t, 2> GoldenRun::pair(std::string_view attribute, std::int64_t least) const {
    const std::vector<std::int64_t> both = integers(attribute, least, max_size);
    BKD_CHECK(both.size() == 2, "attribute {} has {} numbers", attribute, both.size());
    return {both[0], both[1]};
}

std::vector<int> GoldenRun::axes(std::string_view attribute, int rank) const {
    std::vector<int> all;
    const Json& value = read(attribute);
    for (const std::int64_t axis : value.is_integer() ? std::vector{value.integer()} : value.integers()) {
        check_range(attribute, axis, -rank, rank - 1);
        all.push_back(static_cast<int>(axis < 0 ? axis + rank : axis));
    }
    return all;
}

void GoldenRun::must_be(std::string_view attribute, const Json& value) const {
    if (case_.attributes.find(attribute) != nullptr && !(read(attribute) == value)) refuse_value(attribute);
}

std::string GoldenRun::unknown_attribute() const {
    for (const auto& [name, value] : case_.attributes.members())
        if (!read_.contains(name)) return name;
    return {};
}

void GoldenRun::out(const std::string& name, const Tensor& value) {
    outputs_[name] = value;
    found_out_[name] = {value.shape(), ctx.download(value)};
}
void GoldenRun::out(const std::string& name, const Shape& extents, std::vector<double> values) {
    found_out_[name] = {extents, std::move(values)};
}
void GoldenRun::grad(const std::string& name, const Shape& extents, std::vector<double> values) {
    found_grad_[name] = {extents, std::move(values)};
}

GoldenResult GoldenRun::judge() {
    for (const std::string& name : case_.up) {
        const auto output = outputs_.find(name);
        if (output == outputs_.end())
            throw InputError({.id = 411, .what = fmt::format("up/{} belongs to no output of the op", printable(name))});
        const Tensor& y = output->second;
        const Tensor dy = ctx.upload(y.shape(), std::span<const double>(numbers("up", name)), y.dtype());
        if (!y.takes_gradient()) continue;
        Context back = ctx.inference();
        ctx.tape()->backward(back, y, dy);
    }
    for (const auto& [name, t] : inputs_)
        if (t.takes_gradient() && t.gradient()) grad(name, t.shape(), ctx.download(t.gradient()));
    GoldenResult result{.name = case_.name, .op = case_.op, .dtype = case_.dtype};
    const auto lookup = [](const std::map<std::string, Found>& all, const std::string& name) {
        const auto found = all.find(name);
        return found == all.end() ? nullptr : &found->second;
    };
    bool is_anything_compared = !case_.grad.empty();
    for (const auto& [name, limit] : case_.out) {
        const Found* actual = lookup(found_out_, name);
        const bool optional = std::find(case_.optional.begin(), case_.optional.end(), name) != case_.optional.end();
        if (actual == nullptr && optional) continue;
        compare(result, "out", name, limit, actual);
        is_anything_compared = true;
    }
    for (const auto& [name, limit] : case_.grad) compare(result, "grad", name, limit, lookup(found_grad_, name));
    if (!is_anything_compared) fail_without_number(result, "compares nothing");
    return result;
}

void GoldenRun::compare(GoldenResult& result, const char* role, const std::string& name, const GoldenTolerance& limit,
                        const Found* actual) const {
    const std::string label = fmt::format("{}/{}", role, name);
    const std::vector<double> expected = numbers(role, name);
    if (actual == nullptr) return fail_without_number(result, fmt::format("{}: not computed", label));
    if (!(actual->shape == shape(role, name)))
        return fail_without_number(
            result, fmt::format("{}: shape {}, expected {}", label, actual->shape.str(), shape(role, name).str()));
    double largest = 0;
    for (const double e : expected) largest = std::max(largest, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double error = std::abs(actual->values[i] - expected[i]);
        const double allowed = limit.rtol * std::abs(expected[i]) + limit.mtol * largest + limit.atol;
        const double ratio = error == 0                            ? 0
                             : error <= allowed                    ? error / allowed
                             : allowed > 0 && std::isfinite(error) ? error / allowed
                                                                   : std::numeric_limits<double>::infinity();
        if (ratio > result.worst_ratio || (result.worst_ratio == 0 && result.tensor.empty())) {
            result.worst_ratio = ratio;
            result.tensor = label;
            result.index = static_cast<std::int64_t>(i);
            result.expected = expected[i];
            result.actual = actual->values[i];
        }
        if (error <= allowed) continue;  // a NaN fails
        if (result.status == GoldenResult::Status::pass)
            result.detail = fmt::format("{}: element {}: {} for {}, {:.3g} times its limit", label, i,
                                        actual->values[i], expected[i], ratio);
        result.status = GoldenResult::Status::fail;
    }
}

GoldenResult run_golden(const GoldenFile& file, const GoldenCase& golden_case, Runtime& runtime) {
    GoldenResult result{.name = golden_case.name, .op = golden_case.op, .dtype = golden_case.dtype};
    const auto skipped = [&](std::string why) {
        result.status = GoldenResult::Status::skipped;
        result.detail = std::move(why);
        return result;
    };
    const GoldenOp op = find_golden_op(golden_case.op);
    if (op == nullptr) return skipped("no op of this name here");
    const bool is_bf16 = golden_case.dtype == "bf16";
    if (!is_bf16 && golden_case.dtype != "f32")
        return skipped(fmt::format("{} is not in this version", printable(golden_case.dtype)));
    runtime.store_in(is_bf16 ? DType::bf16 : DType::f32);
    Tape tape;
    Context ctx(runtime, &tape, /*training=*/true);
    GoldenRun run(file, golden_case, ctx);
    try {
        op(run);
        // Before the comparison: what an unknown attribute asks for has other numbers, perhaps another shape.
        if (const std::string unknown = run.unknown_attribute(); !unknown.empty())
            return skipped(fmt::format("unknown attribute {}", printable(unknown)));
        return run.judge();
    } catch (const GoldenUnknown& unknown) { return skipped(unknown.what()); } catch (const InputError& error) {
        fail_without_number(result, fmt::format("{}: {}{}{}", error.id(), error.what(),
                                                error.parts().why.empty() ? "" : ": ", error.parts().why));
    } catch (const std::bad_alloc&) {
        fail_without_number(result, "out of memory");
    } catch (const std::exception& error) { fail_without_number(result, error.what()); }
    return result;
}

}
