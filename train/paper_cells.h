#pragma once
// Cells of the tables of "Balanced knowledge distillation for long-tailed learning" (Zhang, Chen, Hu, Peng;
// Neurocomputing 2023) that runs of this program stand beside: top-1 in percent, single runs of 200 epochs.
#include <optional>
#include <string>
#include <string_view>

namespace bkd {

// What decides the cell of a run. Words as in recipes.
struct PaperSetting {
    std::string data{}, network{}, method{};
    std::string imbalance{};  // "long_tailed", "step"
    double ratio = 0;         // n_max / n_min
    bool mixes = false;       // mixup in the last stage
};

struct PaperCell {
    double top1 = 0;
    std::string_view table{};  // "Table 2"
};

// No value where the paper has none.
std::optional<PaperCell> paper_cell(const PaperSetting& setting);

inline constexpr int paper_epochs = 200;

}
