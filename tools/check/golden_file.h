#pragma once
// Golden files: reference numbers for ops, in a safetensors file whose metadata holds a manifest of cases. Anyone may
// write one. Tensors are called <case>/<role>/<name>, role in, up, out or grad.
#include "engine/json.h"
#include "engine/safetensors.h"

namespace bkd {

// |actual - expected| <= rtol |expected| + mtol max|expected| + atol
struct GoldenTolerance {
    double rtol = 0, mtol = 0, atol = 0;
};

struct GoldenCase {
    std::string name, op, size, dtype;
    Json attributes;
    std::vector<std::string> in, up, optional;
    std::vector<std::pair<std::string, GoldenTolerance>> out, grad;
};

struct GoldenFile {
    SafeTensors file;
    std::vector<GoldenCase> cases;

    // InputError E0404 if the file is no golden file of version 1, E0411 if a tensor that the manifest names is
    // missing.
    static GoldenFile read(const std::filesystem::path& path);
    const StoredTensor& tensor(const GoldenCase& c, const char* role, const std::string& name) const;
};

}
