// What a student is asked for: qtilde = omega phat / sum(omega phat), phat = softmax(zhat / T). It is read off the
// gradient of the distillation term, T (p - qtilde) / n, at a student who knows nothing: p = 1 / classes.
#include "tests/train/loss_fixture.h"

namespace bkd::test {
namespace {

// The target of each row of the teacher, [n, classes].
Numbers target_of(LossBench& b, const Numbers& teacher, std::size_t n, const Numbers& omega,
                  DistillationOptions options = {}) {
    options.ce_weight = 0;
    const Numbers nothing(teacher.size(), 0.0);
    Numbers target = distil(b, nothing, teacher, std::vector<std::int32_t>(n), options, omega).gradient;
    for (double& g : target)
        g = static_cast<double>(n) / static_cast<double>(teacher.size()) -
            static_cast<double>(n) * g / options.temperature;
    return target;
}

// Relative to each number in f64.
void check_target(const LossBench& b, const Numbers& got, const Numbers& expected) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        CAPTURE(i);
        CAPTURE(got[i]);
        CAPTURE(expected[i]);
        CHECK(std::abs(got[i] - expected[i]) <= (b.is_exact() ? 1e-11 * expected[i] + 1e-14 : 2e-6));
    }
}

void on_each_device_in_both_forms(const std::function<void(LossBench&, kernels::TargetMath)>& test) {
    for (const char* device : {"reference", "cpu"})
        for (const auto math : {kernels::TargetMath::log_domain, kernels::TargetMath::product}) {
            CAPTURE(device);
            CAPTURE(static_cast<int>(math));
            LossBench bench(device);
            test(bench, math);
        }
}

const std::vector<std::int64_t> cifar10_100 = {5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50};

}

TEST_CASE("a teacher that knows nothing asks for the class weights themselves") {  // G9e
    on_each_device_in_both_forms([](LossBench& b, kernels::TargetMath math) {
        check_target(b, target_of(b, Numbers(10, 0.0), 1, class_weights(cifar10_100, {}), {.target_math = math}),
                     {0.00506113612164, 0.00768997946047, 0.0121133872899, 0.0195036665723, 0.0318805373069,
                      0.052458985327, 0.0868348941006, 0.144262727001, 0.240922305116, 0.399272381705});
    });
}

// paper: Eq. 9, 10
TEST_CASE("a teacher 86 % sure of the largest class asks for 22 % of it and for 31 % of the rarest") {  // G9f
    on_each_device_in_both_forms([](LossBench& b, kernels::TargetMath math) {
        const Numbers sure = {8, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        Numbers others(10, 0.0157237278046);
        others[0] = 0.858486449758;
        check_target(b, target_of(b, sure, 1, {}, {.target_math = math}), others);
        check_target(b, target_of(b, sure, 1, class_weights(cifar10_100, {}), {.target_math = math}),
                     {0.217364686892, 0.0060490646223, 0.00952859014621, 0.0153419056675, 0.0250777562352,
                      0.0412651027086, 0.0683057592787, 0.113479439406, 0.189513457102, 0.314074237941});
    });
}

TEST_CASE("the target is the teacher's softened probabilities, and with weights their normalised product") {
    on_each_device_in_both_forms([](LossBench& b, kernels::TargetMath math) {
        struct Row {
            double temperature;
            Numbers plain, balanced;
        };
        for (const Row& row : {Row{1,
                                   {0.579258529941, 0.213097304289, 0.0783941172168, 0.129250048553},
                                   {0.104735359137, 0.19264992695, 0.141743894936, 0.560870818977}},
                               Row{2,
                                   {0.408700973388, 0.247889671014, 0.150352685696, 0.193056669901},
                                   {0.0524982748414, 0.159209066367, 0.193130360111, 0.595162298681}},
                               Row{4,
                                   {0.325455072596, 0.253464665392, 0.197398479888, 0.223681782123},
                                   {0.0364242287921, 0.14183608953, 0.220924115188, 0.600815566489}}}) {  // G11, G12
            const DistillationOptions options{.temperature = row.temperature, .target_math = math};
            check_target(b, target_of(b, t1, 1, {}, options), row.plain);
            check_target(b, target_of(b, t1, 1, w1, options), row.balanced);
        }
        check_target(
            b, target_of(b, tb, 3, w1, {.target_math = math}),  // of the batch in G18 and G19
            {0.0524982748414, 0.159209066367, 0.193130360111, 0.595162298681, 0.0191133174485, 0.0744273329798,
             0.470111750608, 0.436347598964, 0.0100931452032, 0.0832039159238, 0.0612180201867, 0.845484918686});
    });
}

TEST_CASE("a certain teacher's target holds in both forms: what underflows is 0, and no NaN") {  // G17
    on_each_device_in_both_forms([](LossBench& b, kernels::TargetMath math) {
        const Numbers omega = {0.01, 1, 1.99};
        const DistillationOptions options{.target_math = math};
        check_target(b, target_of(b, {-40, 40, 0}, 1, omega, options),
                     {4.24835423787e-20, 0.999999995898, 4.10169569183e-09});
        check_target(b, target_of(b, {80, 0, 0}, 1, omega, options), {1, 4.24835425529e-16, 8.45422496803e-16});
        check_target(b, target_of(b, {400, 0, 0}, 1, omega, options), {1, 1.38389652674e-85, 2.75395408821e-85});
    });
}

}
