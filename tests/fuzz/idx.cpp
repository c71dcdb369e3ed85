// IDX files: plain, or packed by what the first byte says.
#include "data/idx.h"

#include "data/data_file.h"
#include "tests/fuzz/targets.h"

namespace bkd::fuzz {

bool idx(Bytes file) try {
    if (file.empty()) return false;
    // Mostly plain: two of eight go through a decompressor, whose checksums stop most changes.
    const int choice = std::to_integer<int>(file[0]) % 8;
    const Packing packing = choice == 6 ? Packing::gzip : choice == 7 ? Packing::xz : Packing::none;
    const IdxArray array = read_idx(Unpacker({file.begin() + 1, file.end()}, packing, "fuzz"), "fuzz");
    BKD_CHECK(static_cast<std::size_t>(array.shape.count()) == array.elements.size(), "{} with {} elements",
              array.shape.str(), array.elements.size());
    return true;
} catch (const InputError&) { return false; }

}
