#include "tools/check/golden.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bkd {
namespace {

std::vector<double> read_numbers(const SafeTensors& file, const StoredTensor& t) {
    const auto widened = [](const auto& values) { return std::vector<double>(values.begin(), values.end()); };
    switch (t.type) {
        case ElementType::f32:
            return widened(file.values<float>(t));
        case ElementType::f64:
            return file.values<double>(t);
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

}

Tensor GoldenRun::in(const std::string& name) {
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
        t = ctx.upload(extents, std::span<const double>(read_numbers(file_.file, stored)));
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

std::array<std::int64_t, 2> GoldenRun::pair(std::string_view attribute) const {
    const std::vector<std::int64_t> both = integers(attribute);
    BKD_CHECK(both.size() == 2, "attribute {} has {} numbers", attribute, both.size());
    return {both[0], both[1]};
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
        const Tensor& y = outputs_.at(name);
        const Tensor dy = ctx.upload(y.shape(), std::span<const double>(numbers("up", name)));
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
    for (const auto& [name, limit] : case_.out) {
        const Found* actual = lookup(found_out_, name);
        const bool optional = std::find(case_.optional.begin(), case_.optional.end(), name) != case_.optional.end();
        if (actual != nullptr || !optional) compare(result, "out", name, limit, actual);
    }
    for (const auto& [name, limit] : case_.grad) compare(result, "grad", name, limit, lookup(found_grad_, name));
    return result;
}

void GoldenRun::compare(GoldenResult& result, const char* role, const std::string& name, const GoldenTolerance& limit,
                        const Found* actual) const {
    const std::string label = fmt::format("{}/{}", role, name);
    const auto fail = [&](std::string why) {
        if (result.status == GoldenResult::Status::pass) result.detail = fmt::format("{}: {}", label, why);
        result.status = GoldenResult::Status::fail;
    };
    const std::vector<double> expected = numbers(role, name);
    if (actual == nullptr) return fail("not computed");
    if (!(actual->shape == shape(role, name)))
        return fail(fmt::format("shape {}, expected {}", actual->shape.str(), shape(role, name).str()));
    double largest = 0;
    for (const double e : expected) largest = std::max(largest, std::abs(e));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double error = std::abs(actual->values[i] - expected[i]);
        const double allowed = limit.rtol * std::abs(expected[i]) + limit.mtol * largest + limit.atol;
        const double ratio = error == 0                            ? 0
                             : error <= allowed                    ? error / allowed
                             : allowed > 0 && std::isfinite(error) ? error / allowed
                                                                   : std::numeric_limits<double>::infinity();
        if (ratio > result.worst_ratio || (ratio == 0 && result.tensor.empty())) {
            result.worst_ratio = ratio;
            result.tensor = label;
            result.index = static_cast<std::int64_t>(i);
            result.expected = expected[i];
            result.actual = actual->values[i];
        }
        if (!(error <= allowed))  // a NaN fails
            fail(
                fmt::format("element {}: {} for {}, {:.3g} times its limit", i, actual->values[i], expected[i], ratio));
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
    if (golden_case.dtype != "f32") return skipped(fmt::format("{} is not in this version", golden_case.dtype));
    Tape tape;
    Context ctx(runtime, &tape, /*training=*/true);
    GoldenRun run(file, golden_case, ctx);
    try {
        op(run);
        return run.judge();
    } catch (const LogicError& error) {
        result.status = GoldenResult::Status::fail;
        result.detail = error.what();
        return result;
    }
}

}
