#pragma once
// What the program and the CUDA backend's shared object know of each other: four names. Both are built from the same
// headers; kernel_interface, a digest of them, keeps a program from using the object of another build.
#include "kernels/backend.h"
#include "kernels/machine.h"

namespace bkd::kernels::cuda {

inline constexpr const char* object_name = "libbkd_cuda.so";
inline constexpr const char* interface_symbol = "bkd_cuda_interface";
inline constexpr const char* open_symbol = "bkd_cuda_open";
inline constexpr const char* describe_symbol = "bkd_cuda_describe";
inline constexpr const char* properties_symbol = "bkd_cuda_properties";

using InterfaceFunction = const char*();
using OpenFunction = Backend*(const Device& device, const BackendOptions& options);  // throws as open_backend does
using DescribeFunction = void(std::vector<Fact>& facts);
using PropertiesFunction = void(std::vector<std::string>& properties);  // throws as open_backend does

}
