#include "data/cifar.h"

#include "data/data_file.h"
#include "data/dataset.h"
#include "engine/byte_reader.h"
#include "kernels/error.h"

#include <array>

namespace bkd {

namespace {

constexpr std::int64_t plane = 32 * 32;

constexpr std::array<std::string_view, 10> cifar10_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                            "dog",      "frog",       "horse", "ship", "truck"};
constexpr std::array<std::string_view, 100> cifar100_names = {
    "apple",      "aquarium_fish", "baby",         "bear",       "beaver",      "bed",         "bee",
    "beetle",     "bicycle",       "bottle",       "bowl",       "boy",         "bridge",      "bus",
    "butterfly",  "camel",         "can",          "castle",     "caterpillar", "cattle",      "chair",
    "chimpanzee", "clock",         "cloud",        "cockroach",  "couch",       "crab",        "crocodile",
    "cup",        "dinosaur",      "dolphin",      "elephant",   "flatfish",    "forest",      "fox",
    "girl",       "hamster",       "house",        "kangaroo",   "keyboard",    "lamp",        "lawn_mower",
    "leopard",    "lion",          "lizard",       "lobster",    "man",         "maple_tree",  "motorcycle",
    "mountain",   "mouse",         "mushroom",     "oak_tree",   "orange",      "orchid",      "otter",
    "palm_tree",  "pear",          "pickup_truck", "pine_tree",  "plain",       "plate",       "poppy",
    "porcupine",  "possum",        "rabbit",       "raccoon",    "ray",         "road",        "rocket",
    "rose",       "sea",           "seal",         "shark",      "shrew",       "skunk",       "skyscraper",
    "snail",      "snake",         "spider",       "squirrel",   "streetcar",   "sunflower",   "sweet_pepper",
    "table",      "tank",          "telephone",    "television", "tiger",       "tractor",     "train",
    "trout",      "tulip",         "turtle",       "wardrobe",   "whale",       "willow_tree", "wolf",
    "woman",      "worm"};

void append_interleaved(std::span<const std::byte> pixels, std::vector<std::uint8_t>& images) {
    const std::size_t begin = images.size();
    images.resize(begin + pixels.size());
    for (std::size_t c = 0; c < 3; ++c)
        for (std::size_t i = 0; i < plane; ++i)
            images[begin + 3 * i + c] = std::to_integer<std::uint8_t>(pixels[c * plane + i]);
}

// The labels alone, which are looked at before all else: a file with a wrong one is refused in a tenth of a second.
void append_labels(std::span<const std::byte> records, const CifarFormat& format, const std::string& path,
                   ImageSet& set) {
    const auto record = static_cast<std::size_t>(format.record_bytes());
    if (records.size() % record != 0)
        throw InputError(
            {.id = 430,
             .what = fmt::format("file has {} bytes, no multiple of the record's {}", records.size(), record),
             .at = path,
             .try_ = guess_kind(records)});
    const std::size_t count = records.size() / record;
    set.labels.reserve(set.labels.size() + count);
    ByteReader reader(records, path);
    for (std::size_t i = 0; i < count; ++i) {
        reader.skip(static_cast<std::uint64_t>(format.label_bytes - 1));
        const int label = reader.u8();
        if (label >= set.classes())
            throw InputError(
                {.id = 431,
                 .what = fmt::format("label {} of record {} is out of range 0..{}", label, i, set.classes() - 1),
                 .at = reader.at(reader.offset() - 1),
                 .try_ = "copy or download the file again; is it of another data set?"});
        set.labels.push_back(label);
        reader.skip(3 * plane);
    }
}

void append_pixels(std::span<const std::byte> records, const CifarFormat& format, ImageSet& set) {
    const auto record = static_cast<std::size_t>(format.record_bytes());
    const auto label = static_cast<std::size_t>(format.label_bytes);
    set.images.reserve(set.images.size() + records.size() / record * 3 * plane);
    for (; !records.empty(); records = records.subspan(record))
        append_interleaved(records.subspan(label, 3 * plane), set.images);
}

// The official files of one split, each of `records` records.
void read_files(const std::filesystem::path& root, std::string_view folder,
                std::span<const std::vector<std::string_view>> files, std::int64_t records, const CifarFormat& format,
                ImageSet& set) {
    const auto bytes = static_cast<std::uint64_t>(records * format.record_bytes());
    for (const std::vector<std::string_view>& names : files) {
        const std::filesystem::path path = locate_file(
            root, folder, names,
            fmt::format("the binary version of CIFAR-{} ({} bytes); the Python version is a pickle and is not read",
                        set.classes(), bytes));
        const std::string shown = printable(path.string());
        Unpacker file = open_data_file(path);
        const std::vector<std::byte> content = read_exactly(file, shown, bytes);
        append_labels(content, format, shown, set);
        if (&names == &files.back()) {
            const std::vector<std::int64_t> equal(static_cast<std::size_t>(set.classes()), set.size() / set.classes());
            check_class_counts(set, equal, shown);
        }
        append_pixels(content, format, set);
        const std::span<const std::byte> whole = content;
        set.files.push_back(fact_of(file, shown, {&whole, 1}));
    }
}

}

