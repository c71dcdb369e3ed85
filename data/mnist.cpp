// mnist: 70,000 grey handwritten digits, 28 x 28, in four IDX files.
#include "data/dataset.h"
#include "data/idx.h"

namespace bkd {

ImageSet describe_mnist(const DatasetOptions&) {
    ImageSet set;
    set.name = "mnist";
    set.class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    set.height = 28, set.width = 28, set.channels = 1;
    set.mean = {0.1307F};
    set.deviation = {0.3081F};
    return set;
}

ImageSet open_mnist(const DatasetOptions& options, Split split) {
    ImageSet set = describe_mnist({});
    set.split = split;
    read_idx_folder(options.root, "mnist", "data.root = the folder of the four IDX files, plain or .gz", set);
    return set;
}

}
