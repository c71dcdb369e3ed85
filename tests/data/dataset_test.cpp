#include "data/dataset.h"

#include "tests/data/fixtures.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace bkd;
using namespace bkd::test;

TEST_CASE("data sets are listed sorted, each with a title") {
    CHECK(std::ranges::is_sorted(datasets(), {}, &DatasetEntry::name));
    CHECK(datasets().size() >= 4);
    for (const DatasetEntry& entry : datasets()) CHECK(entry.title.size() > 20);
}

TEST_CASE("every data set that has files says what is missing in an empty folder") {
    const TemporaryFolder folder;
    for (const DatasetEntry& entry : datasets()) {
        if (entry.name == "synthetic" || entry.name == "toy") continue;
        for (const Split split : {Split::train, Split::test}) {
            const std::string error = error_of([&] { entry.open({.root = folder.path()}, split); });
            CHECK(contains(error, entry.name == "image_folder" ? "E0439 error[E0439]: no" : "E0501 "));
            CHECK(contains(error, "try:"));
        }
    }
}

TEST_CASE("every listed data set is described without a file: names, image size, normalisation") {
    for (const DatasetEntry& entry : datasets()) {
        const ImageSet set = describe_dataset(entry.name);
        CAPTURE(entry.name);
        CHECK(set.name == entry.name);
        CHECK(set.size() == 0);
        const bool is_pictures = set.short_side > 0;  // then its list says the classes
        CHECK((is_pictures ? set.classes() == 0 : set.classes() == 10 || set.classes() == 100));
        CHECK((is_pictures ? set.height == 224 : set.height == 16 || set.height == 28 || set.height == 32));
        CHECK(set.width == set.height);
        CHECK(set.mean.size() == static_cast<std::size_t>(set.channels));
        CHECK(set.deviation.size() == static_cast<std::size_t>(set.channels));
    }
    CHECK(contains(error_of([] { describe_dataset("cifar11"); }), "E0304 "));
}

TEST_CASE("the made set is the same everywhere, its classes alike in number and its images unlike") {
    const ImageSet train = open_dataset("synthetic", "nowhere", Split::train),
                   test = open_dataset("synthetic", "nowhere", Split::test);
    CHECK(class_counts(train.labels, 10) == std::vector<std::int64_t>(10, 40));
    CHECK(class_counts(test.labels, 10) == std::vector<std::int64_t>(10, 10));
    CHECK(train.images.size() == 400 * 32 * 32 * 3);
    CHECK(train.images == open_dataset("synthetic", "auto", Split::train).images);
    CHECK_FALSE(std::ranges::equal(train.image(0), test.image(0)));
    CHECK_FALSE(std::ranges::equal(train.image(0), train.image(10)));
}

TEST_CASE("the toy set is the same everywhere, and a rare class of its long tail has frequent ones for neighbours") {
    const ImageSet train = open_dataset("toy", "nowhere", Split::train),
                   test = open_dataset("toy", "nowhere", Split::test);
    CHECK(class_counts(train.labels, 10) == std::vector<std::int64_t>(10, 500));
    CHECK(class_counts(test.labels, 10) == std::vector<std::int64_t>(10, 100));
    CHECK(train.images == open_dataset("toy", "auto", Split::train).images);
    CHECK_FALSE(std::ranges::equal(train.image(0), test.image(0)));
    // The power spectrum knows no phase: that of a mean image of class 9 is nearer to those of 0 and 1 than to others.
    const auto spectrum = [&](std::int32_t label) {
        std::vector<double> power(16 * 16);
        for (std::int64_t n = label; n < 1000; n += 10)
            for (std::size_t u = 0; u < 16; ++u)
                for (std::size_t v = 0; v < 16; ++v) {
                    double re = 0, im = 0;
                    for (std::size_t i = 0; i < 16; ++i)
                        for (std::size_t j = 0; j < 16; ++j) {
                            const double angle = 2 * std::numbers::pi * static_cast<double>(u * i + v * j) / 16;
                            const double x = train.image(n)[i * 16 + j] - 128.0;
                            re += x * std::cos(angle), im += x * std::sin(angle);
                        }
                    power[u * 16 + v] += std::sqrt(re * re + im * im);
                }
        return power;
    };
    const auto distance = [](const std::vector<double>& a, const std::vector<double>& b) {
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    };
    const std::vector<double> rarest = spectrum(9);
    const double to_first = distance(rarest, spectrum(0)), to_second = distance(rarest, spectrum(1));
    for (std::int32_t c = 2; c < 9; ++c) CHECK(distance(rarest, spectrum(c)) > std::max(to_first, to_second));
}

TEST_CASE("an unknown name or split is answered with the known ones") {
    const std::string error = error_of([] { open_dataset("cifar11", "auto", Split::train); });
    CHECK(contains(error, "E0304 "));
    CHECK(contains(error, "unknown data set \"cifar11\""));
    CHECK(contains(error, "cifar10, cifar100, cifar10_lt100, fashion_mnist"));
    CHECK(contains(error_of([] { parse_split("dev"); }), "one of: train, test"));
    CHECK(parse_split("test") == Split::test);
}

TEST_CASE("a folder or FIFO in a file's place is refused and does not hang") {
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder.path() / "test_batch.bin");
    CHECK(contains(error_of([&] { open_dataset("cifar10", folder.path(), Split::test); }), "E0503 "));
}

TEST_CASE("taking samples keeps images, labels and names together") {
    ImageSet set;
    static_cast<Dataset&>(set) = labelled({0, 1, 1}, 2);
    set.height = 1, set.width = 2, set.channels = 1;
    set.images = {1, 2, 3, 4, 5, 6};
    const std::vector<std::int32_t> chosen = {2, 0};
    const ImageSet part = take(set, chosen);
    CHECK(part.images == std::vector<std::uint8_t>{5, 6, 1, 2});
    CHECK(part.labels == std::vector<std::int32_t>{1, 0});
    CHECK(part.class_names == set.class_names);
    CHECK(class_counts(part.labels, 2) == std::vector<std::int64_t>{1, 1});
}
