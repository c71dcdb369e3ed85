#pragma once
// PyTorch's weights, of its own files or of safetensors, as a model file: what the verb `convert` does. Every tensor is
// held against the network first; floating-point numbers of other widths become F32.
#include "engine/pth.h"
#include "train/preprocess.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bkd {

struct ImportModel {
    std::filesystem::path from{}, to{};
    std::string network{}, classifier{};  // empty: what the file says or its tensors show
    std::string data{};                   // whose class names and normalisation the file gets; empty: none
    // Whether that set's files are read, for the size of their images; empty: they need not be here.
    std::filesystem::path data_root{};
    // Per channel, of values in 0..1, in place of the set's own; need `data`.
    std::optional<std::vector<float>> mean{}, deviation{};
    PthOptions pth{};  // for one of PyTorch's own files
    // Patterns of names (name_pattern.h), after renaming. Tensors of the network that the file need not have, so that
    // the model has not, either; tensors of the file that are left out.
    std::vector<std::string> may_miss{}, drop{};
    std::vector<std::pair<std::string, std::string>> rename{};  // patterns: from, to
    std::string commit = "unknown";
    Overwrite overwrite = Overwrite::no;
};

struct ImportedModel {
    std::string network{};
    std::int64_t tensors = 0, parameters = 0;       // that were written
    std::int64_t matched = 0, expected = 0;         // of the network's
    std::int64_t widened = 0;                       // from F16 and BF16, or narrowed from F64
    std::vector<std::string> missing{}, dropped{};  // as allowed
    std::optional<PthFacts> pth{};
    Normalisation normalisation{};                               // written with `data`
    std::string prefix{};                                        // taken off every name: "module."
    std::vector<std::pair<std::string, std::string>> renamed{};  // "fc.weight" -> "linear.weight"
};

// InputError E04nn for what does not fit the network, E0304 for a network or data set that is not there or not told,
// E0305 where the data have other classes, E0208 for options that are for another kind of file or match nothing,
// E0203 for a mean or deviation that does not fit its channels, E0607 if `to` exists.
ImportedModel import_model(const ImportModel& options);

}
