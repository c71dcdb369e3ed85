#include "data/imbalance.h"

#include "data/dataset.h"
#include "tests/data/fixtures.h"

#include <algorithm>
#include <limits>
#include <set>

using namespace bkd;
using namespace bkd::test;

TEST_CASE("a smaller selection of a class is a prefix of a larger one, whatever ratio and kind") {
    const Dataset set = with_counts({50, 50, 50, 50});
    const auto part = [&](const SubsetOptions& options, std::int32_t label) {
        std::vector<std::int32_t> chosen;
        for (const std::int32_t index : select_subset(set, options))
            if (set.labels[static_cast<std::size_t>(index)] == label) chosen.push_back(index);
        return chosen;
    };
    const std::vector<std::int32_t> whole = part({.kind = Imbalance::long_tailed, .ratio = 1}, 3);
    CHECK(whole.size() == 50);
    for (const Imbalance kind : {Imbalance::long_tailed, Imbalance::step})
        for (const double ratio : {2.0, 5.0, 50.0}) {
            const std::vector<std::int32_t> less = part({.kind = kind, .ratio = ratio}, 3);
            CHECK(less.size() == static_cast<std::size_t>(50 / ratio));
            CHECK(std::equal(less.begin(), less.end(), whole.begin()));
        }
}

TEST_CASE("a ratio that is none, or leaves a class empty, is refused with the limit") {
    const auto refusal = [](double ratio) {
        return error_of([=] { imbalanced_counts(Imbalance::long_tailed, ratio, 500, 100); });
    };
    for (const double ratio :
         {0.0, 0.5, -3.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
        CHECK(contains(refusal(ratio), "E0304 "));
    CHECK(refusal(500).empty());
    CHECK(contains(refusal(501), "leaves class 99 without samples"));
    CHECK(contains(refusal(501), "a ratio of at most 500"));
    CHECK(contains(error_of([] { parse_imbalance("exp"); }), "one of: none, long_tailed, step"));
}

TEST_CASE("one class, and no imbalance, keep everything") {
    CHECK(imbalanced_counts(Imbalance::long_tailed, 10, 7, 1) == std::vector<std::int64_t>{7});
    CHECK(select_subset(with_counts({2, 1}), {.kind = Imbalance::none, .ratio = 100}) ==
          std::vector<std::int32_t>{0, 1, 2});
}

TEST_CASE("a held-out part is a share of every class, never a whole class, and keeps the order") {
    const Dataset set = with_counts({100, 10, 1});
    const std::vector<std::int32_t> selection = select_subset(set, SubsetOptions{});
    const HoldOut parts = hold_out(set, selection, 0.25, 7);
    std::vector<std::int64_t> held(3);
    for (const std::int32_t i : parts.validation)
        ++held[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(i)])];
    CHECK(held == std::vector<std::int64_t>{25, 3, 0});
    CHECK(parts.train.size() == 111 - 28);
    CHECK(std::ranges::is_sorted(parts.train));
    CHECK(std::ranges::is_sorted(parts.validation));
    CHECK(hold_out(set, selection, 0, 7).validation.empty());
    CHECK(hold_out(set, selection, 0.999, 7).train.size() == 3);
}

TEST_CASE("which samples are held out depends on the seed alone, and more of them include the fewer") {
    const Dataset set = with_counts({200, 200});
    const std::vector<std::int32_t> selection = select_subset(set, SubsetOptions{});
    const HoldOut some = hold_out(set, selection, 0.1, 1), more = hold_out(set, selection, 0.3, 1);
    CHECK(hold_out(set, selection, 0.1, 1).validation == some.validation);
    CHECK(hold_out(set, selection, 0.1, 2).validation != some.validation);
    CHECK(std::ranges::includes(more.validation, some.validation));
    std::vector<std::int32_t> reversed(selection.rbegin(), selection.rend());
    std::vector<std::int32_t> again = hold_out(set, reversed, 0.1, 1).validation;
    std::ranges::sort(again);
    CHECK(again == some.validation);
    CHECK(contains(error_of([&] { hold_out(set, selection, 1, 1); }), "E0304 "));
}

TEST_CASE("the byte fingerprint is over label and planar pixels, in the order of the selection") {
    ImageSet set;
    static_cast<Dataset&>(set) = labelled({1, 0}, 2);
    set.height = 1, set.width = 2, set.channels = 3;
    set.images = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const std::vector<std::int32_t> both = {1, 0};
    // sha256sum of the bytes 0 7 10 8 11 9 12, 1 1 4 2 5 3 6
    CHECK(byte_fingerprint(set, both) == "6b8372e27942ec38dca8f8bcfd1e1f1fd61445bce39fdfa010bf31b4af3e64a4");
}

TEST_CASE("Fashion-MNIST at ratio 100 is the published selection") {
    if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
        MESSAGE("skipped: the package dataset-fashion-mnist is not installed");
        return;
    }
    const ImageSet set = open_dataset("fashion_mnist", "auto", Split::train);
    const std::vector<std::int32_t> selection = select_subset(set, {.kind = Imbalance::long_tailed, .ratio = 100});
    CHECK(selection.size() == 14886);
    CHECK(index_fingerprint(selection) == "24c810e4ecc80cc89405bb441bbafd5acf31f772164a42b74b7773049be85447");
}
