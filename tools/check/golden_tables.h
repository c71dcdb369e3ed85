#pragma once
// The tables of golden ops, one a file.
#include "tools/check/golden.h"

#include <utility>
#include <vector>

namespace bkd {

using GoldenTable = std::vector<std::pair<std::string_view, GoldenOp>>;
const GoldenTable& golden_ops();
const GoldenTable& golden_losses();
const GoldenTable& golden_models();

}
