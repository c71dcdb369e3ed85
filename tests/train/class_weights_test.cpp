// Class weights against the golden numbers G6 to G9 of the specification, in f64 and as the bits of f32.
#include "train/class_weights.h"

#include "data/imbalance.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <numeric>

namespace bkd {
namespace {

const std::vector<std::int64_t> cifar10_100 = {5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50};

void check_close(std::span<const double> values, std::initializer_list<double> expected, double tolerance = 1e-11) {
    REQUIRE(values.size() == expected.size());
    std::size_t i = 0;
    for (const double e : expected) {
        CHECK(std::abs(values[i] - e) <= tolerance * std::abs(e));
        ++i;
    }
}

double raw(std::int64_t n, double beta = 0.9999) {
    return class_weights(std::vector{n}, {.beta = beta, .scale = WeightScale::none}).front();
}

}

// paper: Eq. 2
TEST_CASE("the raw effective number equals the published values for counts of 1 to 30000") {  // G6
    const std::vector<double> w = {raw(1),   raw(2),    raw(5),    raw(10),   raw(20),   raw(50),   raw(100),  raw(256),
                                   raw(500), raw(1000), raw(1280), raw(3000), raw(4980), raw(5000), raw(30000)};
    check_close(w, {1, 0.50002500125, 0.200040004, 0.10004500825, 0.0500475166258, 0.0200490416521, 0.010049583329,
                    0.00395626802591, 0.00205031666847, 0.00105078323529, 0.000832277365651, 0.000385813048854,
                    0.000254926324545, 0.000254139613855, 0.000105238742547});
    CHECK(raw(5) / raw(4980) == doctest::Approx(784.697321305).epsilon(1e-11));
    CHECK(raw(5) / raw(1280) == doctest::Approx(240.352570256).epsilon(1e-11));
    CHECK(raw(2) / raw(1000) == doctest::Approx(475.859325174).epsilon(1e-11));
}

TEST_CASE("weights of CIFAR-10-LT sum to the number of classes and have the public code's float32 bits") {  // G7
    check_close(class_weights(cifar10_100, {}),
                {0.0506113612164, 0.0768997946047, 0.121133872899, 0.195036665723, 0.318805373069, 0.52458985327,
                 0.868348941006, 1.44262727001, 2.40922305116, 3.99272381705});
    const std::vector<float> rounded = class_weights_at(0, cifar10_100, {});
    const std::uint32_t bits[] = {0x3d4f4ddc, 0x3d9d7da4, 0x3df81509, 0x3e47b7b1, 0x3ea33a75,
                                  0x3f064b85, 0x3f5e4c1e, 0x3fb8a803, 0x401a30b6, 0x407f88c9};
    for (std::size_t i = 0; i < rounded.size(); ++i) CHECK(std::bit_cast<std::uint32_t>(rounded[i]) == bits[i]);
    check_close(class_weights(cifar10_100, {.kind = WeightKind::inverse_frequency}),
                {0.0402364987866, 0.0671279592702, 0.112016978804, 0.186798973011, 0.311910843307, 0.519851405511,
                 0.867165922124, 1.44735607146, 2.42388546907, 4.02364987866});
    check_close(class_weights(cifar10_100, {.beta = 0.999}),  // G8c
                {0.181187006919, 0.189413744688, 0.215741898198, 0.272859392122, 0.378478812015, 0.560581277781,
                 0.868804143308, 1.38616480265, 2.25844950944, 3.68831941288});
    check_close(class_weights(cifar10_100, {.beta = 0.9}),  // G8a
                {0.999466264652, 0.999466264652, 0.999466264652, 0.999466264652, 0.999466264652, 0.999466264652,
                 0.999466264676, 0.999466700643, 0.999625472913, 1.00464397386});
}

TEST_CASE("a flatter tail has flatter weights: CIFAR-10-LT of ratio 50 and 10") {  // G7c, G7d
    const auto of_ratio = [](double ratio) {
        return class_weights(imbalanced_counts(Imbalance::long_tailed, ratio, 5000, 10), {});
    };
    check_close(of_ratio(50), {0.0890303473761, 0.126677866233, 0.185256851265, 0.276057333953, 0.416750808127,
                               0.634412667156, 0.969534076512, 1.48944729898, 2.29225647661, 3.52057627379});
    check_close(of_ratio(10), {0.292341252229, 0.358365585269, 0.444188453157, 0.55553967072, 0.699693255418,
                               0.885779196518, 1.12657043236, 1.43752394013, 1.8414830137, 2.3585152005});
}

// paper: Fig. 6
TEST_CASE("beta moves the weights of CIFAR-10-LT between uniform and the inverse frequency") {  // G8b, G8d
    check_close(class_weights(cifar10_100, {.beta = 0.99}),
                {0.783832483497, 0.783832483497, 0.783832494848, 0.78384809111, 0.785033610045, 0.800201387792,
                 0.868159055552, 1.04141460283, 1.38542927634, 1.98441651449});
    check_close(class_weights(cifar10_100, {.beta = 0.99999}),
                {0.0412092597989, 0.0680702866076, 0.112912092257, 0.187617578113, 0.312602739434, 0.520333477055,
                 0.867297994485, 1.44690374683, 2.4224497028, 4.02060312262});
}

TEST_CASE("weights of CIFAR-100-LT sum to 100, those of a step have two values") {  // G9a, G9b, G9c
    const auto counts = imbalanced_counts(Imbalance::long_tailed, 100, 500, 100);
    const std::vector<double> w = class_weights(counts, {});
    check_close(std::vector{w[0], w[49], w[99], w[99] / w[0]},
                {0.0448756601056, 0.430234320109, 4.37831256268, 97.5654185894});
    check_close(std::vector{std::accumulate(w.begin(), w.end(), 0.0)}, {100});
    const std::vector<double> inverse = class_weights(counts, {.kind = WeightKind::inverse_frequency});
    check_close(std::vector{inverse[0], inverse[49], inverse[99]}, {0.0438202228863, 0.429610028297, 4.38202228863});
    const std::vector<double> step = class_weights(imbalanced_counts(Imbalance::step, 100, 5000, 10), {});
    for (std::size_t i = 0; i < 5; ++i)
        check_close(std::vector{step[i], step[5 + i]}, {0.0250344623857, 1.97496553761});
}

TEST_CASE("weights are uniform before the epoch they are deferred to and the given ones from it on") {  // G9d
    const ClassWeightOptions deferred{.defer_until = 160};
    CHECK(class_weights_at(159, cifar10_100, deferred) == std::vector<float>(10, 1.0F));
    CHECK(class_weights_at(160, cifar10_100, deferred) == class_weights_at(0, cifar10_100, {}));
}

TEST_CASE("beta 0 is uniform, beta near 1 is the inverse frequency, and one image weighs 1") {  // invariant 10
    CHECK(class_weights(cifar10_100, {.beta = 0}) == std::vector<double>(10, 1.0));
    const auto en = class_weights(cifar10_100, {.beta = 1 - 1e-9});
    const auto inverse = class_weights(cifar10_100, {.kind = WeightKind::inverse_frequency});
    for (std::size_t i = 0; i < en.size(); ++i) CHECK(std::abs(en[i] / inverse[i] - 1) < 3e-6);
    CHECK(raw(1, 0.5) == 1.0);
    const auto largest = class_weights(cifar10_100, {.scale = WeightScale::max1});
    CHECK(largest.back() == 1.0);
}

TEST_CASE("a class without samples and a beta of 1 are refused by name") {
    CHECK_THROWS_WITH_AS(class_weights(std::vector<std::int64_t>{5, 0}, {}), doctest::Contains("class 1"), InputError);
    CHECK_THROWS_WITH_AS(raw(5, 1.0), doctest::Contains("weights.beta"), InputError);
    CHECK_THROWS_AS(raw(5, std::nan("")), InputError);
}

}
