// Cases of kernels/pooling.h.
#include "kernels/cases/table.h"

namespace bkd::kernels {
namespace {

struct Layer {
    Shape x;
    Window window;
    Shape y() const { return pooling_shape(x, window); }
    std::string name() const {
        const auto& [kernel, stride, padding] = window;
        return fmt::format("{}_k{}x{}st{}x{}p{}x{}", text(x), kernel[0], kernel[1], stride[0], stride[1], padding[0],
                           padding[1]);
    }
    std::int64_t taps() const { return window.kernel[0] * window.kernel[1]; }
};
Layer square(const Shape& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding = 0) {
    return {x, {{kernel, kernel}, {stride, stride}, {padding, padding}}};
}
std::vector<Layer> windows() {
    std::vector<Layer> all{
        square({1, 1, 1, 1}, 1, 1),     square({2, 6, 6, 3}, 2, 2), square({2, 7, 5, 7}, 3, 2, 1),
        square({1, 5, 6, 8}, 3, 1, 1),  square({2, 8, 7, 9}, 2, 3), square({2, 4, 4, 16}, 4, 4),
        square({3, 9, 9, 17}, 3, 3, 1), square({0, 4, 4, 3}, 2, 2), square({2, 16, 16, 33}, 5, 2, 2)};
    all.push_back({{2, 5, 8, 5}, {{2, 3}, {1, 2}, {1, 1}}});
    all.push_back({{2, 9, 1, 6}, {{4, 1}, {3, 1}, {2, 0}}});
    return all;
}
Layer stem() { return square({32, 112, 112, 64}, 3, 2, 1); }  // ResNet-50's

struct Shortcut {
    Shape x;
    std::int64_t k, stride;
    Shape y() const { return {x[0], (x[1] + stride - 1) / stride, (x[2] + stride - 1) / stride, k}; }
    std::string name() const { return fmt::format("{}_k{}st{}", text(x), k, stride); }
};
std::vector<Shortcut> shortcuts() {
    return {{{2, 6, 4, 3}, 3, 2},   {{2, 5, 7, 3}, 8, 2},   {{1, 1, 1, 1}, 1, 1},
            {{2, 8, 8, 16}, 32, 2}, {{3, 4, 4, 5}, 6, 1},   {{2, 7, 7, 2}, 5, 3},
            {{0, 4, 4, 2}, 4, 2},   {{2, 9, 6, 17}, 33, 2}, {{1, 3, 3, 4}, 4, 5}};
}
std::vector<Shortcut> network_shortcuts() { return {{{128, 32, 32, 16}, 32, 2}, {{128, 16, 16, 32}, 64, 2}}; }

std::vector<Shape> images() {
    return {{2, 3, 5, 7},  {1, 1, 1, 1},  {3, 8, 8, 64}, {2, 7, 7, 9},
            {2, 4, 1, 16}, {5, 2, 3, 17}, {0, 4, 4, 3},  {1, 33, 31, 8}};
}
std::vector<Draw> draws() {
    return {normal(),  ties(),   Draw{"negative", Draw::Kind::normal, -1000, 1}, wide(), ramp(), onehot(),
            nan_one(), inf_one()};
}

// A NaN is above every number, and the first one of a window stays: seen with one alone and with several in a window.
std::vector<Draw> maxima_draws() {
    std::vector<Draw> all = draws();
    all.push_back(nan_some());
    all.push_back(huge());
    all.push_back(denormal());
    return all;
}

// Where the maximum of an output element was: some tap of its window inside the image.
std::int64_t index_in_window(const Layer& l, std::int64_t i, std::uint32_t word) {
    const Shape y = l.y();
    const std::int64_t out[] = {i / y[3] / y[2] % y[1], i / y[3] % y[2]};
    std::int64_t at[2];
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
        const std::int64_t start = out[axis] * l.window.stride[axis] - l.window.padding[axis];
        const std::int64_t first = std::max<std::int64_t>(start, 0),
                           end = std::min(start + l.window.kernel[axis], l.x[static_cast<int>(axis) + 1]);
        at[axis] = first + static_cast<std::int64_t>(axis == 0 ? word % 64 : word / 64 % 64) % (end - first);
    }
    return at[0] * l.x[2] + at[1];
}

MaxPoolForward max_pool(CaseMemory& m, const Layer& l, const Draw& from) {
    return {.x = m.input(l.x, from),
            .y = m.output(l.y(), exact()),
            .index = m.output_of(l.y(), DType::i32),
            .window = l.window};
}
MaxPoolBackward max_pool_backward(CaseMemory& m, const Layer& l, bool add, const Draw& from = normal()) {
    const View dy = m.input(l.y(), from);
    const View index =
        m.indices(l.y(), [&](std::int64_t i, std::uint32_t word) { return index_in_window(l, i, word); });
    const bool is_exact = from.kind == Draw::Kind::integers;
    return {.dy = dy,
            .index = index,
            .dx = m.result(l.x, is_exact ? exact() : tiled_sum(l.taps() + 1), add),
            .window = l.window};
}
AvgPoolForward avg_pool(CaseMemory& m, const Layer& l, const Draw& from, bool pad) {
    return {.x = m.input(l.x, from),
            .y = m.output(l.y(), tiled_sum(l.taps())),
            .window = l.window,
            .count_include_pad = pad};
}
AvgPoolBackward avg_pool_backward(CaseMemory& m, const Layer& l, bool pad, bool add, const Draw& from = normal()) {
    return {.dy = m.input(l.y(), from),
            .dx = m.result(l.x, tiled_sum(l.taps() + 1), add),
            .window = l.window,
            .count_include_pad = pad};
}
GlobalAvgPoolForward global_pool(CaseMemory& m, const Shape& x, const Draw& from) {
    return {.x = m.input(x, from), .y = m.output({x[0], x[3]}, tiled_sum(x[1] * x[2]))};
}
GlobalAvgPoolBackward global_pool_backward(CaseMemory& m, const Shape& x, bool add) {
    return {.dy = m.input({x[0], x[3]}), .dx = m.result(x, tiled_sum(2), add)};
}
ShortcutAForward shortcut(CaseMemory& m, const Shortcut& i, const Draw& from) {
    return {.x = m.input(i.x, from), .y = m.output(i.y(), exact()), .stride = i.stride};
}
ShortcutABackward shortcut_backward(CaseMemory& m, const Shortcut& i, bool add) {
    return {.dy = m.input(i.y()), .dx = m.result(i.x, add ? rounded(1) : exact(), add), .stride = i.stride};
}

const char* mark(bool add) { return add ? "_add" : ""; }

}

