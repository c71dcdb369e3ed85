// fashion_mnist: 70,000 grey pictures of clothes, 28 x 28, in four IDX files; Debian's package dataset-fashion-mnist
// puts them (.gz) where root "auto" looks.
#include "data/dataset.h"
#include "data/idx.h"

namespace bkd {

ImageSet describe_fashion_mnist(const DatasetOptions&) {
    ImageSet set;
    set.name = "fashion_mnist";
    set.class_names = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                       "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
    set.height = 28, set.width = 28, set.channels = 1;
    set.mean = {0.2860F};
    set.deviation = {0.3530F};
    return set;
}

ImageSet open_fashion_mnist(const DatasetOptions& options, Split split) {
    ImageSet set = describe_fashion_mnist({});
    set.split = split;
    read_idx_folder(options.root, "fashion-mnist",
                    "apt-get install dataset-fashion-mnist, or data.root = the folder of the four IDX files", set);
    return set;
}

}
