// fashion_mnist: 70,000 grey pictures of clothes, 28 x 28, in four IDX files; Debian's package dataset-fashion-mnist
// puts them
// (.gz) where root "auto" looks.
#include "data/data_file.h"
#include "data/dataset.h"
#include "data/idx.h"

namespace bkd {

ImageSet open_fashion_mnist(const std::filesystem::path& root, Split split) {
    const std::string part = split == Split::train ? "train" : "t10k";
    const std::string images = part + "-images-idx3-ubyte", labels = part + "-labels-idx1-ubyte";
    const std::string advice = "apt-get install dataset-fashion-mnist, or data.root = the folder of the four IDX files";
    const std::string_view image_names[] = {images}, label_names[] = {labels};
    ImageSet set;
    set.name = "fashion_mnist";
    set.split = split;
    set.class_names = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                       "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
    set.mean = {0.2860F};
    set.deviation = {0.3530F};
    read_idx_set(locate_file(root, "fashion-mnist", image_names, advice),
                 locate_file(root, "fashion-mnist", label_names, advice), set);
    return set;
}

}
