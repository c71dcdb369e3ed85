// places_lt: 62,500 + 36,500 pictures of 365 classes, as the lists of Liu et al. (2019) cut them from Places365.
#include "data/picture_set.h"

namespace bkd {

ImageSet describe_places_lt(const DatasetOptions& options) { return describe_pictures("places_lt", options); }

ImageSet open_places_lt(const DatasetOptions& options, Split split) {
    return open_published_lists(describe_places_lt(options),
                                {.train = {"Places_LT_train.txt"},
                                 .test = {"Places_LT_test.txt"},
                                 .classes = 365,
                                 .advice = "data.root = the folder of Places365's train/ and val/, with the lists "
                                           "Places_LT_train.txt and Places_LT_test.txt of the long-tailed version"},
                                options, split);
}

}
