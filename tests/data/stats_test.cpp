#include "data/stats.h"

#include "tests/data/fixtures.h"

#include <sstream>

using namespace bkd;
using namespace bkd::test;

namespace {

ImageSet tiny(const std::vector<std::int64_t>& counts) {
    ImageSet set;
    static_cast<Dataset&>(set) = with_counts(counts);
    set.name = "tiny";
    set.height = set.width = set.channels = 1;
    set.images.resize(set.labels.size());
    set.files.push_back({.path = "tiny.bin", .stored_bytes = 5, .unpacked_bytes = 9, .sha256 = "ab", .note = "odd"});
    return set;
}
DataStats stats(const ImageSet& set) { return stats_of(set, select_subset(set, SubsetOptions{})); }

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

}

TEST_CASE("counts, ratio, groups and fingerprints of a selection") {
    const ImageSet set = tiny({200, 50, 10});
    const DataStats result = stats(set);
    CHECK(result.counts == std::vector<std::int64_t>{200, 50, 10});
    CHECK(result.total == 260);
    CHECK(result.ratio == 20);
    CHECK(result.groups.of(Shot::few) == std::vector<std::int32_t>{2});
    const std::vector<std::int32_t> all = select_subset(set, SubsetOptions{});
    CHECK(result.index_fingerprint == index_fingerprint(all));
    CHECK(result.byte_fingerprint == byte_fingerprint(set, all));
    CHECK(stats(tiny({3, 0})).ratio == std::nullopt);
}

TEST_CASE("the chart's bars are as long as the counts, to a column in ASCII") {
    const std::vector<std::string> lines = lines_of(text_of(stats(tiny({200, 50, 10})), {.columns = 60}));
    CHECK(lines[0] == "tiny train: 260 samples, 3 classes");
    CHECK(lines[1] == "largest class 200, smallest 10, ratio 20");
    CHECK(lines[2] == "classes by training count: many 1 medium 1 few 1");
    CHECK(lines[3] == "  0 class0 200 " + std::string(45, '#'));
    CHECK(lines[4] == "  1 class1  50 " + std::string(11, '#'));  // 11.25
    CHECK(lines[5] == "  2 class2  10 " + std::string(2, '#'));   // 2.25
}

TEST_CASE("in UTF-8 the bars are true to an eighth of a column") {
    const std::vector<std::string> lines = lines_of(text_of(stats(tiny({200, 50, 1})), {.columns = 60, .utf8 = true}));
    CHECK(lines[4] == "  1 class1  50 ███████████▎");
    CHECK(lines[5] == "  2 class2   1 ▎");
}

TEST_CASE("more classes than rows are shown as runs of the falling counts") {
    std::vector<std::int64_t> counts(100);
    for (std::size_t c = 0; c < 100; ++c) counts[c] = static_cast<std::int64_t>(100 - c);
    const std::vector<std::string> lines = lines_of(text_of(stats(tiny(counts)), {.columns = 80, .rows = 20}));
    CHECK(contains(lines[3], "ranks 1-5"));
    CHECK(contains(lines[3], "100..96"));
    CHECK(contains(lines[22], "ranks 96-100"));
    CHECK(contains(lines[22], "5..1"));
    CHECK(lines[23] == "fingerprints (SHA-256)");
}

TEST_CASE("no line of the text is wider than the terminal, and names from files cannot steer it") {
    ImageSet set = tiny({5, 1});
    set.class_names[0] = "evil\x1b[2Jname";
    set.class_names[1] = std::string(300, 'n');
    const std::string text = text_of(stats(set), {.columns = 80});
    CHECK(text.find('\x1b') == std::string::npos);
    for (const std::string& line : lines_of(text)) CHECK(line.size() <= 80);
    CHECK(contains(text, "tiny.bin (5 bytes, 9 unpacked)"));
    CHECK(contains(text, "note: odd"));
}
