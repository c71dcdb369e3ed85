// image_list: pictures of the user's own, named by train.txt and by test.txt or val.txt, lines "path label".
#include "data/picture_set.h"

namespace bkd {

ImageSet describe_image_list(const DatasetOptions& options) { return describe_pictures("image_list", options); }

ImageSet open_image_list(const DatasetOptions& options, Split split) {
    return open_published_lists(describe_image_list(options),
                                {.train = {"train.txt"},
                                 .test = {"test.txt", "val.txt"},
                                 .advice = "data.root = a folder with train.txt and test.txt, lines \"path label\""},
                                options, split);
}

}
