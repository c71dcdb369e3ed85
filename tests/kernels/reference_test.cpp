// Layers, images and the optimizer of the reference backend against golden numbers computed with PyTorch in f64. The
// names G23 to G39 are theirs.
#include "tests/kernels/reference_memory.h"

#include <numeric>

namespace bkd::kernels {
namespace {

using test::check_close;
using test::Numbers;
using test::ReferenceMemory;

Numbers counting(std::size_t count, double first) {
    Numbers values(count);
    std::iota(values.begin(), values.end(), first);
    return values;
}

TEST_CASE("three steps of SGD with momentum, plain and Nesterov (G23)") {
    ReferenceMemory m;
    struct Step {
        Numbers grad, plain, plain_velocity, nesterov, nesterov_velocity;
    };
    const std::vector<Step> steps{
        {{0.5, 1}, {0.94998, -2.09996}, {0.5002, 0.9996}, {0.904962, -2.189924}, {0.5002, 0.9996}},
        {{-0.2, 0.3},
         {0.9249430004, -2.2198820008},
         {0.250369996, 1.199220008},
         {0.902411411444, -2.32780838289},
         {0.2503609924, 1.1992020152}},
        {{0.1, -0.4},
         {0.8923912019, -2.28776740388},
         {0.325517985, 0.6788540308},
         {0.863097879426, -2.3488552894},
         {0.325505375442, 0.678816252003}}};
    const ParameterGroup all{.begin = 0, .end = 2, .weight_decay = 2e-4};
    for (const bool nesterov : {false, true}) {
        const View param = m.of({2}, {1, -2}), velocity = m.of({2}, {0, 0});
        for (const Step& step : steps) {
            m.backend->optimizer().sgd_step(*m.stream, {.grad = m.of({2}, step.grad),
                                                        .param = param,
                                                        .velocity = velocity,
                                                        .learning_rate = m.of({1}, {0.1}),
                                                        .groups = {&all, 1},
                                                        .momentum = 0.9,
                                                        .nesterov = nesterov});
            check_close(m.read(param), nesterov ? step.nesterov : step.plain);
            check_close(m.read(velocity), nesterov ? step.nesterov_velocity : step.plain_velocity);
        }
    }
}

TEST_CASE("a parameter in no group is frozen, and a group has its own rate and decay") {
    ReferenceMemory m;
    const std::vector<ParameterGroup> groups{{.begin = 0, .end = 1, .learning_rate_factor = 10},
                                             {.begin = 2, .end = 3, .weight_decay = 0.5}};
    const View param = m.of({3}, {1, 1, 1});
    m.backend->optimizer().sgd_step(
        *m.stream,
        {.grad = m.of({3}, {1, 1, 1}), .param = param, .learning_rate = m.of({1}, {0.01}), .groups = groups});
    check_close(m.read(param), {0.9, 1, 0.985});
}

TEST_CASE("batch norm, its running statistics, its inference and its gradient (G27)") {
    ReferenceMemory m;
    const Numbers x{1, 2, 4, 8};
    const View input = m.of({4, 1}, x), one = m.of({1}, {1}), zero = m.of({1}, {0}), y = m.empty({4, 1});
    const View mean = m.empty({1}), rstd = m.empty({1}), running_mean = m.of({1}, {0}), running_var = m.of({1}, {1});
    const Normalization& normalization = m.backend->normalization();
    normalization.batch_norm_forward(*m.stream, {.x = input,
                                                 .gamma = one,
                                                 .beta = zero,
                                                 .y = y,
                                                 .mean = mean,
                                                 .rstd = rstd,
                                                 .running_mean = running_mean,
                                                 .running_var = running_var});
    check_close(m.read(y), {-1.0257545755, -0.652752911679, 0.0932504159542, 1.58525707122});
    check_close(m.read(running_mean), {0.375});
    check_close(m.read(running_var), {1.85833333333});

    const View inferred = m.empty({4, 1});
    normalization.batch_norm_inference(*m.stream, {.x = input,
                                                   .gamma = one,
                                                   .beta = zero,
                                                   .running_mean = running_mean,
                                                   .running_var = running_var,
                                                   .y = inferred});
    check_close(m.read(inferred), {0.458476458062, 1.19203879096, 2.65916345676, 5.59341278836});

    const View dx = m.empty({4, 1}), dgamma = m.empty({1}), dbeta = m.of({1}, {5});
    normalization.batch_norm_backward(*m.stream, {.dy = m.of({4, 1}, {1, 0, -1, 2}),
                                                  .x = input,
                                                  .gamma = one,
                                                  .mean = mean,
                                                  .rstd = rstd,
                                                  .dx = dx,
                                                  .dgamma = dgamma,
                                                  .dbeta = Out(dbeta, true)});
    check_close(m.read(dx), {0.382731868986, -0.0616265355861, -0.577341680914, 0.256236347514});
    check_close(m.read(dgamma), {2.05150915099});
    check_close(m.read(dbeta), {7});  // 2, added to the 5 that was there
}

TEST_CASE("batch norm with residual and ReLU stops the gradient where the sum is not positive") {
    ReferenceMemory m;
    const View x = m.of({2, 1}, {-1, 1}), gamma = m.of({1}, {2}), beta = m.of({1}, {0.5}), y = m.empty({2, 1});
    const View mean = m.empty({1}), rstd = m.empty({1}), residual = m.of({2, 1}, {1, 1});
    m.backend->normalization().batch_norm_forward(*m.stream, {.x = x,
                                                              .gamma = gamma,
                                                              .beta = beta,
                                                              .residual = residual,
                                                              .y = y,
                                                              .mean = mean,
                                                              .rstd = rstd,
                                                              .eps = 0,
                                                              .relu = true});
    check_close(m.read(y), {0, 3.5});  // max(-2 + 0.5 + 1, 0), 2 + 0.5 + 1
    const View dx = m.empty({2, 1}), dresidual = m.empty({2, 1}), dgamma = m.empty({1});
    m.backend->normalization().batch_norm_backward(*m.stream, {.dy = m.of({2, 1}, {10, 20}),
                                                               .x = x,
                                                               .y = y,
                                                               .gamma = gamma,
                                                               .mean = mean,
                                                               .rstd = rstd,
                                                               .dx = dx,
                                                               .dgamma = dgamma,
                                                               .dbeta = {},
                                                               .dresidual = dresidual,
                                                               .relu = true});
    check_close(m.read(dresidual), {0, 20});
    check_close(m.read(dgamma), {20});
    check_close(m.read(dx), {0, 0});  // 2 (2 g - 20 - xhat 20) / 2 with xhat = -1, 1
}

TEST_CASE("the cosine classifier sees directions alone (G28)") {
    ReferenceMemory m;
    const View x = m.of({1, 2}, {3, 4}), w = m.of({3, 2}, {1, 1, 0, -2, 2, 0}), y = m.empty({1, 3});
    const View x_norm = m.empty({1}), w_norm = m.empty({3});
    m.backend->matmul().cosine_linear_forward(*m.stream, {.x = x, .w = w, .y = y, .x_norm = x_norm, .w_norm = w_norm});
    check_close(m.read(y), {0.989949493661, -0.8, 0.6});
    check_close(m.read(x_norm), {5});
    m.backend->matmul().cosine_linear_forward(
        *m.stream, {.x = x, .w = w, .y = y, .x_norm = x_norm, .w_norm = w_norm, .scale = 30});
    check_close(m.read(y), {29.6984848098, -24, 18});
}

TEST_CASE("pixels are normalised as published for CIFAR and ImageNet (G30), alone and on the whole way") {
    ReferenceMemory m;
    const View pixels = m.bytes({1, 1, 3, 3}, {0, 0, 0, 128, 128, 128, 255, 255, 255});
    struct Published {
        Numbers mean, std, want;
    };
    for (const Published& p :
         {Published{{0.4914, 0.4822, 0.4465},
                    {0.2023, 0.1994, 0.2010},
                    {-2.42906574394, -2.41825476429, -2.22139303483, 0.0522035803941, 0.0991012252444, 0.275924300068,
                     2.51408798814, 2.59679037111, 2.75373134328}},
          Published{{0.485, 0.456, 0.406},
                    {0.229, 0.224, 0.225},
                    {-2.11790393013, -2.03571428571, -1.80444444444, 0.0740645603219, 0.205182072829, 0.426492374728,
                     2.24890829694, 2.42857142857, 2.64}}}) {
        const View mean = m.of({3}, p.mean), std = m.of({3}, p.std), y = m.empty({1, 1, 3, 3});
        m.backend->image().image_normalize(*m.stream, {.x = pixels, .mean = mean, .std = std, .y = y});
        check_close(m.read(y), p.want);
        m.backend->image().load_images(
            *m.stream, {.images = pixels, .index = m.integers({1}, {0}), .mean = mean, .std = std, .y = y});
        check_close(m.read(y), p.want);
    }
}

TEST_CASE("mixup of rows and of their labels (G31)") {
    ReferenceMemory m;
    const View partner = m.integers({3}, {2, 0, 1}), lambda = m.of({1}, {0.25}), y = m.empty({3, 2}),
               target = m.empty({3, 2});
    m.backend->image().mixup(*m.stream,
                             {.x = m.of({3, 2}, counting(6, 1)), .partner = partner, .mix_lambda = lambda, .y = y});
    check_close(m.read(y), {4, 5, 1.5, 2.5, 3.5, 4.5});
    m.backend->image().mix_targets(
        *m.stream, {.labels = m.integers({3}, {0, 1, 1}), .partner = partner, .mix_lambda = lambda, .target = target});
    check_close(m.read(target), {0.25, 0.75, 0.75, 0.25, 0, 1});
}

TEST_CASE("an image is padded, cut at its offset and mirrored, in one pass as step by step") {
    ReferenceMemory m;
    const View x = m.bytes({2, 2, 2, 1}, {1, 2, 3, 4, 5, 6, 7, 8}), offset = m.integers({2, 2}, {0, 1, 2, 0});
    const View flip = m.bytes({2}, {0, 1}), cut = m.bytes({2, 2, 2, 1}, std::vector<std::uint8_t>(8));
    m.backend->image().crop_flip(*m.stream, {.x = x, .offset = offset, .flip = flip, .y = cut, .padding = 1});
    CHECK(m.read<std::uint8_t>(cut) == std::vector<std::uint8_t>{0, 0, 1, 2, 7, 0, 0, 0});
    const View mean = m.of({1}, {0}), std = m.of({1}, {1.0 / 255}), y = m.empty({2, 2, 2, 1});
    m.backend->image().load_images(*m.stream, {.images = x,
                                               .index = m.integers({2}, {0, 1}),
                                               .offset = offset,
                                               .flip = flip,
                                               .partner = m.integers({2}, {1, 1}),
                                               .mix_lambda = m.of({2}, {0.5, 0.25}),
                                               .mean = mean,
                                               .std = std,
                                               .y = y,
                                               .padding = 1});
    check_close(m.read(y), {3.5, 0, 0.5, 1, 7, 0, 0, 0});
}

TEST_CASE("shortcut A takes every second pixel and adds channels of zeros on both sides (G33)") {
    ReferenceMemory m;
    const View y = m.empty({1, 2, 2, 3});
    m.backend->pooling().shortcut_a_forward(*m.stream, {.x = m.of({1, 4, 4, 1}, counting(16, 0)), .y = y});
    check_close(m.read(y), {0, 0, 0, 0, 2, 0, 0, 8, 0, 0, 10, 0});
    const View dx = m.of({1, 4, 4, 1}, Numbers(16, 1));
    m.backend->pooling().shortcut_a_backward(*m.stream, {.dy = y, .dx = Out(dx, true)});
    check_close(m.read(dx), {1, 1, 3, 1, 1, 1, 1, 1, 9, 1, 11, 1, 1, 1, 1, 1});
}

TEST_CASE("a text filter is a convolution of width 1, then ReLU and maximum over time (G36)") {
    ReferenceMemory m;
    const View x = m.of({1, 4, 1, 2}, {1, 2, 0, -1, 3, 0, -2, 1}), w = m.of({1, 3, 1, 2}, {1, 0, 0, 2, -1, 1});
    const View y = m.empty({1, 2, 1, 1}), top = m.empty({1, 1}), index = m.integers({1, 1}, {-1});
    m.backend->convolution().conv2d_forward(*m.stream, {.x = x, .w = w, .bias = m.of({1}, {0.5}), .y = y});
    check_close(m.read(y), {-3.5, 3.5});
    m.backend->activation().relu_forward(*m.stream, {.x = y, .y = y});
    m.backend->sequence().max_over_time_forward(*m.stream, {.x = y.reshaped({1, 2, 1}), .y = top, .index = index});
    check_close(m.read(top), {3.5});
    CHECK(m.read<std::int32_t>(index) == std::vector<std::int32_t>{1});
}

TEST_CASE("a convolution with padding and stride, and a maximum that padding never wins (G39)") {
    ReferenceMemory m;
    const View x = m.of({1, 4, 4, 1}, counting(16, 1)), w = m.of({1, 3, 3, 1}, {1, 0, -1, 2, 0, -2, 1, 0, -1});
    const View half = m.empty({1, 2, 2, 1}), full = m.empty({1, 4, 4, 1});
    const Convolution& convolution = m.backend->convolution();
    convolution.conv2d_forward(*m.stream,
                               {.x = x, .w = w, .y = half, .geometry = {.stride = {2, 2}, .padding = {1, 1}}});
    check_close(m.read(half), {-10, -6, -40, -8});
    convolution.conv2d_forward(*m.stream, {.x = x, .w = w, .y = full, .geometry = {.padding = {1, 1}}});
    check_close(m.read(full), {-10, -6, -6, 13, -24, -8, -8, 28, -40, -8, -8, 44, -38, -6, -6, 41});

    Numbers negated = counting(16, 1);
    for (double& value : negated) value = -value;
    const View y = m.empty({1, 2, 2, 1}), index = m.integers({1, 2, 2, 1}, {-1, -1, -1, -1});
    const Window window{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
    m.backend->pooling().max_pool_forward(*m.stream,
                                          {.x = m.of({1, 4, 4, 1}, negated), .y = y, .index = index, .window = window});
    check_close(m.read(y), {-1, -2, -5, -6});
    CHECK(m.read<std::int32_t>(index) == std::vector<std::int32_t>{0, 1, 4, 5});
}

TEST_CASE("the gradients of a grouped, uneven convolution are its difference quotients") {
    ReferenceMemory m;
    const Shape x{2, 5, 4, 4}, w{6, 3, 2, 2};
    const ConvolutionGeometry geometry{.stride = {2, 1}, .padding = {1, 0}, .groups = 2};
    const Shape y = convolution_shape(x, w, geometry);
    const auto wave = [](const Shape& shape, double rate) {
        Numbers values(static_cast<std::size_t>(shape.count()));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(rate * static_cast<double>(i + 1));
        return values;
    };
    const Numbers xs = wave(x, 1), ws = wave(w, 2), upstream = wave(y, 3);
    const View out = m.empty(y);
    const auto loss = [&](const Numbers& images, const Numbers& weights) {
        m.backend->convolution().conv2d_forward(
            *m.stream, {.x = m.of(x, images), .w = m.of(w, weights), .y = out, .geometry = geometry});
        const Numbers values = m.read(out);
        return std::inner_product(values.begin(), values.end(), upstream.begin(), 0.0);
    };
    const View dx = m.empty(x), dw = m.empty(w), dy = m.of(y, upstream);
    m.backend->convolution().conv2d_backward(
        *m.stream, {.x = m.of(x, xs), .w = m.of(w, ws), .dy = dy, .dx = dx, .dw = dw, .geometry = geometry});
    const auto quotients = [&](Numbers values, auto&& at) {
        Numbers result;
        for (double& value : values) {
            const double middle = value;
            value = middle + 0.5;
            const double up = at(values);
            value = middle - 0.5;
            result.push_back(up - at(values));
            value = middle;
        }
        return result;  // exact: the loss is linear in each
    };
    check_close(m.read(dx), quotients(xs, [&](const Numbers& images) { return loss(images, ws); }));
    check_close(m.read(dw), quotients(ws, [&](const Numbers& weights) { return loss(xs, weights); }));
}

TEST_CASE("bf16 rounds to the nearest even, through overflow to infinity") {
    ReferenceMemory m;
    const View bits{m.backend->pool().take(12).data, {6}, DType::bf16, m.backend->device};
    const View back = m.empty({6});
    const Numbers x{1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-8 + 0x1p-40, -0.0, 3.4e38, 1e39};
    m.backend->elementwise().cast(*m.stream, {.x = m.of({6}, x), .y = bits});
    m.backend->elementwise().cast(*m.stream, {.x = bits, .y = back});
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(m.read(back) == Numbers{1, 1 + 0x1p-6, 1 + 0x1p-7, 0, infinity, infinity});
}

}
}
