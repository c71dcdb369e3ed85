// The program's side of the CUDA backend: a shared object, opened when a device is asked for. So starting on the CPU
// takes no more time or memory than without CUDA, and one program serves machines with and without a GPU.
#include "kernels/cuda/entry.h"
#include "kernels/cuda/find.h"

#include <dlfcn.h>
#include <elf.h>
#include <fmt/ranges.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace bkd::kernels::cuda {
namespace {

[[noreturn]] void refuse(const Device& device, std::string what, std::string why, std::string try_) {
    throw InputError(
        {.id = 801, .what = std::move(what), .at = device.str(), .why = std::move(why), .try_ = std::move(try_)});
}

void* symbol(void* object, const char* name, const Device& device) {
    if (void* found = dlsym(object, name)) return found;
    refuse(device, fmt::format("{} has no {}", object_name, name), dlerror(), "a fresh build of program and backend");
}

// Whether a file that begins as a shared object ends where its header says: one that was cut short would kill the
// process once its missing pages are touched.
bool is_cut_short(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    Elf64_Ehdr header{};
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    if (!file || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;  // dlopen says what it is
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    return !error && size < header.e_shoff + std::uintmax_t{header.e_shnum} * header.e_shentsize;
}

// The backend's shared object, open and of this build. Never closed: the code of every object made by it lies there.
void* shared_object(const std::string& path, const Device& device) {
    if (is_cut_short(path))
        refuse(device, fmt::format("the CUDA backend {} is cut short", path), "it ends before its table of sections",
               "a fresh copy of it");
    void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (object == nullptr)
        refuse(device, fmt::format("cannot open the CUDA backend {}", path), dlerror(),
               "the libraries it names, in LD_LIBRARY_PATH or beside it, or --device cpu");
    auto* const interface = reinterpret_cast<InterfaceFunction*>(symbol(object, interface_symbol, device));
    if (std::string_view(interface()) != BKD_KERNEL_INTERFACE)
        refuse(device, fmt::format("{} is of another build than this program", path),
               fmt::format("interface {} instead of {}", interface(), BKD_KERNEL_INTERFACE),
               "program and backend from one build");
    return object;
}

// The one of this installation; refused if there is none.
void* installed_object(const Device& device) {
    const std::string path = backend_path();
    if (path.empty())
        refuse(device, fmt::format("this installation has no CUDA backend ({})", object_name),
               fmt::format("neither {} exists", fmt::join(backend_paths(), " nor ")),
               "a build with WITH_CUDA=ON, or --device cpu");
    return shared_object(path, device);
}

}

std::unique_ptr<Backend> open(const Device& device, const BackendOptions& options) {
    auto* const make = reinterpret_cast<OpenFunction*>(symbol(installed_object(device), open_symbol, device));
    BackendOptions known = options;
    if (known.plans.empty()) known.plans = plan_table_path();
    return std::unique_ptr<Backend>(make(device, known));
}

std::vector<std::string> device_properties() {
    const Device device{DeviceKind::cuda, 0};
    auto* const ask =
        reinterpret_cast<PropertiesFunction*>(symbol(installed_object(device), properties_symbol, device));
    std::vector<std::string> properties;
    ask(properties);
    return properties;
}

// For `bkd doctor`: where the backend was looked for, and what it says itself. A machine without a driver lacks nothing.
void describe(std::vector<Fact>& facts) {
    const std::string path = backend_path();
    const auto trouble = [&](Fact::State without_driver, std::string value, std::string remedy) {
        facts.push_back(
            {"cuda backend", std::move(value), has_driver() ? Fact::State::fail : without_driver, std::move(remedy)});
        facts.push_back(
            {"cuda driver", has_driver() ? "an NVIDIA driver is at work" : "no NVIDIA driver is installed"});
    };
    if (path.empty())
        return trouble(Fact::State::ok, fmt::format("none: neither {} exists", fmt::join(backend_paths(), " nor ")),
                       "a build with WITH_CUDA=ON, or --device cpu");
    const Device device{DeviceKind::cuda, 0};
    try {
        void* object = shared_object(path, device);
        auto* const ask = reinterpret_cast<DescribeFunction*>(symbol(object, describe_symbol, device));
        facts.push_back({"cuda backend", path});
        ask(facts);
    } catch (const InputError& error) {
        trouble(Fact::State::warn, fmt::format("{}: {}", error.parts().what, error.parts().why), error.parts().try_);
    }
}

}
