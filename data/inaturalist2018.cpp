// inaturalist2018: 437,513 + 24,426 pictures of 8,142 species, long-tailed as nature is; tested on the official
// validation split, since the test labels were never published. As JSON, as published, or as lists made from it.
#include "data/picture_set.h"

namespace bkd {
namespace {

constexpr std::int64_t classes = 8142;
constexpr const char* advice = "data.root = the folder of train_val2018/, with train2018.json and val2018.json";

std::filesystem::path json_of(const std::filesystem::path& root, Split split) {
    return root / (split == Split::train ? "train2018.json" : "val2018.json");
}

}

ImageSet describe_inaturalist2018(const DatasetOptions& options) {
    return describe_pictures("inaturalist2018", options, {0.466F, 0.471F, 0.380F}, {0.195F, 0.194F, 0.192F});
}

ImageSet open_inaturalist2018(const DatasetOptions& options, Split split) {
    ImageSet set = describe_inaturalist2018(options);
    const std::filesystem::path json = json_of(picture_root(set, options), split);
    if (std::error_code unknown; !std::filesystem::exists(json, unknown))
        return open_published_lists(std::move(set),
                                    {.train = {"iNaturalist18_train.txt"},
                                     .test = {"iNaturalist18_val.txt"},
                                     .classes = classes,
                                     .advice = advice},
                                    options, split);
    PictureList list = read_inaturalist(json);
    set.class_names = list.class_names;
    return make_picture_set(std::move(set), split, std::move(list), options);
}

}
