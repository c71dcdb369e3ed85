// Convolutions by oneDNN, and those of 3 x 3 taps by winograd.h. Contract: kernels/convolution.h
//
// Images stay NHWC. Weights are put into the blocks oneDNN prefers before each call, and their gradient back: for the
// layers of ResNet-32 that costs microseconds, while plain weights would leave oneDNN without a vectorised kernel where
// there is no AVX-512. A primitive is made once a shape and kept by the stream.
#include "kernels/convolution.h"

#include "kernels/bf16.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/winograd.h"

#include <cstring>

namespace bkd::kernels::cpu {
namespace {

using Memory = dnnl::memory;

enum Direction : std::int64_t { forward, backward_data, backward_weight };

PrimitiveCache::Key key_of(Direction direction, const Shape& x, const Shape& w, const ConvolutionGeometry& g,
                           DType operands, DType result, bool has_bias = false) {
    return {direction,
            x[0],
            x[1],
            x[2],
            x[3],
            w[0],
            w[1],
            w[2],
            g.stride[0],
            g.stride[1],
            g.padding[0],
            g.padding[1],
            g.groups,
            static_cast<std::int64_t>(operands),
            static_cast<std::int64_t>(result),
            has_bias};
}

Memory::data_type type_of(DType type) { return type == DType::bf16 ? Memory::data_type::bf16 : Memory::data_type::f32; }

// What the three tensors are stored in.
struct Types {
    DType x, w, y;
};

// The three tensors of a convolution as oneDNN describes them.
struct Problem {
    Problem(const Shape& x, const Shape& w, const Shape& y, const ConvolutionGeometry& g, const Types& types,
            bool has_bias = false)
        : stride{g.stride[0], g.stride[1]},
          padding{g.padding[0], g.padding[1]},
          image({x[0], x[3], x[1], x[2]}, type_of(types.x), Memory::format_tag::nhwc),
          output({y[0], y[3], y[1], y[2]}, type_of(types.y), Memory::format_tag::nhwc),
          filter(filter_extents(w, g.groups), type_of(types.w),
                 g.groups > 1 ? Memory::format_tag::gohwi : Memory::format_tag::ohwi),
          any_filter(filter_extents(w, g.groups), type_of(types.w), Memory::format_tag::any),
          bias(has_bias ? Memory::desc({w[0]}, Memory::data_type::f32, Memory::format_tag::x) : Memory::desc()) {
        attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    }

