#pragma once
// What one training step does, launch by launch: each stage of a recipe is opened on the `plan` backend, where a step
// of it is recorded and nothing is executed. No file is read: in the data set's place stand images of its extents without
// contents, and model files that the recipe names are taken to fit.
#include "kernels/shape.h"
#include "train/recipe.h"

namespace bkd {

struct TapeTensor {
    std::string name{};  // "layer1.0.conv1.weight", "teacher.conv1.weight", "gradient of fc.bias"; empty: an activation
    Shape shape{};
    DType dtype = DType::f32;
    bool is_read = false, is_written = false;
};

struct TapeLaunch {
    std::string part{};  // "batch", "teacher", "forward", "loss", "backward", "update"
    std::string op{};    // kernel op: "conv2d_forward"
    // Engine op whose gradient this is; empty outside of "backward".
    std::string gradient_of{};
    // Layer whose parameters it takes, "all parameters" or "all gradients"; where it takes none, the one whose output it
    // reads, after "after ".
    std::string layer{};
    std::vector<TapeTensor> tensors{};
    double flops = 0;                                // multiplications and additions
    std::int64_t bytes_read = 0, bytes_written = 0;  // each tensor once
};

struct StepTape {
    std::string stage{}, method{}, network{};
    DType storage = DType::f32;  // of activations
    std::int64_t batch = 0;      // images
    std::int64_t parameters = 0;
    std::vector<TapeLaunch> launches{};
    // The most that networks, batch, activations and gradients take at once, in bytes; data sets and kernels' scratch
    // are not counted.
    std::int64_t peak_bytes = 0;

    double flops() const;
    std::int64_t bytes_read() const;
    std::int64_t bytes_written() const;
};

// A tape for each stage, in the order they run. InputError as check_recipe() (run_settings.h) and for networks, heads
// and companions as `train`.
std::vector<StepTape> tapes_of(const Recipe& recipe);

}