Cases<MaxPoolForward> cases(const MaxPoolForward*) {
    Cases<MaxPoolForward> all;
    for (const Layer& l : windows())
        for (const Draw& from : maxima_draws())
            all.add(l.name(), from, [=](CaseMemory& m) { return max_pool(m, l, from); });
    all.bench(stem().name(), [l = stem()](CaseMemory& m) { return max_pool(m, l, normal()); });
    return all;
}

Cases<MaxPoolBackward> cases(const MaxPoolBackward*) {
    Cases<MaxPoolBackward> all;
    for (const Layer& l : windows())
        for (const bool add : {false, true})
            all.add(l.name() + mark(add), normal(), [=](CaseMemory& m) { return max_pool_backward(m, l, add); });
    for (const Layer& l : windows())
        for (const Draw& from : {integers(), onehot(), nan_one()})
            all.add(l.name(), from, [=](CaseMemory& m) { return max_pool_backward(m, l, false, from); });
    all.bench(stem().name(), [l = stem()](CaseMemory& m) { return max_pool_backward(m, l, false); });
    return all;
}

Cases<AvgPoolForward> cases(const AvgPoolForward*) {
    Cases<AvgPoolForward> all;
    for (const Layer& l : windows())
        for (const bool pad : {true, false})
            for (const Draw& from : draws())
                all.add(l.name() + (pad ? "" : "_inside"), from,
                        [=](CaseMemory& m) { return avg_pool(m, l, from, pad); });
    all.bench(stem().name(), [l = stem()](CaseMemory& m) { return avg_pool(m, l, normal(), true); });
    return all;
}

Cases<AvgPoolBackward> cases(const AvgPoolBackward*) {
    Cases<AvgPoolBackward> all;
    for (const Layer& l : windows())
        for (const bool pad : {true, false})
            for (const bool add : {false, true})
                all.add(l.name() + (pad ? "" : "_inside") + mark(add), normal(),
                        [=](CaseMemory& m) { return avg_pool_backward(m, l, pad, add); });
    for (const Layer& l : windows())
        for (const Draw& from : {ramp(), onehot(), nan_one()})
            all.add(l.name(), from, [=](CaseMemory& m) { return avg_pool_backward(m, l, true, false, from); });
    all.bench(stem().name(), [l = stem()](CaseMemory& m) { return avg_pool_backward(m, l, true, false); });
    return all;
}

Cases<GlobalAvgPoolForward> cases(const GlobalAvgPoolForward*) {
    Cases<GlobalAvgPoolForward> all;
    for (const Shape& x : images())
        for (const Draw& from : draws()) all.add(text(x), from, [=](CaseMemory& m) { return global_pool(m, x, from); });
    all.bench("128x8x8x64", [](CaseMemory& m) { return global_pool(m, {128, 8, 8, 64}, normal()); });
    return all;
}

Cases<GlobalAvgPoolBackward> cases(const GlobalAvgPoolBackward*) {
    Cases<GlobalAvgPoolBackward> all;
    for (const Shape& x : images())
        for (const bool add : {false, true})
            all.add(text(x) + mark(add), normal(), [=](CaseMemory& m) { return global_pool_backward(m, x, add); });
    all.bench("128x8x8x64", [](CaseMemory& m) { return global_pool_backward(m, {128, 8, 8, 64}, false); });
    return all;
}

Cases<ShortcutAForward> cases(const ShortcutAForward*) {
    Cases<ShortcutAForward> all;
    all.legal = {{0, Spoil::empty}, {1, Spoil::extent}};  // no channel in, more out
    for (const Shortcut& i : shortcuts())
        for (const Draw& from : {normal(), ramp(), denormal(), nan_some()})
            all.add(i.name(), from, [=](CaseMemory& m) { return shortcut(m, i, from); });
    for (const Shortcut& i : network_shortcuts())
        all.bench(i.name(), [=](CaseMemory& m) { return shortcut(m, i, normal()); });
    return all;
}

Cases<ShortcutABackward> cases(const ShortcutABackward*) {
    Cases<ShortcutABackward> all;
    all.legal = {{0, Spoil::extent}, {1, Spoil::empty}};
    for (const Shortcut& i : shortcuts())
        for (const bool add : {false, true})
            all.add(i.name() + mark(add), normal(), [=](CaseMemory& m) { return shortcut_backward(m, i, add); });
    for (const Shortcut& i : network_shortcuts())
        all.bench(i.name(), [=](CaseMemory& m) { return shortcut_backward(m, i, false); });
    return all;
}

BKD_CASES_OF(pooling, Pooling, BKD_POOLING_OPS)

}
