#include "kernels/machine.h"

#include "kernels/backend.h"
#include "kernels/cuda/find.h"

#include <link.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace bkd {
namespace kernels::cuda {
void describe(std::vector<Fact>& facts);
std::vector<std::string> device_properties();
}
namespace {

std::string gibibytes(double bytes) { return fmt::format("{:.1f} GiB", bytes / (1 << 30)); }

void add_processor(std::vector<Fact>& facts) {
    facts.push_back({"cpu", open_backend({DeviceKind::cpu, 0})->description()});
    const char* asked = std::getenv("OMP_NUM_THREADS");
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    facts.push_back(
        {"threads", fmt::format("{} allowed by affinity and cgroup, of {} processors{}", allowed_threads(), online,
                                asked == nullptr ? "" : fmt::format(", OMP_NUM_THREADS={}", asked))});
}

// "MemTotal", "MemAvailable" of /proc/meminfo in bytes; 0 if it is not there.
double memory_line(std::string_view name) {
    std::ifstream file("/proc/meminfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name)) return 1024 * std::strtod(line.c_str() + name.size() + 1, nullptr);
    return 0;
}

void add_memory(std::vector<Fact>& facts) {
    const double total = memory_line("MemTotal"), available = memory_line("MemAvailable");
    std::string limit = "no limit by cgroup";
    std::ifstream file("/sys/fs/cgroup/memory.max");
    if (double bytes = 0; file >> bytes) limit = "cgroup allows " + gibibytes(bytes);
    constexpr double little = 512 << 20;
    Fact fact{"memory", fmt::format("{} of {} available, {}", gibibytes(available), gibibytes(total), limit)};
    if (available < little)
        fact.state = Fact::State::warn, fact.remedy = "a smaller batch.size, or other programs ended";
    facts.push_back(fact);
}

void add_disk(std::vector<Fact>& facts) {
    std::error_code error;
    const std::filesystem::space_info space = std::filesystem::space(".", error);
    if (error) {
        facts.push_back({"disk", error.message(), Fact::State::warn, "a working folder that can be read"});
        return;
    }
    Fact fact{"disk", fmt::format("{} free in the working folder", gibibytes(static_cast<double>(space.available)))};
    constexpr std::uintmax_t little = std::uintmax_t{1} << 30;
    if (space.available < little)
        fact.state = Fact::State::warn, fact.remedy = "run.dir on another disk, or room on this one";
    facts.push_back(fact);
}

// Every shared library in this process, "libz.so.1.2.13": the file behind all links, and where it lies.
void add_libraries(std::vector<Fact>& facts) {
    std::vector<std::string> paths;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* list) {
            if (info->dlpi_name != nullptr && info->dlpi_name[0] == '/')
                static_cast<std::vector<std::string>*>(list)->emplace_back(info->dlpi_name);
            return 0;
        },
        &paths);
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
        std::error_code error;
        const std::filesystem::path file = std::filesystem::canonical(path, error);
        const std::string name = std::filesystem::path(path).filename().string();
        facts.push_back({"library " + name, error ? path : file.string()});
    }
}

}

std::vector<Fact> machine_facts() {
    std::vector<Fact> facts;
    add_processor(facts);
    add_memory(facts);
    add_disk(facts);
    kernels::cuda::describe(facts);
    add_libraries(facts);
    return facts;
}

std::vector<std::string> cuda_device_properties() { return kernels::cuda::device_properties(); }

}