CifarFormat cifar10_format() { return {1, cifar10_names}; }
CifarFormat cifar100_format() { return {2, cifar100_names}; }

ImageSet empty_cifar(std::string_view name, Split split, const CifarFormat& format) {
    ImageSet set;
    set.name = name;
    set.split = split;
    set.class_names.assign(format.class_names.begin(), format.class_names.end());
    set.height = 32, set.width = 32, set.channels = 3;
    set.mean = {0.4914F, 0.4822F, 0.4465F};
    set.deviation = {0.2023F, 0.1994F, 0.2010F};
    return set;
}

void append_cifar_records(std::span<const std::byte> records, const CifarFormat& format, const std::string& path,
                          ImageSet& set) {
    append_labels(records, format, path, set);
    append_pixels(records, format, set);
}

void check_class_counts(const ImageSet& set, std::span<const std::int64_t> expected, const std::string& path) {
    const std::vector<std::int64_t> counts = class_counts(set.labels, set.classes());
    for (std::size_t c = 0; c < counts.size(); ++c)
        if (counts[c] != expected[c])
            throw InputError({.id = 430,
                              .what = fmt::format("class {} ({}) has {} images, the official set has {}", c,
                                                  set.class_names[c], counts[c], expected[c]),
                              .at = path,
                              .try_ = "copy or download the files again"});
}

ImageSet open_cifar10_test(std::string_view name, const std::filesystem::path& root) {
    ImageSet set = empty_cifar(name, Split::test, cifar10_format());
    const std::vector<std::string_view> files[] = {{"test_batch.bin", "cifar10-test.bin"}};
    read_files(root, "cifar-10-batches-bin", files, 10000, cifar10_format(), set);
    return set;
}

ImageSet describe_cifar10(const DatasetOptions&) { return empty_cifar("cifar10", Split::train, cifar10_format()); }
ImageSet describe_cifar100(const DatasetOptions&) { return empty_cifar("cifar100", Split::train, cifar100_format()); }

ImageSet open_cifar10(const DatasetOptions& options, Split split) {
    if (split == Split::test) return open_cifar10_test("cifar10", options.root);
    ImageSet set = empty_cifar("cifar10", split, cifar10_format());
    const std::vector<std::string_view> files[] = {
        {"data_batch_1.bin"}, {"data_batch_2.bin"}, {"data_batch_3.bin"}, {"data_batch_4.bin"}, {"data_batch_5.bin"}};
    read_files(options.root, "cifar-10-batches-bin", files, 10000, cifar10_format(), set);
    return set;
}

ImageSet open_cifar100(const DatasetOptions& options, Split split) {
    ImageSet set = empty_cifar("cifar100", split, cifar100_format());
    const bool is_train = split == Split::train;
    const std::vector<std::string_view> files[] = {{is_train ? "train.bin" : "test.bin"}};
    read_files(options.root, "cifar-100-binary", files, is_train ? 50000 : 10000, cifar100_format(), set);
    return set;
}

}
