#pragma once
// Network: a trunk that turns a batch into features, and heads that turn features into logits. Networks are built by
// name (list.inc); a method that needs more than one head or branch names them.
#include "engine/parameter.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bkd {

// What a network is, as the recipe's `model` table and the model file's `bkd.network` say it.
struct NetworkOptions {
    std::string name = "resnet32";
    std::int64_t classes = 10;
    std::int64_t channels = 3;          // of the input images
    std::string classifier = "linear";  // or "cosine"
    double cosine_scale = 30;
    std::int64_t width = 0;  // channels of a ResNet's first stage; 0: 16 of the CIFAR family, else 64
    // Empty or 0: the network's own. A network that has no such thing refuses one that is said.
    std::string stem{};                   // of an ImageNet ResNet: "imagenet" (its own) or "small"
    std::int64_t experts = 0;             // of an ensemble with a shared beginning: 3
    std::optional<bool> reduces_width{};  // of its experts: 24 and 48 channels in place of 32 and 64: true
    // TextCNN: table of `vocabulary` rows of `embedding` numbers, `filters` of each of `kernels` widths
    std::int64_t vocabulary = 0, embedding = 300, filters = 100, text_padding = 0;
    std::vector<std::int64_t> kernels{3, 4, 5};
    double dropout = 0.5;
};

class Network {
public:
    explicit Network(NetworkOptions options) : options_(std::move(options)) {}
    virtual ~Network() = default;
    Network(const Network&) = delete;

    const NetworkOptions& options() const { return options_; }
    Parameters& parameters() { return parameters_; }
    const Parameters& parameters() const { return parameters_; }

    // Features before the classifier, [n, feature_width()]: of images [n, h, w, c] or tokens [n, l].
    virtual Tensor features(Context& ctx, const Tensor& input, int branch = 0) const = 0;
    // Logits [n, classes of that head]; the empty name is the main classifier.
    virtual Tensor head(Context& ctx, const Tensor& features, std::string_view name = {}) const = 0;
    virtual std::int64_t feature_width() const = 0;
    // What a batch looks like: {n, h, w, c} or {n, l} with 0 for an extent that may vary.
    virtual Shape input_shape(std::int64_t batch) const = 0;

    // Into the inference form: batch norms by their running statistics become part of the convolutions before them, by
    // the parameters' numbers as they are now; fold again after writing to those. A folded network cannot train:
    // LogicError on a tape or in a training context. A network without batch norms stays as it is.
    virtual void fold(const Context&) {}

    // Logits of each expert; one entry for a network that is no ensemble. What they share is computed once.
    virtual std::vector<Tensor> experts(Context& ctx, const Tensor& input) const {
        return {head(ctx, features(ctx, input))};
    }
    // Logits [n, classes]; of an ensemble the mean of its experts'.
    virtual Tensor operator()(Context& ctx, const Tensor& input) const { return head(ctx, features(ctx, input)); }

protected:
    Parameters parameters_;

private:
    NetworkOptions options_;
};

// Builds a network; its parameters have no memory until parameters().materialise(). InputError E0304 for an unknown
// name, with the list, and for an option that it does not have.
std::unique_ptr<Network> make_network(const NetworkOptions& options);

// Which of NetworkOptions a network has beside those that all have.
enum class NetworkTrait : std::uint8_t { none, stem, experts };

struct NetworkEntry {
    const char* name;
    NetworkTrait trait;
    const char* summary;
};
std::vector<NetworkEntry> network_list();
NetworkTrait network_trait(std::string_view name);  // none of a name that is not in the list

}
