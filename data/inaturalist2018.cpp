// inaturalist2018: 437,513 + 24,426 pictures of 8,142 species, long-tailed as nature is; tested on the official
// validation split, since the test labels were never published. As JSON, as published, or as lists made from it.
#include "data/picture_set.h"

namespace bkd {

ImageSet describe_inaturalist2018(const DatasetOptions& options) {
    return describe_pictures("inaturalist2018", options, {0.466F, 0.471F, 0.380F}, {0.195F, 0.194F, 0.192F});
}

ImageSet open_inaturalist2018(const DatasetOptions& options, Split split) {
    return open_published_lists(
        describe_inaturalist2018(options),
        {.train = {"train2018.json", "iNaturalist18_train.txt"},
         .test = {"val2018.json", "iNaturalist18_val.txt"},
         .classes = 8142,
         .advice = "data.root = the folder of train_val2018/, with train2018.json and val2018.json"},
        options, split);
}

}
