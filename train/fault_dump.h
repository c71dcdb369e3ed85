#pragma once
// What is left of a step with a number that is not finite: RUN/nonfinite/step.json, and batch.safetensors with the images
// as the network saw them ("images" [n, h, w, c] f32, "indices" and "labels" [n] i32).
#include "engine/file.h"
#include "engine/json.h"
#include "train/fault_search.h"

namespace bkd {

// Both files, written one after the other into `folder`, which is made if need be. E06nn.
void write_fault(const std::filesystem::path& folder, const std::string& stage, const FaultReport& report,
                 const FileSystem& system);

}
