#include "train/preprocess.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

// The numbers under `key`, each in low..1e6; empty where there are none.
std::vector<float> numbers_under(const Json& preprocess, const char* key, double low, const std::string& at) {
    const Json* found = preprocess.find(key);
    if (found == nullptr) return {};
    constexpr double most = 1e6;
    const auto refuse = [&](const std::string& got) {
        throw InputError({.id = 404,
                          .what = fmt::format("bkd.preprocess: {} has {}", key, got),
                          .at = printable(at),
                          .why = fmt::format("it is a list of numbers in {}..{}", low, most)});
    };
    if (!found->is_array()) refuse(found->kind());
    std::vector<float> numbers;
    for (const Json& number : found->elements()) {
        if (!number.is_number()) refuse(number.kind());
        if (!(number.number() >= low && number.number() <= most)) refuse(fmt::format("{}", number.number()));
        numbers.push_back(static_cast<float>(number.number()));
    }
    return numbers;
}

Json resize_rule(const ImageSet& set) {
    if (set.short_side == 0) return "none";
    return Json::Object{{"orientation", set.applies_orientation ? "applied" : "ignored"},
                        {"short_side", set.short_side}};
}

}

Json preprocess_facts(const ImageSet& set, const Normalisation& normalisation) {
    return Json::Object{{"height", set.height},
                        {"width", set.width},
                        {"channels", set.channels},
                        {"mean", Json::array(normalisation.mean)},
                        {"std", Json::array(normalisation.deviation)},
                        {"resize", resize_rule(set)}};
}

PictureTransform picture_transform_of(const Json& preprocess, const std::string& at) {
    PictureTransform transform;
    if (!preprocess.is_object()) return transform;
    const auto side = [&](const Json* value, std::int64_t standard) {
        if (value == nullptr || *value == Json(0)) return standard;
        constexpr std::int64_t most = 4096;
        if (value->is_integer() && value->integer() >= 1 && value->integer() <= most) return value->integer();
        throw InputError({.id = 404,
                          .what = fmt::format("bkd.preprocess: a side of {} pixels", printable(value->dump())),
                          .at = printable(at),
                          .why = fmt::format("it is a number in 1..{}", most)});
    };
    transform.side = side(preprocess.find("height"), transform.side);
    const Json* rule = preprocess.find("resize");
    const bool has_rule = rule != nullptr && rule->is_object();
    transform.resize = side(has_rule ? rule->find("short_side") : nullptr, usual_short_side(transform.side));
    transform.apply_orientation =
        has_rule && rule->find("orientation") != nullptr && rule->at("orientation") == "applied";
    if (transform.resize < transform.side)
        throw InputError({.id = 404,
                          .what = fmt::format("bkd.preprocess: squares of {} out of a short side of {}", transform.side,
                                              transform.resize),
                          .at = printable(at)});
    return transform;
}

Normalisation normalisation_of(const Json& preprocess, const ImageSet& set, const std::string& at) {
    Normalisation found{set.mean, set.deviation};
    if (!preprocess.is_object()) return found;
    for (const auto& [key, has] : {std::pair{"height", set.height}, {"width", set.width}, {"channels", set.channels}}) {
        const Json* wanted = preprocess.find(key);
        // 0: the file was written without the data at hand.
        if (wanted == nullptr || *wanted == Json(has) || *wanted == Json(0)) continue;
        throw InputError({.id = 305,
                          .what = fmt::format("the model is for images of {} {}, those of {} have {}", key,
                                              printable(wanted->dump()), set.name, has),
                          .at = printable(at)});
    }
    // Pictures in files may be shown to a model of images that were not: then they are resized as is usual.
    if (const Json* rule = preprocess.find("resize");
        rule != nullptr && *rule != Json("none") && rule->canonical() != resize_rule(set).canonical())
        throw InputError({.id = 305,
                          .what = fmt::format("the model is for pictures brought to {}, those of {} are brought to {}",
                                              printable(rule->dump()), set.name, resize_rule(set).dump()),
                          .at = printable(at),
                          .why = set.short_side == 0 ? "these are taken as they are" : ""});
    if (auto mean = numbers_under(preprocess, "mean", -1e6, at); !mean.empty()) found.mean = std::move(mean);
    if (auto deviation = numbers_under(preprocess, "std", 1e-6, at); !deviation.empty())
        found.deviation = std::move(deviation);
    return found;
}

void check_normalisation(const Normalisation& normalisation, const ImageSet& set, const std::string& at) {
    const auto& [mean, deviation] = normalisation;
    const auto refuse = [&](std::string what) {
        throw InputError({.id = 203, .what = std::move(what), .at = printable(at), .try_ = "--mean and --std"});
    };
    const auto channels = static_cast<std::size_t>(set.channels);
    if (mean.size() != channels || deviation.size() != channels)
        refuse(fmt::format("{} means and {} deviations for the {} channels of {}", mean.size(), deviation.size(),
                           channels, set.name));
    const auto is_finite = [](float value) { return std::isfinite(value); };
    if (!std::ranges::all_of(mean, is_finite) || !std::ranges::all_of(deviation, is_finite) ||
        !std::ranges::all_of(deviation, [](float value) { return value > 0; }))
        refuse("means are finite, deviations finite and above 0");
}

}