    static Memory::dims filter_extents(const Shape& w, std::int64_t groups) {
        if (groups > 1) return {groups, w[0] / groups, w[3], w[1], w[2]};
        return {w[0], w[3], w[1], w[2]};
    }
    dnnl::convolution_forward::primitive_desc describe_forward(const dnnl::engine& engine) const {
        return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, image, any_filter, bias,
                 output, stride, padding, padding},
                attributes,
                engine};
    }
    WeightedPrimitive with_reorder(Primitive main, const Memory::desc& blocked, bool to_plain,
                                   const dnnl::engine& engine) const {
        WeightedPrimitive result{std::move(main), {}, blocked.get_size()};
        if (blocked == filter) return result;
        const Memory::desc &from = to_plain ? blocked : filter, &to = to_plain ? filter : blocked;
        const dnnl::reorder::primitive_desc reorder(engine, from, engine, to, attributes);
        result.reorder.emplace(reorder, dnnl::reorder(reorder),
                               std::vector<Primitive::Argument>{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, engine);
        return result;
    }

    Memory::dims stride, padding;
    Memory::desc image, output, filter, any_filter, bias;
    dnnl::primitive_attr attributes;
};

WeightedPrimitive make_forward(const Problem& p, const dnnl::engine& engine) {
    const auto description = p.describe_forward(engine);
    std::vector<Primitive::Argument> arguments{
        {DNNL_ARG_SRC, p.image}, {DNNL_ARG_WEIGHTS, description.weights_desc()}, {DNNL_ARG_DST, p.output}};
    if (!p.bias.is_zero()) arguments.push_back({DNNL_ARG_BIAS, p.bias});
    Primitive main(description, dnnl::convolution_forward(description), arguments, engine);
    return p.with_reorder(std::move(main), description.weights_desc(), false, engine);
}

WeightedPrimitive make_backward_data(const Problem& p, const Problem& same_types, const dnnl::engine& engine) {
    const dnnl::convolution_backward_data::primitive_desc description(
        {dnnl::algorithm::convolution_direct, p.image, p.any_filter, p.output, p.stride, p.padding, p.padding},
        p.attributes, engine, same_types.describe_forward(engine));
    Primitive main(
        description, dnnl::convolution_backward_data(description),
        {{DNNL_ARG_DIFF_DST, p.output}, {DNNL_ARG_WEIGHTS, description.weights_desc()}, {DNNL_ARG_DIFF_SRC, p.image}},
        engine);
    return p.with_reorder(std::move(main), description.weights_desc(), false, engine);
}

WeightedPrimitive make_backward_weight(const Problem& p, const Problem& same_types, const dnnl::engine& engine) {
    const dnnl::convolution_backward_weights::primitive_desc description(
        {dnnl::algorithm::convolution_direct, p.image, p.any_filter, p.output, p.stride, p.padding, p.padding},
        p.attributes, engine, same_types.describe_forward(engine));
    Primitive main(description, dnnl::convolution_backward_weights(description),
                   {{DNNL_ARG_SRC, p.image},
                    {DNNL_ARG_DIFF_DST, p.output},
                    {DNNL_ARG_DIFF_WEIGHTS, description.diff_weights_desc()}},
                   engine);
    return p.with_reorder(std::move(main), description.diff_weights_desc(), true, engine);
}

// to += from, rounded once
BKD_SIMD void add(const float* BKD_RESTRICT from, float* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}
BKD_SIMD void add(const float* BKD_RESTRICT from, Bf16* BKD_RESTRICT to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = to_bf16(to_f32(to[i]) + from[i]);
}

// Calls compute(pointer) with the tensor to write: out's own, or f32 numbers in scratch that are added to out
// afterwards.
template <class Compute>
void write_or_add(CpuStream& stream, const Out& out, const Compute& compute) {
    if (!out.accumulate) return compute(out.view.data);
    const std::int64_t count = out.view.count();
    const Scratch scratch(stream, static_cast<std::size_t>(count) * sizeof(float));
    compute(scratch.as<void>());
    const auto add_to = [&](auto* to) {
        constexpr std::int64_t tile = 16 * 1024;
        parallel_for(stream, count, tile, count, [&](std::int64_t first, std::int64_t last, std::int64_t) {
            add(scratch.as<float>() + first, to + first, last - first);
        });
    };
    if (out.view.dtype == DType::bf16)
        add_to(out.view.as<Bf16>());
    else
        add_to(out.view.as<float>());
}

// Of an empty sum, if it is wanted.
void write_zeros(const Out& out) {
    if (out && !out.accumulate) std::memset(out.view.data, 0, static_cast<std::size_t>(out.view.bytes()));
}

// y without a product: the bias, or 0.
void write_bias(const Conv2dForward& args) {
    const std::int64_t k = args.y.dim(3);
    const auto write = [&](auto* y, auto convert) {
        for (std::int64_t i = 0; i < args.y.count(); ++i)
            y[i] = convert(args.bias ? args.bias.as<float>()[i % k] : 0.0f);
    };
    if (args.y.dtype == DType::bf16)
        write(args.y.as<Bf16>(), to_bf16);
    else
        write(args.y.as<float>(), [](float value) { return value; });
}

void write_data_gradient(CpuStream& stream, const Conv2dBackward& args) {
    PrimitiveCache& cache = *stream.primitives;
    const DType type = args.x.dtype, result = args.dx.accumulate ? DType::f32 : type;
    WeightedPrimitive& p =
        cache.get(key_of(backward_data, args.x.shape, args.w.shape, args.geometry, type, result), [&] {
            const auto problem = [&](const Types& types) {
                return Problem(args.x.shape, args.w.shape, args.dy.shape, args.geometry, types);
            };
            return make_backward_data(problem({result, type, type}), problem({type, type, type}), cache.engine);
        });
    const Scratch blocked(stream, p.reorder ? p.weight_bytes : 0);
    if (p.reorder) p.reorder->run(stream, cache.queue, {args.w.data, blocked.as<void>()});
    const void* w = p.reorder ? blocked.as<void>() : args.w.data;
    write_or_add(stream, args.dx, [&](void* dx) { p.main.run(stream, cache.queue, {args.dy.data, w, dx}); });
}

void write_weight_gradient(CpuStream& stream, const Conv2dBackward& args) {
    PrimitiveCache& cache = *stream.primitives;
    const DType type = args.x.dtype;
    WeightedPrimitive& p =
        cache.get(key_of(backward_weight, args.x.shape, args.w.shape, args.geometry, type, DType::f32), [&] {
            const auto problem = [&](const Types& types) {
                return Problem(args.x.shape, args.w.shape, args.dy.shape, args.geometry, types);
            };
            return make_backward_weight(problem({type, DType::f32, type}), problem({type, type, type}), cache.engine);
        });
    const Scratch blocked(stream, p.reorder ? p.weight_bytes : 0);
    write_or_add(stream, args.dw, [&](void* dw) {
        void* to = p.reorder ? blocked.as<void>() : dw;
        p.main.run(stream, cache.queue, {args.x.data, args.dy.data, to});
        if (p.reorder) p.reorder->run(stream, cache.queue, {to, dw});
    });
}

}

