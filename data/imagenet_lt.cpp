// imagenet_lt: 115,846 + 50,000 pictures of 1,000 classes, as the lists of Liu et al. (2019) cut them from ImageNet.
#include "data/picture_set.h"

namespace bkd {

ImageSet describe_imagenet_lt(const DatasetOptions& options) { return describe_pictures("imagenet_lt", options); }

ImageSet open_imagenet_lt(const DatasetOptions& options, Split split) {
    return open_published_lists(describe_imagenet_lt(options),
                                {.train = {"ImageNet_LT_train.txt"},
                                 .test = {"ImageNet_LT_test.txt"},
                                 .classes = 1000,
                                 .advice = "data.root = the folder of ImageNet's train/ and val/, with the lists "
                                           "ImageNet_LT_train.txt and ImageNet_LT_test.txt of the long-tailed version"},
                                options, split);
}

}
