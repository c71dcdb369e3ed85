#pragma once
// How long the weight vector of each class is. Trained by cross-entropy on a long tail, frequent classes grow longer
// ones, and with them larger logits.                                 Kang et al. 2020, "Decoupling", section 4.2
#include <filesystem>
#include <vector>

namespace bkd {

// |w_c| of the rows of the classifier's weight [classes, features], in label order, from a model file. InputError as
// read_model_file and stage_result_of; E0411 where no classifier is called "linear" or "fc", and for the cosine one,
// which divides by the norms.
std::vector<double> classifier_norms(const std::filesystem::path& model);

}
