// What holds of the sources of the CUDA kernels, and of the executor that runs them on the host.
#include "kernels/cuda/host/simt.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

template <class Visit>
void for_each_source(Visit visit) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(BKD_SOURCE_DIR "/kernels/cuda")) {
        const std::string extension = entry.path().extension().string();
        if (extension == ".cu" || extension == ".cuh" || extension == ".cpp" || extension == ".h")
            visit(entry.path(), text_of(entry.path()));
    }
}

}

TEST_CASE("kernels are launched in one place") {
    std::vector<std::string> places;
    for_each_source([&](const fs::path& path, const std::string& text) {
        for (std::size_t at = text.find("<<<grid"); at != std::string::npos; at = text.find("<<<grid", at + 1))
            places.push_back(path.filename().string());
    });
    CHECK(places == std::vector<std::string>{"launch.cuh"});
}

TEST_CASE("a kernel's body is the same on the device and on the host: no conditional compilation in a .cu file") {
    int files = 0;
    for_each_source([&](const fs::path& path, const std::string& text) {
        if (path.extension() != ".cu") return;
        ++files;
        CAPTURE(path.string());
        CHECK(text.find("\n#if") == std::string::npos);
    });
    CHECK(files >= 14);
}

TEST_CASE("kernels add no floats atomically, use no fast mathematics, and print nothing") {
    for_each_source([&](const fs::path& path, const std::string& text) {
        if (path.extension() != ".cu" && path.extension() != ".cuh") return;
        CAPTURE(path.string());
        for (const char* forbidden : {"__expf", "__logf", "__fdividef", "printf("})
            CHECK(text.find(forbidden) == std::string::npos);
        for (std::size_t at = text.find("atomicAdd("); at != std::string::npos; at = text.find("atomicAdd(", at + 1)) {
            const std::string target = text.substr(at, text.find(',', at) - at);
            for (const char* word : {"sum", "loss", "grad"}) CHECK(target.find(word) == std::string::npos);
        }
    });
}

TEST_CASE("the executor runs each thread of each block once, in an order that changes from launch to launch") {
    for (const int threads : {1, 32, 96, 1024})
        for (const dim3 grid : {dim3(1), dim3(7), dim3(3, 2, 2)}) {
            std::set<std::vector<unsigned>> orders;
            const auto blocks = grid.x * grid.y * grid.z, all = blocks * static_cast<unsigned>(threads);
            for (int launch = 0; launch < 40; ++launch) {
                std::vector<unsigned> order(all + 1);
                std::uint32_t next = 0;
                simt::run_grid(grid, threads, [&] {
                    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
                    order.at(atomicAdd(&next, 1)) = block * blockDim.x + threadIdx.x;
                });
                order.resize(next);
                orders.insert(order);
                std::sort(order.begin(), order.end());
                CHECK(std::adjacent_find(order.begin(), order.end()) == order.end());
                CHECK(order.size() == all);
                CHECK(order.back() == all - 1);
            }
            CHECK((orders.size() == 3 || all < 8));
        }
}