// y = b + sum x w
void Convolution::conv2d_forward(Stream& s, const Conv2dForward& args) const {
    if (args.y.count() == 0) return;
    if (args.x.count() == 0 || args.w.count() == 0) return write_bias(args);
    CpuStream& stream = cpu_stream(s);
    if (suits_winograd(stream, args.x.shape, args.w.shape, args.geometry, args.x.dtype))
        return winograd_forward(stream, args);
    const auto text = [&] {
        return fmt::format("conv2d_forward x {} w {} y {}", args.x.shape.str(), args.w.shape.str(), args.y.shape.str());
    };
    onednn_call(stream, text, [&] {
        PrimitiveCache& cache = *stream.primitives;
        const bool has_bias = static_cast<bool>(args.bias);
        const DType type = args.x.dtype;
        const PrimitiveCache::Key key =
            key_of(forward, args.x.shape, args.w.shape, args.geometry, type, type, has_bias);
        WeightedPrimitive& p = cache.get(key, [&] {
            return make_forward({args.x.shape, args.w.shape, args.y.shape, args.geometry, {type, type, type}, has_bias},
                                cache.engine);
        });
        const Scratch blocked(stream, p.reorder ? p.weight_bytes : 0);
        if (p.reorder) p.reorder->run(stream, cache.queue, {args.w.data, blocked.as<void>()});
        const void* w = p.reorder ? blocked.as<void>() : args.w.data;
        if (args.bias)
            p.main.run(stream, cache.queue, {args.x.data, w, args.y.data, args.bias.data});
        else
            p.main.run(stream, cache.queue, {args.x.data, w, args.y.data});
    });
}

// dx = sum dy w, dw = sum dy x
void Convolution::conv2d_backward(Stream& s, const Conv2dBackward& args) const {
    CpuStream& stream = cpu_stream(s);
    const bool is_empty = args.x.count() == 0 || args.w.count() == 0 || args.dy.count() == 0;
    if (is_empty) {
        write_zeros(args.dx);
        write_zeros(args.dw);
        return;
    }
    const auto text = [&] {
        return fmt::format("conv2d_backward x {} w {} dy {}", args.x.shape.str(), args.w.shape.str(),
                           args.dy.shape.str());
    };
    onednn_call(stream, text, [&] {
        const bool suits = suits_winograd(stream, args.x.shape, args.w.shape, args.geometry, args.x.dtype);
        if (args.dx && suits)
            winograd_data(stream, args);
        else if (args.dx)
            write_data_gradient(stream, args);
        if (args.dw && !(suits && winograd_weight(stream, args))) write_weight_gradient(stream, args);
    });
}

}
