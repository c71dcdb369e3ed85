// A program that embeds the engine: a network of its own, trained on the made data set `synthetic` and then put into
// its inference form. Built against an installed bkd, outside of its source tree (CMakeLists.txt beside this file).
#include "data/dataset.h"
#include "engine/layers/conv_norm.h"
#include "engine/layers/linear.h"
#include "engine/ops/image.h"
#include "engine/ops/loss.h"
#include "engine/ops/pooling.h"
#include "engine/optimizer/sgd.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>

using namespace bkd;

// images [n, 32, 32, 3] -> logits [n, classes]: two convolutions with batch norm and ReLU, mean over pixels, linear
struct TinyNet {
    explicit TinyNet(std::int64_t classes) : linear(parameters, "linear", 32, classes, Init::normal(0.25)) {}

    Parameters parameters;
    ConvNorm first{parameters, "conv1", "bn1", {.in = 3, .out = 16, .stride = 2, .padding = 1}};
    ConvNorm second{parameters, "conv2", "bn2", {.in = 16, .out = 32, .stride = 2, .padding = 1}};
    Linear linear;

    Tensor operator()(Context& ctx, const Tensor& images) const {
        return linear(ctx, global_avg_pool(ctx, second(ctx, first(ctx, images))));
    }
};

Tensor load(Context& ctx, const ImageSet& set) {
    const Tensor pixels = ctx.upload({set.size(), set.height, set.width, set.channels}, std::span(set.images));
    return image_normalize(ctx, pixels, ctx.upload({set.channels}, set.mean),
                           ctx.upload({set.channels}, set.deviation));
}

int main() {
    const ImageSet train = open_dataset("synthetic", "auto", Split::train);
    const ImageSet test = open_dataset("synthetic", "auto", Split::test);
    Runtime runtime(Device::parse("cpu"), {.threads = 1});  // work this small gains nothing from more
    Tape tape;
    Context training(runtime, &tape, /*training=*/true), plain(runtime);

    TinyNet network(train.classes());
    network.parameters.materialise(plain, /*seed=*/1, "tiny");
    Sgd optimizer(plain, network.parameters, {.momentum = 0.9, .weight_decay = 1e-4});
    const Tensor learning_rate = plain.full({1}, 0.05);

    std::vector<std::int32_t> order(train.labels.size());
    std::iota(order.begin(), order.end(), 0);
    std::mt19937 shuffle(1);
    constexpr std::size_t batch_size = 40;
    for (int epoch = 0; epoch < 4; ++epoch) {
        std::ranges::shuffle(order, shuffle);
        for (std::size_t at = 0; at + batch_size <= order.size(); at += batch_size) {
            const ImageSet batch = take(train, std::span(order).subspan(at, batch_size));
            const Tensor labels = plain.upload({batch.size()}, std::span<const std::int32_t>(batch.labels));
            network.parameters.begin_step();
            const Tensor loss = cross_entropy(training, network(training, load(plain, batch)), {.labels = labels});
            tape.backward(plain, loss);
            optimizer.step(plain, learning_rate);
        }
    }

    network.first.fold(plain);
    network.second.fold(plain);
    const std::vector<float> logits = plain.download_f32(network(plain, load(plain, test)));
    int right = 0;
    for (std::size_t i = 0; i < test.labels.size(); ++i) {
        const auto row = std::span(logits).subspan(i * 10, 10);
        right += std::ranges::max_element(row) - row.begin() == test.labels[i];
    }
    std::printf("%d of %zu right\n", right, test.labels.size());
    return right >= 70 ? 0 : 1;
}
