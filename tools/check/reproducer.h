#pragma once
// Reproducer: one case with its numbers in a safetensors file, so that any backend and later version runs it again:
// "tensor<k>.initial" what the k-th tensor started with (absent for outputs), "tensor<k>.want" and "tensor<k>.limit" in
// f64, "tensor<k>.got" (absent where the case crashed). Metadata: bkd.reproducer (schema, "1"), bkd.case (id), seed,
// kind, detail, attributes as JSON, device, version and commit.
#include "engine/safetensors.h"
#include "tools/check/case_record.h"

#include <filesystem>

namespace bkd {

// Writes `folder`/<op>-<seed>.safetensors, in place of an earlier one, and returns its path.
std::filesystem::path save_reproducer(const std::filesystem::path& folder, const CaseRecord& record,
                                      const kernels::CaseEvidence& evidence, const std::string& device);

struct Reproducer {
    std::string path, id;
    std::uint64_t seed = 0;  // of the case
    std::vector<kernels::HostTensor> initial, want;
};
// InputError E0403 to E0421 (no whole safetensors file), E0404 (no reproducer), E1006 (another schema).
Reproducer read_reproducer(const std::filesystem::path& path);

// Runs the case again on `tested`, against the numbers of the file. InputError E0404 if this program's table has no
// such case or has it with other tensors.
CaseRecord replay(const Reproducer& reproducer, Backend& tested, Backend& truth,
                  const std::vector<kernels::OpCases>& table, double tolerance_scale);

// The file's type for numbers of ours, and back: InputError E0409 for one that no op has.
ElementType element_type(DType dtype);
DType dtype_of_element(const SafeTensors& file, const StoredTensor& tensor);

}
