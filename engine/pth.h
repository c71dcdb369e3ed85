#pragma once
// PyTorch's files (.pth, .pt, .pth.tar): the ZIP archive of torch.save since 1.6, read as data.
//
//   const Pth file = read_pth("resnet50.pth", {});
//   const std::vector<float> weight = file.tensors.values<float>(file.tensors.at("conv1.weight"));
//
// archive/data.pkl describes the tensors (pickle.h: nothing of it runs), archive/data/<key> holds their numbers. Of a
// checkpoint the state dict is taken; tensors come out row-major under their names, as from a safetensors file.
// InputError of zip_archive.h and pickle.h, and E0405 a tensor's name twice, E0406 names, E0407 too much, E0415 no
// tensors, E0419 storages that contradict the archive, E0420 tensors far larger than the file, E0429 another kind of
// archive (TorchScript, NumPy, big-endian).
#include "engine/safetensors.h"
#include "engine/zip_archive.h"

#include <utility>

namespace bkd {

struct PthOptions {
    std::string key{};                  // of the state dict in the checkpoint: "model", "best.model"; empty: the usual
    bool skip_unknown_globals = false;  // values of classes that are not read count as entries that are no tensors
    std::uint64_t max_bytes = 16ull << 30;  // of the file
};

struct PthFacts {
    std::string key{};                           // where the state dict was; empty: the file is one
    std::string prefix{};                        // that all names had and none has now: "module."
    std::int64_t others = 0;                     // entries of the state dict that are no tensors
    std::int64_t unchecked = 0;                  // tensors whose storage has no checksum
    std::vector<std::string> unknown_globals{};  // skipped: other loaders would run code of theirs
};

struct Pth {
    SafeTensors tensors;  // without metadata
    PthFacts facts;
};

// Whether the file begins as such a file does.
bool is_pth(const InputFile& file);

Pth read_pth(const InputFile& file, const std::string& path, const PthOptions& options);
Pth read_pth(const std::filesystem::path& path, const PthOptions& options, const FileSystem& system = {});
// The same from memory; `path` names it in messages.
Pth parse_pth(std::span<const std::byte> file, std::string path, const PthOptions& options = {});

// Takes off what DataParallel ("module."), torch.compile ("_orig_mod.") and wrapping modules ("model.") put in front of
// every name, where all have it; returns it.
std::string strip_wrappers(std::vector<StoredTensor>& tensors);

}
