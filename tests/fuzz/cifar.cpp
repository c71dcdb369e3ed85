// CIFAR records: the first byte chooses CIFAR-10 or -100 and how many records there must be.
#include "data/cifar.h"

#include "data/data_file.h"
#include "kernels/error.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace bkd::fuzz {

bool cifar(Bytes file) try {
    if (file.empty()) return false;
    const int choice = std::to_integer<int>(file[0]);
    const CifarFormat format = choice % 2 == 0 ? cifar10_format() : cifar100_format();
    const auto records = static_cast<std::uint64_t>(choice / 2 % 4);
    Unpacker opened({file.begin() + 1, file.end()}, Packing::none, "fuzz");
    const std::vector<std::byte> bytes =
        read_exactly(opened, "fuzz", records * static_cast<std::uint64_t>(format.record_bytes()));
    ImageSet set = empty_cifar("fuzz", Split::train, format);
    append_cifar_records(bytes, format, "fuzz", set);
    BKD_CHECK(set.labels.size() == records && set.images.size() == records * 3072, "{} labels", set.labels.size());
    BKD_CHECK(std::ranges::all_of(set.labels, [&](std::int32_t label) { return label < set.classes(); }), "labels");
    return true;
} catch (const InputError&) { return false; }

}
