#pragma once
// What a model expects done to an image before it sees it: "bkd.preprocess" of a model file, written and read here alone.
// {"height", "width", "channels": of an image; "mean", "std": per channel, of values in 0..1; "resize": "none", or of
// pictures in files {"short_side": 256, "orientation": "ignored" or "applied"}, which the middle square is cut from}
#include "data/image_set.h"
#include "data/picture_transform.h"
#include "engine/json.h"
#include "kernels/error.h"

namespace bkd {

struct Normalisation {
    std::vector<float> mean{}, deviation{};  // per channel, of values in 0..1
    bool operator==(const Normalisation&) const = default;
};

Json preprocess_facts(const ImageSet& set, const Normalisation& normalisation);

// How the file's pictures become squares; what it does not say is PictureTransform's own, for its height. InputError
// E0404 for numbers that no picture has.
PictureTransform picture_transform_of(const Json& preprocess, const std::string& at);

// That of the file `at`, for images of `set`; a part it does not say is the set's. InputError E0404 for what is no such
// text, E0305 where height, width or channels are others than the data's, or are resized in another way.
Normalisation normalisation_of(const Json& preprocess, const ImageSet& set, const std::string& at);

// As many numbers as `set` has channels, finite, deviations above 0. InputError E0203 at `at`.
void check_normalisation(const Normalisation& normalisation, const ImageSet& set, const std::string& at);

}
