#pragma once
// The model file: safetensors that PyTorch's load_state_dict takes as it is, with our facts in its metadata.
//
// Names are PyTorch's ("layer1.0.conv1.weight"), so are layouts: convolutions O I H W in the file, K R S C/g in memory,
// permuted here and nowhere else. A file without our metadata is read too; its facts are empty. Of a checkpoint the
// model is taken. PyTorch's own files are read, too, told by their first bytes. Siblings: safetensors.h, pth.h (the
// containers and their checks).
#include "engine/json.h"
#include "engine/pth.h"

#include <optional>

namespace bkd {

class Parameters;

// Metadata "bkd.<name of the member>". A member that is null or empty is not written.
struct ModelFacts {
    Json network;                            // name and parameters, as the recipe's `model` table
    std::vector<std::string> classes;        // names, in label order
    std::vector<std::int64_t> class_counts;  // training samples of each, in label order
    Json preprocess;  // size, channels, mean, std, resize and crop; of text: tokeniser and vocabulary
    std::string preset;
    Json recipe;         // method, stage, epoch, config hash
    std::string commit;  // of the program that wrote the file
};

struct ModelFile {
    std::optional<ModelFacts> facts;  // none in a file from elsewhere
    SafeTensors tensors;
    std::optional<PthFacts> pth;  // of one of PyTorch's own files
    std::int64_t ignored = 0;     // tensors of a checkpoint that are not the model's: optimizer, teacher
};

// A tensor that a network needs.
struct ExpectedTensor {
    std::string name;
    std::vector<std::int64_t> shape;  // in the file
};
// All parameters and buffers of a network, in their order; it needs no memory for that.
std::vector<ExpectedTensor> expected_tensors(const Parameters& parameters);

// InputError as read_safetensors and read_pth; E0404 for facts of another kind, outside their range (class_counts:
// 0..2^40) or that contradict themselves, E1006 for a newer schema.
ModelFile read_model_file(const std::filesystem::path& path, const SafeTensorsLimits& limits = {},
                          std::string_view asked_by = {}, const FileSystem& system = {}, const PthOptions& pth = {});

// The values behind the tensors must live until it returns. With checksums; equal arguments give equal bytes.
void write_model_file(const std::filesystem::path& path, const ModelFacts& facts, std::vector<TensorToStore> tensors,
                      Overwrite overwrite, const FileSystem& system = {});

TensorToStore f32_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
TensorToStore i64_scalar(std::string name, const std::int64_t& value);  // such as num_batches_tracked

// A file held against a network; batch norms' counters, num_batches_tracked, count nowhere.
struct TensorComparison {
    std::int64_t matched = 0;
    std::vector<std::string> missing, extra;           // names
    std::vector<std::string> other_shape, other_type;  // sentences that name tensor, what it is and what is needed
};
TensorComparison compare_tensors(const SafeTensors& tensors, std::span<const ExpectedTensor> expected);
// Refuses what differs of so many expected tensors: InputError as check_tensors.
void refuse_differences(const SafeTensors& tensors, const TensorComparison& found, std::size_t expected);
// Up to five names and how many more: "a", "b" and 3 more
std::string listed(const std::vector<std::string>& names);

// Every expected tensor is there in F32 with its shape, and nothing else but num_batches_tracked. InputError E0411
// missing, E0412 extra, E0413 shape, E0414 dtype, E0415 no tensors at all.
void check_tensors(const SafeTensors& tensors, std::span<const ExpectedTensor> expected);

enum class NonFinite : std::uint8_t { refuse, allow };
// No NaN or infinity in a floating-point tensor (E0425), no negative running_var (E0426).
void check_values(const SafeTensors& tensors, NonFinite non_finite = NonFinite::refuse);

// One convolution weight between memory [k, r, s, c] and file [k, c, r, s] (O I H W); `shape` is that of the argument.
std::vector<float> to_file_layout(std::span<const float> weight, std::span<const std::int64_t> shape);
std::vector<float> to_memory_layout(std::span<const float> weight, std::span<const std::int64_t> shape);
// [m, n] -> [n, m], for the cosine classifier's weight.
std::vector<float> transposed(std::span<const float> matrix, std::int64_t m, std::int64_t n);

}
