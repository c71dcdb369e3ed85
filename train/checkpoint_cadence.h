#pragma once
// How often a training writes checkpoints: the key checkpoint.every.
#include <cstdint>
#include <string>

namespace bkd {

struct CheckpointCadence {
    std::int64_t epochs = 0;  // after the end of every so many epochs of a stage; 0: not for that
    double seconds = 0;       // after the first step that ends so long after the last checkpoint; 0: not for that
};

// "1 epoch", "10 min", or both with a comma between them; units are epoch, epochs, s, min, h. InputError E0304 at `at`.
CheckpointCadence parse_cadence(const std::string& text, const std::string& at);

}
