// What is read is a sound safetensors file, however it was described. The first byte chooses: the file as it is, or a
// pickle to be put into a sound archive, which no checksum then guards.
#include "engine/pth.h"

#include "tests/engine/pth_fixture.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace bkd::fuzz {

bool pth(Bytes bytes) try {
    if (bytes.empty()) return false;
    const int choice = std::to_integer<int>(bytes[0]);
    const bool is_archive = choice == 'P';
    std::string made;
    if (!is_archive) {
        const std::string pickle(reinterpret_cast<const char*>(bytes.data()) + 1, bytes.size() - 1);
        made = bkd_test::pth_of(pickle, {{"0", std::string(64, '\1')}, {"1", std::string(8, '\1')}});
    }
    const PthOptions options{.skip_unknown_globals = choice % 2 == 1};
    const Pth file = parse_pth(is_archive ? bytes : std::as_bytes(std::span(made)), "fuzz.pth", options);
    std::vector<TensorToStore> tensors;
    std::uint64_t covered = 0;
    for (const StoredTensor& t : file.tensors.tensors) {
        BKD_CHECK(t.begin == covered && t.end >= t.begin, "{} at {}, {} covered", t.name, t.begin, covered);
        covered = t.end;
        tensors.push_back({t.name, t.type, t.shape, file.tensors.bytes(t)});
    }
    BKD_CHECK(covered == file.tensors.data.size(), "{} of {} bytes", covered, file.tensors.data.size());
    const SafeTensors again = parse_safetensors(safetensors_bytes(std::move(tensors), {}, Checksums::no), "written");
    BKD_CHECK(std::ranges::equal(file.tensors.tensors, again.tensors,
                                 [&](const StoredTensor& a, const StoredTensor& b) {
                                     return a.name == b.name && a.type == b.type && a.shape == b.shape &&
                                            std::ranges::equal(file.tensors.bytes(a), again.bytes(b));
                                 }),
              "{} tensors", again.tensors.size());
    return true;
} catch (const InputError&) { return false; }

}
