#pragma once
// Where the program looks for the CUDA backend.
#include <string>
#include <vector>

namespace bkd::kernels::cuda {

// The files that may be the backend's shared object, in the order in which they are tried: beside the program, and
// where an installation has it.
std::vector<std::string> backend_paths();

// The first of them that exists; empty if none does.
std::string backend_path();

// The table of cuDNN's engines (plan_table.h) that is beside the backend, there or not; empty without a backend.
std::string plan_table_path();

// Whether an NVIDIA driver is at work here: asked before anything is loaded.
bool has_driver();

}
