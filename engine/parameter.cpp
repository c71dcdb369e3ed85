#include "engine/parameter.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

// Each parameter starts on a cache line; the numbers between are zeros that nobody reads.
std::int64_t padded(std::int64_t count) { return (count + 15) / 16 * 16; }

std::vector<double> initial_numbers(const Parameter& p, PhiloxKey key) {
    std::vector<double> numbers(static_cast<std::size_t>(p.shape.count()), p.init.a);
    if (p.init.kind == Init::Kind::constant) return numbers;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const PhiloxCounter word = philox_draw(key, i);
        if (p.init.kind == Init::Kind::normal)
            numbers[i] = p.init.a + p.init.b * normals_from(word[0], word[1]).first;
        else if (p.init.kind == Init::Kind::uniform)
            numbers[i] = p.init.a + (p.init.b - p.init.a) * (word[0] * 0x1p-32);
        else
            numbers[i] = 2 * (word[0] * 0x1p-32) - 1;
    }
    if (p.init.kind == Init::Kind::unit_rows) {
        const auto width = static_cast<std::size_t>(p.shape[-1]);
        for (std::size_t row = 0; row < numbers.size(); row += width) {
            double square = 0;
            for (std::size_t i = 0; i < width; ++i) square += numbers[row + i] * numbers[row + i];
            for (std::size_t i = 0; i < width; ++i) numbers[row + i] /= std::sqrt(square);
        }
    }
    if (p.init.zero_first_row) std::fill_n(numbers.begin(), p.shape.product(1, p.shape.rank()), 0.0);
    return numbers;
}

}

Shape Parameter::file_shape() const {
    if (file_layout == FileLayout::oihw) return {shape[0], shape[3], shape[1], shape[2]};
    if (file_layout == FileLayout::transposed) return {shape[1], shape[0]};
    return shape;
}

Parameter& Parameters::add(Parameter parameter) {
    BKD_CHECK(find(parameter.name) == nullptr, "two parameters {}", parameter.name);
    BKD_CHECK(!values_, "{} comes after materialise()", parameter.name);
    return all_.emplace_back(std::move(parameter));
}

void Parameters::allocate(const Context& ctx) {
    std::int64_t size = 0;
    for (const Parameter& p : all_) size += p.is_buffer ? 0 : padded(p.shape.count());
    values_ = ctx.full({size}, 0);
    if (ctx.storage() == DType::bf16) copies_ = ctx.empty({size}, DType::bf16);
    std::int64_t first = 0;
    TensorStore& store = ctx.runtime().tensors;
    for (Parameter& p : all_) {
        p.value = p.is_buffer ? ctx.full(p.shape, 0) : store.slice(values_, first, p.shape);
        if (p.is_buffer) continue;
        if (copies_) p.value.node()->bf16_copy = store.slice(copies_, first, p.shape).view();
        first += padded(p.shape.count());
    }
    refresh_copies(ctx);
}

void Parameters::materialise(const Context& ctx, std::uint64_t seed, std::string_view scope) {
    allocate(ctx);
    gradients_ = ctx.full(values_.shape(), 0);
    std::int64_t first = 0;
    for (Parameter& p : all_) {
        const PhiloxKey key = philox_key(seed, fmt::format("{}/init/{}", scope, p.name));
        ctx.assign(p.value, std::span<const double>(initial_numbers(p, key)));
        if (p.is_buffer) continue;
        p.value.node()->gradient_home = ctx.runtime().tensors.slice(gradients_, first, p.shape).view();
        first += padded(p.shape.count());
    }
    refresh_copies(ctx);
    regroup();
}

void Parameters::refresh_copies(const Context& ctx) const {
    if (copies_) ctx.elementwise().cast({.x = values_, .y = copies_});
}

Parameter* Parameters::find(std::string_view name) {
    const auto found = std::find_if(all_.begin(), all_.end(), [&](const Parameter& p) { return p.name == name; });
    return found == all_.end() ? nullptr : &*found;
}

std::int64_t Parameters::count() const {
    std::int64_t n = 0;
    for (const Parameter& p : all_) n += p.is_buffer ? 0 : p.shape.count();
    return n;
}

std::vector<float> Parameters::read(const Context& ctx, const Parameter& p) const { return ctx.download_f32(p.value); }

void Parameters::write(const Context& ctx, Parameter& p, std::span<const float> numbers) {
    ctx.assign(p.value, numbers);
}

void Parameters::regroup() {
    for (Parameter& p : all_)
        if (!p.is_buffer) p.value.set_takes_gradient(!p.frozen);
}

std::vector<kernels::ParameterGroup> Parameters::groups(double weight_decay) const {
    std::vector<kernels::ParameterGroup> groups;
    std::int64_t first = 0;
    for (const Parameter& p : all_) {
        if (p.is_buffer) continue;
        const std::int64_t end = first + padded(p.shape.count());
        const double decay = p.decays ? weight_decay : 0;
        if (!p.frozen) {
            if (!groups.empty() && groups.back().end == first && groups.back().weight_decay == decay &&
                groups.back().learning_rate_factor == p.learning_rate_factor)
                groups.back().end = end;
            else
                groups.push_back({first, end, p.learning_rate_factor, decay});
        }
        first = end;
    }
    return groups;
}

void Parameters::begin_step() {
    for (Parameter& p : all_) p.value.clear_gradient();
}

void Parameters::complete_gradients(const Context& ctx) {
    for (const Parameter& p : all_)
        if (p.value.takes_gradient() && !p.value.gradient())
            ctx.elementwise().fill({.y = p.value.node()->gradient_home});
}

}
