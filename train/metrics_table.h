#pragma once
// metrics.csv of a run's folder: one row for each epoch, in the order in which they ended (RFC 4180).
#include "train/stage_run.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

inline constexpr std::string_view metrics_header =
    "stage,epoch,step,loss,top1,top5,balanced,many,medium,few,eval_loss,learning_rate";

// `step` of the run. What was not evaluated, or has no images, is an empty field.
std::string metrics_row(const std::string& stage, std::int64_t step, const EpochReport& report);

struct MetricsRow {
    std::string line{}, stage{};  // the whole row, without its end; the stage's name
    std::int64_t epoch = 0, step = 0;
    double loss = 0;
};

// The complete rows; none where there is no file. InputError E0404 for a header or row of another kind.
std::vector<MetricsRow> read_metrics_table(const std::filesystem::path& path, const FileSystem& system);

}
