// cifar10_lt100: the 12,406 training images of CIFAR-10-LT ratio 100 (selection: imbalance.h, seed 0), class after
// class in the order of the selection, packed to 20 MB by prediction and xz; the test split is CIFAR-10's.
//
// Inside the .xz, n = 12,406: n label bytes; then the planes green, red - green, blue - green (mod 256), each n x 32 x
// 32 bytes, each byte less its prediction from its neighbours left L, above U and above-left C in the same image:
//   C >= max(L, U): min(L, U)     C <= min(L, U): max(L, U)     else L + U - C        (the median of L, U and L + U -
//   C)
// where the first row has only L, the first column only U, and the first pixel is predicted 0.
#include "data/cifar.h"
#include "data/data_file.h"
#include "data/dataset.h"
#include "kernels/error.h"

#include <algorithm>
#include <array>

namespace bkd {

namespace {

constexpr std::array<std::int64_t, 10> counts = {5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50};
constexpr std::size_t samples = 12406, side = 32, plane = side * side;

int value_of(std::byte b) { return std::to_integer<int>(b); }
std::byte sum_of(std::byte a, int b) { return static_cast<std::byte>((value_of(a) + b) & 255); }

void undo_prediction(std::span<std::byte> image) {
    for (std::size_t x = 1; x < side; ++x) image[x] = sum_of(image[x], value_of(image[x - 1]));
    for (std::size_t row = side; row < plane; row += side) {
        image[row] = sum_of(image[row], value_of(image[row - side]));
        for (std::size_t i = row + 1; i < row + side; ++i) {
            const int left = value_of(image[i - 1]), above = value_of(image[i - side]);
            const int corner = value_of(image[i - side - 1]);
            const auto [low, high] = std::minmax(left, above);
            image[i] = sum_of(image[i], std::clamp(left + above - corner, low, high));
        }
    }
}

}

std::vector<std::byte> unpack_cifar10_lt100(std::vector<std::byte> packed) {
    BKD_CHECK(packed.size() == packed_cifar10_lt100_bytes, "{} bytes", packed.size());
    const std::span<std::byte> planes = std::span(packed).subspan(samples);
    for (std::size_t i = 0; i < 3 * samples; ++i) undo_prediction(planes.subspan(i * plane, plane));
    const std::span<std::byte> green = planes.first(samples * plane),
                               red = planes.subspan(samples * plane, samples * plane);
    const std::span<std::byte> blue = planes.last(samples * plane);
    std::vector<std::byte> records;
    records.reserve(packed.size());
    for (std::size_t i = 0; i < samples; ++i) {
        records.push_back(packed[i]);
        const std::size_t first = i * plane, end = first + plane;
        for (std::size_t k = first; k < end; ++k) records.push_back(sum_of(red[k], value_of(green[k])));
        records.insert(records.end(), green.begin() + static_cast<std::ptrdiff_t>(first),
                       green.begin() + static_cast<std::ptrdiff_t>(end));
        for (std::size_t k = first; k < end; ++k) records.push_back(sum_of(blue[k], value_of(green[k])));
    }
    return records;
}

ImageSet describe_cifar10_lt100(const DatasetOptions&) {
    return empty_cifar("cifar10_lt100", Split::train, cifar10_format());
}

ImageSet open_cifar10_lt100(const DatasetOptions& options, Split split) {
    if (split == Split::test) return open_cifar10_test("cifar10_lt100", options.root);
    const CifarFormat format = cifar10_format();
    ImageSet set = empty_cifar("cifar10_lt100", split, format);
    const std::string_view names[] = {"cifar10-lt100-train.res"};
    const std::filesystem::path path = locate_file(options.root, "cifar10-lt100", names,
                                                   "data.root = the folder that holds cifar10-lt100-train.res.xz");
    const std::string shown = printable(path.string());
    Unpacker file = open_data_file(path);
    std::vector<std::byte> packed = read_exactly(file, shown, packed_cifar10_lt100_bytes);
    const std::span<const std::byte> whole = packed;
    set.files.push_back(fact_of(file, shown, {&whole, 1}));
    append_cifar_records(unpack_cifar10_lt100(std::move(packed)), format, shown, set);
    check_class_counts(set, counts, shown);
    return set;
}

}
