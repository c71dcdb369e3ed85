// The paper's cells are found by what decides them, and only where the paper has one.
#include "train/paper_cells.h"

#include <doctest/doctest.h>

namespace bkd {

// paper: Table 1, 2, 7
TEST_CASE("a run's cell is that of its data, law, ratio, method and mixing") {
    const auto top1 = [](const PaperSetting& setting) {
        const std::optional<PaperCell> cell = paper_cell(setting);
        return cell ? cell->top1 : -1;
    };
    CHECK(top1({"cifar10", "resnet32", "bkd", "long_tailed", 100, true}) == 82.5);
    CHECK(top1({"cifar10", "resnet32", "bkd", "long_tailed", 100, false}) == 81.7);
    CHECK(top1({"cifar10", "resnet32", "bkd", "step", 10, true}) == 89.5);
    CHECK(top1({"cifar10", "resnet32", "bkd", "step", 10, false}) == -1);
    CHECK(top1({"cifar10", "resnet32", "kd", "long_tailed", 50, true}) == 78.6);
    CHECK(top1({"cifar100", "resnet32", "ce", "long_tailed", 50, false}) == 43.9);
    CHECK(top1({"cifar100", "resnet32", "cb", "step", 100, false}) == 23.3);
    CHECK(paper_cell({"cifar100", "resnet32", "bkd", "long_tailed", 10, true})->table == "Table 1");
    CHECK(paper_cell({"cifar10", "resnet32", "bkd", "long_tailed", 10, false})->table == "Table 7");
}

TEST_CASE("the packed cut of CIFAR-10 is the cell of its name; other settings have none") {
    CHECK(paper_cell({"cifar10_lt100", "resnet32", "ce", "none", 100, false})->top1 == 70.4);
    CHECK_FALSE(paper_cell({"cifar10", "resnet32", "ce", "none", 100, false}));
    CHECK_FALSE(paper_cell({"cifar10", "resnet20", "ce", "long_tailed", 100, false}));
    CHECK_FALSE(paper_cell({"cifar10", "resnet32", "ce", "long_tailed", 20, false}));
    CHECK_FALSE(paper_cell({"fashion_mnist", "resnet32", "ce", "long_tailed", 100, false}));
    CHECK_FALSE(paper_cell({"cifar10", "resnet32", "ce", "long_tailed", 100, true}));
}

}
