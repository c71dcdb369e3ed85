#pragma once
// What this machine is and has, as far as computing goes: what `bkd doctor` prints.
#include <string>
#include <vector>

namespace bkd {

struct Fact {
    enum class State { ok, warn, fail };
    std::string name, value;
    State state = State::ok;
    std::string remedy{};  // what to do, where the state is not ok
};

// Processor, threads, memory, the CUDA backend with driver and devices, and every shared library with the file it was
// loaded from. Opens the CUDA backend where a driver is, and throws for nothing it finds.
std::vector<Fact> machine_facts();

// The properties of every CUDA device here as cuDNN writes them, one JSON text each. Throws as open_backend does.
std::vector<std::string> cuda_device_properties();

}
