// The selection against the published numbers of imbalance_vectors.h and of the list in the shared data.
#include "tests/data/imbalance_vectors.h"
#include "data/imbalance.h"
#include "tests/data/fixtures.h"

#include <fstream>
#include <numeric>
#include <sstream>

using namespace bkd;
using namespace bkd::test;

namespace {

std::vector<std::int32_t> counting(std::int32_t n) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(n));
    std::iota(values.begin(), values.end(), 0);
    return values;
}

Dataset labels_in_turn(std::int64_t classes, std::int64_t n) {
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < n; ++i) labels.push_back(static_cast<std::int32_t>(i % classes));
    return labelled(std::move(labels), classes);
}

Dataset real_labels(std::int64_t classes) {
    const std::string name = classes == 10 ? "cifar10-train-labels.bin" : "cifar100-train-fine-labels.bin";
    std::vector<std::int32_t> labels;
    for (const std::byte b : read_file(shared_file(name), 1 << 20)) labels.push_back(std::to_integer<std::int32_t>(b));
    return labelled(std::move(labels), classes);
}

template <class T>
std::vector<T> first(const std::vector<T>& values, std::size_t n) {
    return {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(std::min(n, values.size()))};
}
template <class T>
std::vector<T> last(const std::vector<T>& values, std::size_t n) {
    return {values.end() - static_cast<std::ptrdiff_t>(n), values.end()};
}

}

TEST_CASE("the stream is MT19937 as seeded by NumPy") {
    std::mt19937 zero(0), standard(5489);
    for (const std::uint32_t expected :
         {2357136044u, 2546248239u, 3071714933u, 3626093760u, 2588848963u, 3684848379u, 2340255427u, 3638918503u})
        CHECK(zero() == expected);
    CHECK(standard() == 3499211612u);
}

TEST_CASE("a shuffle gives NumPy's order and takes as many numbers") {
    for (const ShuffleVector& vector : shuffle_vectors) {
        CAPTURE(vector.n);
        std::vector<std::int32_t> values = counting(vector.n);
        std::mt19937 generator(vector.seed), counted(vector.seed);
        shuffle_as_numpy(values, generator);
        CHECK(first(values, vector.first.size()) == vector.first);
        CHECK(last(values, 4) == vector.last);
        CHECK(index_fingerprint(values) == vector.sha256);
        counted.discard(vector.draws);
        CHECK(generator == counted);
    }
}

TEST_CASE("classes are shuffled one after another from one stream") {
    struct Turn {
        int turn;
        std::vector<std::int32_t> first;
        std::uint64_t draws;
    };
    const auto check = [](std::int32_t n, const std::vector<Turn>& turns, std::uint32_t next) {
        std::mt19937 generator(0), counted(0);
        int turn = 0;
        for (const Turn& expected : turns) {
            std::vector<std::int32_t> values;
            for (; turn <= expected.turn; ++turn) shuffle_as_numpy(values = counting(n), generator);
            CHECK(first(values, expected.first.size()) == expected.first);
            counted.seed(0);
            counted.discard(expected.draws);
            CHECK(generator == counted);
        }
        CHECK(generator() == next);
    };
    check(5000,
          {{0, {398, 3833, 4836, 4572, 636, 2545}, 7354},
           {1, {597, 332, 521, 3935, 4800, 1102}, 14693},
           {2, {3488, 1136, 3494, 2945, 4518, 4011}, 22021},
           {5, {4127, 1152, 4595, 4590, 2270, 492}, 44010},
           {8, {1905, 4623, 1694, 4227, 2715, 3889}, 65790},
           {9, {2204, 3816, 2206, 2507, 1926, 4765}, 73082}},
          3131438006u);
    check(500,
          {{0, {90, 254, 283, 445, 461, 15, 316, 489}, 684},
           {1, {277, 307, 436, 88, 261, 57, 413, 459}, 1360},
           {2, {52, 34, 347, 492, 196, 233, 487, 246}, 2046},
           {3, {18, 162, 199, 186, 406, 493, 80, 24}, 2709},
           {99, {348, 153, 363, 361, 299, 353, 338, 99}, 69324}},
          339816527u);
}

TEST_CASE("counts of every published ratio") {
    for (const CountVector& vector : long_tailed_counts) {
        const std::vector<std::int64_t> counts =
            imbalanced_counts(Imbalance::long_tailed, vector.ratio, 50000 / vector.classes, vector.classes);
        CHECK(counts == vector.counts);
        CHECK(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) == vector.total);
    }
    for (const auto& [ratio, few, fewest] : {std::tuple{10.0, 500, 50}, {50.0, 100, 10}, {100.0, 50, 5}}) {
        std::vector<std::int64_t> ten(10, 5000), hundred(100, 500);
        std::fill(ten.begin() + 5, ten.end(), few);
        std::fill(hundred.begin() + 50, hundred.end(), fewest);
        CHECK(imbalanced_counts(Imbalance::step, ratio, 5000, 10) == ten);
        CHECK(imbalanced_counts(Imbalance::step, ratio, 500, 100) == hundred);
    }
    CHECK(imbalanced_counts(Imbalance::long_tailed, 100, 6000, 10) ==
          std::vector<std::int64_t>{6000, 3596, 2156, 1292, 774, 464, 278, 166, 100, 60});
    CHECK(imbalanced_counts(Imbalance::long_tailed, 100, 17291, 4) == std::vector<std::int64_t>{17291, 3725, 802, 172});
}

