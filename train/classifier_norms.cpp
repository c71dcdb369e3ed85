#include "train/classifier_norms.h"

#include "train/model_network.h"
#include "train/weights.h"

#include <cmath>

namespace bkd {

std::vector<double> classifier_norms(const std::filesystem::path& model) {
    const ModelFile file = read_model_file(model);
    const Weights weights = stage_result_of(file, nullptr).weights;
    auto found = weights.find("linear.weight");
    if (found == weights.end()) found = weights.find("fc.weight");
    const auto refuse = [&](const char* why) {
        throw InputError({.id = 411, .what = why, .at = printable(model.string())});
    };
    if (found == weights.end() || found->second.shape.size() != 2)
        refuse("there is no linear.weight or fc.weight of rank 2");
    if (network_of_file(file, {}).classifier == "cosine")
        refuse("the cosine classifier divides by the norms of its weight vectors");
    const Weight& w = found->second;
    const auto features = static_cast<std::size_t>(w.shape[1]);
    std::vector<double> norms;
    for (std::size_t first = 0; first < w.numbers.size(); first += features) {
        double squares = 0;
        for (std::size_t i = first; i < first + features; ++i)
            squares += std::pow(static_cast<double>(w.numbers[i]), 2);
        norms.push_back(std::sqrt(squares));
    }
    return norms;
}

}
