#pragma once
// A model file at work on images, without a data set: what the verb `predict` does, and what a program that embeds the
// engine needs to classify. The network is in its inference form: batch norms folded into convolutions, no gradients.
//
//   Predictor model({.model = "student.safetensors"});
//   const ImageFile file = read_image_file("t10k-images-idx3-ubyte.gz");
//   model.check_images(file);
//   std::span<const float> logits = model(file, 0, 16);        of images 0..15, [16, classes]
//   probabilities(logits.first(model.classes()), p);           of the first
#include "data/image_file.h"
#include "engine/model_file.h"
#include "models/network.h"
#include "train/preprocess.h"

#include <filesystem>
#include <optional>

namespace bkd {

struct PredictorOptions {
    std::filesystem::path model{};
    // For files that do not say it (PyTorch's), or against what they say; empty: nothing. Of the set `data`
    // (data/list.inc) the class names and the normalisation are taken where the file has none.
    std::string network{}, classifier{}, data{};
    std::optional<std::vector<float>> mean{}, deviation{};  // per channel, of values in 0..1
    Device device{};
    int threads = 0;  // 0: as many as allowed
    DType storage = DType::f32;
    bool folds = true;  // false: batch norms stay by themselves, for comparison
};

class Predictor {
public:
    // InputError E04nn of the file, E0304 for what nobody says (network, normalisation), E0305 for a network that reads
    // words or other classes than those of `data`, E0203 for a normalisation that fits no channel count, E08nn of the
    // device.
    explicit Predictor(const PredictorOptions& options);

    std::int64_t classes() const { return network_->options().classes; }
    const std::vector<std::string>& class_names() const { return class_names_; }  // [classes], or empty: not known
    const std::string& network() const { return network_->options().name; }
    Runtime& runtime() { return *runtime_; }

    // InputError E0305 where the file's images are not of the model's size or channels.
    void check_images(const ImageFile& file) const;
    // Logits [count, classes] of images first .. first + count - 1, valid until the next call. Once a count was had
    // before, nothing is taken from the system. InputError E0901 names the first image whose logits are not finite.
    std::span<const float> operator()(const ImageFile& file, std::int64_t first, std::int64_t count);

private:
    Normalisation normalisation_of_file(const PredictorOptions& options, ImageSet like) const;
    std::vector<std::string> class_names_of(const ModelFacts& facts, const ImageSet& like) const;
    void check_finite(const ImageFile& file, std::int64_t first) const;

    std::unique_ptr<Runtime> runtime_;
    std::string path_;
    Json preprocess_;
    std::unique_ptr<Network> network_;
    std::vector<std::string> class_names_;
    Tensor mean_, deviation_, index_;  // index_ [n] i32: 0, 1, 2, ... as far as was asked for
    std::vector<float> logits_;
};

// softmax(logits) in f64, rounded once; both [classes].
void probabilities(std::span<const float> logits, std::span<float> p);
// order [classes]: its first k are the classes of the largest logits, largest first; of equal ones the lower class
// first, as arg max has it.
void rank_classes(std::span<const float> logits, std::span<std::int32_t> order, std::size_t k);

}
