#include "train/model_network.h"

#include <algorithm>
#include <array>

namespace bkd {
namespace {

// A whole number of NetworkOptions: its key in bkd.network, its range, and which extent of which tensor shows it.
struct Extent {
    const char* key;
    std::int64_t NetworkOptions::*member;
    std::int64_t low, high;
    std::array<const char*, 3> tensors;  // the first that is there; null: no more
    std::size_t axis;
};

constexpr Extent extents[] = {
    {"classes", &NetworkOptions::classes, 1, 1'000'000, {"linear.weight", "fc.weight", "linears.0.weight"}, 0},
    {"channels", &NetworkOptions::channels, 1, 1024, {"conv1.weight"}, 1},
    {"width", &NetworkOptions::width, 1, 65536, {"conv1.weight"}, 0},
    {"vocabulary", &NetworkOptions::vocabulary, 1, 2'147'483'647, {"embedding.weight"}, 0},
    {"embedding", &NetworkOptions::embedding, 1, 65536, {"embedding.weight"}, 1},
    {"filters", &NetworkOptions::filters, 1, 65536, {"convs.0.weight"}, 0},
    {"text_padding", &NetworkOptions::text_padding, 0, 1024, {}, 0},
};
const std::string classifiers[] = {"linear", "fc", "linears.0"};
constexpr std::int64_t widest_kernel = 1024;
constexpr std::size_t most_kernels = 16;

class FileReader {
public:
    FileReader(const ModelFile& file, const AskedNetwork& asked)
        : file_(file.tensors), facts_(file.facts ? file.facts->network : Json()), asked_(asked) {
        if (!facts_.is_null() && !facts_.is_object()) fail(fmt::format("{} stands for an object", facts_.kind()));
    }

    NetworkOptions read() {
        NetworkOptions options{.name = name()};
        options.classifier = classifier();
        for (const Extent& e : extents)
            options.*e.member = extent(e, options.*e.member, options.classifier == "cosine");
        const NetworkTrait trait = network_trait(options.name);
        if (trait == NetworkTrait::stem) options.stem = stem();
        if (trait == NetworkTrait::experts) read_experts(options);
        options.kernels = kernels(options.kernels);
        options.cosine_scale = number("cosine_scale", options.cosine_scale, 1e-6, 1e6);
        options.dropout = number("dropout", options.dropout, 0, 0.999);
        // Without an embedding the tensors that are missing are the message, not the vocabulary.
        if (options.name == "text_cnn" && options.vocabulary == 0) options.vocabulary = 1;
        return options;
    }

private:
    [[noreturn]] void fail(std::string what, std::string why = {}, std::string advice = {}) const {
        throw InputError({.id = 404,
                          .what = "bkd.network: " + std::move(what),
                          .at = printable(file_.path),
                          .why = std::move(why),
                          .try_ = std::move(advice)});
    }
    const Json* told(std::string_view key) const { return facts_.is_null() ? nullptr : facts_.find(key); }

    std::string text(const char* key) const {
        const Json* value = told(key);
        if (value != nullptr && !value->is_text()) fail(fmt::format("{} is {}, not text", key, value->kind()));
        return value == nullptr ? std::string() : value->text();
    }

    std::string name() const {
        if (!asked_.name.empty()) return asked_.name;
        std::string found = text("name"), names;
        for (const NetworkEntry& entry : network_list()) {
            if (entry.name == found) return found;
            names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
        }
        if (found.empty())
            throw InputError({.id = 304,
                              .what = "the file does not say which network it is",
                              .at = printable(file_.path),
                              .why = "the networks are " + names,
                              .try_ = "--network NAME says which it is"});
        fail(fmt::format("no network is called \"{}\"", printable(found)), "the networks are " + names,
             "--network NAME says which it is");
    }

    std::string classifier() const {
        if (!asked_.classifier.empty()) return asked_.classifier;
        const std::string found = text("classifier");
        if (found.empty())
            return std::ranges::any_of(classifiers,
                                       [&](const std::string& name) {
                                           return file_.find("conv1.weight") != nullptr &&
                                                  file_.find(name + ".weight") != nullptr &&
                                                  file_.find(name + ".bias") == nullptr;
                                       })
                       ? "cosine"
                       : "linear";
        if (found != "linear" && found != "cosine")
            fail(fmt::format("no classifier is called \"{}\"", printable(found)), "there are linear and cosine");
        return found;
    }

    std::int64_t checked(const std::string& key, const Json& value, std::int64_t low, std::int64_t high) const {
        if (!value.is_integer()) fail(fmt::format("{} is {}, not an integer", key, value.kind()));
        if (value.integer() < low || value.integer() > high)
            fail(fmt::format("{} is {}", key, value.integer()), fmt::format("it lies in {}..{}", low, high));
        return value.integer();
    }

    double number(const char* key, double standard, double low, double high) const {
        const Json* value = told(key);
        if (value == nullptr) return standard;
        if (!value->is_number()) fail(fmt::format("{} is {}, not a number", key, value->kind()));
        if (!(value->number() >= low && value->number() <= high))
            fail(fmt::format("{} is {}", key, value->number()), fmt::format("it lies in {}..{}", low, high));
        return value->number();
    }

    // The extent of a tensor, or `standard` where there is none: then check_tensors has more to say.
    std::int64_t shown(const char* tensor, std::size_t axis, std::int64_t low, std::int64_t high,
                       std::int64_t standard) const {
        const StoredTensor* found = file_.find(tensor);
        if (found == nullptr || axis >= found->shape.size()) return standard;
        const std::int64_t shown = found->shape[axis];
        if (shown < low || shown > high)
            throw InputError(
                {.id = 408,
                 .what = fmt::format("tensor \"{}\" is {}", tensor, shape_text(found->shape)),
                 .at = file_.place(*found),
                 .why = fmt::format("extent {} of such a tensor lies in {}..{}, this is {}", axis, low, high, shown)});
        return shown;
    }

    std::int64_t extent(const Extent& e, std::int64_t standard, bool is_cosine) const {
        if (const Json* value = told(e.key)) return checked(e.key, *value, e.low, e.high);
        // The cosine classifier's weight is [in, out] in files.
        const bool is_transposed = is_cosine && e.member == &NetworkOptions::classes;
        for (const char* tensor : e.tensors)
            if (tensor != nullptr && file_.find(tensor) != nullptr)
                return shown(tensor, is_transposed ? 1 : e.axis, e.low, e.high, standard);
        return standard;
    }

    // The 7 x 7 taps of the ImageNet stem, or 3 x 3.
    std::string stem() const {
        std::string found = text("stem");
        if (found.empty()) found = shown("conv1.weight", 2, 1, 64, 7) == 3 ? "small" : "imagenet";
        if (found != "imagenet" && found != "small")
            fail(fmt::format("no stem is called \"{}\"", printable(found)), "there are imagenet and small");
        return found;
    }

    void read_experts(NetworkOptions& options) const {
        constexpr std::int64_t most = 64;
        std::int64_t found = 0;
        while (found < most && file_.find(fmt::format("linears.{}.weight", found)) != nullptr) ++found;
        const Json *experts = told("experts"), *reduces = told("reduce_dimension");
        options.experts = experts != nullptr ? checked("experts", *experts, 1, most) : std::max<std::int64_t>(1, found);
        if (reduces != nullptr && !reduces->is_boolean())
            fail(fmt::format("reduce_dimension is {}, not a boolean", reduces->kind()));
        options.reduces_width = reduces != nullptr
                                    ? reduces->boolean()
                                    : shown("layer2s.0.0.conv1.weight", 0, 1, 65536, 1) != 2 * options.width;
    }

    std::vector<std::int64_t> kernels(const std::vector<std::int64_t>& standard) const {
        std::vector<std::int64_t> found;
        if (const Json* value = told("kernels")) {
            if (!value->is_array()) fail(fmt::format("kernels is {}, not an array", value->kind()));
            if (value->elements().empty() || value->elements().size() > most_kernels)
                fail(fmt::format("kernels has {} widths", value->elements().size()),
                     fmt::format("there are 1..{}", most_kernels));
            for (const Json& width : value->elements()) found.push_back(checked("kernels", width, 1, widest_kernel));
            return found;
        }
        for (std::size_t i = 0; i < most_kernels; ++i)
            if (const std::int64_t width = shown(fmt::format("convs.{}.weight", i).c_str(), 1, 1, widest_kernel, 0))
                found.push_back(width);
            else
                break;
        return found.empty() ? standard : found;
    }

    const SafeTensors& file_;
    const Json facts_;
    const AskedNetwork& asked_;
};

}

Json network_facts(const NetworkOptions& o) {
    Json facts = Json::Object{{"name", o.name}, {"classes", o.classes}};
    if (o.vocabulary > 0)
        return facts.set("vocabulary", o.vocabulary)
            .set("embedding", o.embedding)
            .set("filters", o.filters)
            .set("kernels", Json::array(o.kernels))
            .set("text_padding", o.text_padding)
            .set("dropout", o.dropout);
    facts.set("channels", o.channels)
        .set("classifier", o.classifier)
        .set("cosine_scale", o.cosine_scale)
        .set("width", o.width);
    if (!o.stem.empty()) facts.set("stem", o.stem);
    if (o.experts > 0) facts.set("experts", o.experts).set("reduce_dimension", o.reduces_width.value_or(true));
    return facts;
}

NetworkOptions network_of_file(const ModelFile& file, const AskedNetwork& asked) {
    return FileReader(file, asked).read();
}

}