TEST_CASE("selections from labels in turn have the published fingerprints") {
    for (const SelectionVector& vector : selection_vectors) {
        CAPTURE(vector.index_fingerprint);
        const Dataset set = labels_in_turn(vector.classes, 50000);
        const std::vector<std::int32_t> selection =
            select_subset(set, {.kind = parse_imbalance(vector.kind), .ratio = vector.ratio});
        CHECK(index_fingerprint(selection) == vector.index_fingerprint);
        CHECK(position_fingerprint(set, selection) == vector.position_fingerprint);
        CHECK(first(selection, 3) == (vector.classes == 10 ? std::vector<std::int32_t>{3980, 38330, 48360}
                                                           : std::vector<std::int32_t>{9000, 25400, 28300}));
    }
}

TEST_CASE("selections from labels in blocks, of another seed, and of four classes have the published fingerprints") {
    const SubsetOptions hundred{.kind = Imbalance::long_tailed, .ratio = 100};
    CHECK(index_fingerprint(select_subset(with_counts(std::vector<std::int64_t>(10, 5000)), hundred)) ==
          "c03f850899e48c688249d26e66744da54db7d4b783f68d3795f46b83572d3998");
    CHECK(index_fingerprint(select_subset(with_counts(std::vector<std::int64_t>(100, 500)), hundred)) ==
          "fe61b6ae641a619be11c474ae1da05b3e676fbcf27d41ee4cbe1253d633ba9f5");
    CHECK(index_fingerprint(
              select_subset(labels_in_turn(10, 50000), {.kind = Imbalance::long_tailed, .ratio = 100, .seed = 1})) ==
          "586f750bc39647b50b0a922a40166519c5d10958ad12e565d9d0ec8ecf8ac02d");
    const Dataset news = labels_in_turn(4, 120000);
    const std::vector<std::int64_t> counts = {30000, 6463, 1392, 300};
    CHECK(imbalanced_counts(Imbalance::long_tailed, 100, 30000, 4) == counts);
    CHECK(position_fingerprint(news, select_subset(news.labels, counts, 0)) ==
          "7b8c67458c4dab135143caba29628756114f9aa070eb0aa7feb11a6ba5bcd1f0");
}

TEST_CASE("selections from the real CIFAR labels have the published fingerprints") {
    BKD_NEEDS_SHARED("cifar10-train-labels.bin");
    for (const RealVector& vector : real_vectors) {
        CAPTURE(vector.index_fingerprint);
        const Dataset set = real_labels(vector.classes);
        const std::vector<std::int32_t> selection =
            select_subset(set, {.kind = parse_imbalance(vector.kind), .ratio = vector.ratio});
        CHECK(index_fingerprint(selection) == vector.index_fingerprint);
        CHECK(last(selection, 3) == vector.last);
        for (const SelectionVector& other : selection_vectors)
            if (other.classes == vector.classes && other.kind == vector.kind && other.ratio == vector.ratio)
                CHECK(position_fingerprint(set, selection) == other.position_fingerprint);
    }
}

// paper: section 5.1
TEST_CASE("every selection of the shared list comes out: total, sum, fingerprint, first and last 16") {
    BKD_NEEDS_SHARED("long-tail-selection-vectors.tsv");
    std::ifstream list(shared_file("long-tail-selection-vectors.tsv"));
    std::string line;
    std::getline(list, line);  // names of the columns
    int checked = 0;
    while (std::getline(list, line)) {
        CAPTURE(line);
        std::istringstream fields(line);
        std::string name, kind, hash;
        double factor = 0;
        std::uint32_t seed = 0;
        std::int64_t total = 0, sum = 0;
        fields >> name >> kind >> factor >> seed >> total >> sum >> hash;
        if (name == "fashion-mnist") continue;  // its labels come with a package: below
        const std::vector<std::int32_t> selection = select_subset(
            real_labels(name == "cifar10" ? 10 : 100),
            {.kind = kind == "exp" ? Imbalance::long_tailed : Imbalance::step, .ratio = 1 / factor, .seed = seed});
        CHECK(static_cast<std::int64_t>(selection.size()) == total);
        CHECK(std::accumulate(selection.begin(), selection.end(), std::int64_t{0}) == sum);
        CHECK(index_fingerprint(selection) == hash);
        for (const std::vector<std::int32_t>& ends : {first(selection, 16), last(selection, 16)})
            for (const std::int32_t index : ends) {
                std::int32_t expected = -1;
                fields >> expected;
                CHECK(index == expected);
            }
        ++checked;
    }
    CHECK(checked == 20);
}
