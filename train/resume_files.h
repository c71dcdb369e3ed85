#pragma once
// What a run's folder holds beside its checkpoints, held against the run before it is taken up again: another run's
// file must neither be added to nor be trained on, and what is gone is told.
#include "engine/model_file.h"
#include "train/run_record.h"

#include <string>
#include <vector>

namespace bkd {

struct RunFiles {
    RunLog log{};
    std::vector<std::string> warnings{};  // of what is gone
};

// InputError E1005 where log.jsonl or metrics.csv is another run's or none at all; E05nn where it cannot be read.
RunFiles check_run_files(const std::filesystem::path& run, const Json& facts, const FileSystem& system);

// E1005 where the log says that the run had checkpoints: without them it would begin again and replace its models.
void check_had_no_checkpoint(const RunLog& log, const std::filesystem::path& run);

// A model of an earlier stage of this run, or of its best epoch. E1005 where it is missing, or of another stage or
// recipe than any that run.json says the run was trained by; errors of read_model_file.
ModelFile read_run_model(const std::filesystem::path& run, const std::string& stage, const char* which,
                         const Json& facts, const FileSystem& system);

// Of recipe, log, table and the models of `results` (run.json's) those that are not there, by their paths in the folder.
std::vector<std::string> missing_files(const std::filesystem::path& run, const Json::Array& results);

}
