// What is read is written again and reads back to the same tensors.
#include "engine/safetensors.h"

#include "tests/fuzz/targets.h"

#include <algorithm>

namespace bkd::fuzz {
namespace {

bool is_same(const SafeTensors& a, const SafeTensors& b) {
    return a.metadata == b.metadata &&
           std::ranges::equal(a.tensors, b.tensors, [&](const StoredTensor& s, const StoredTensor& t) {
               return s.name == t.name && s.type == t.type && s.shape == t.shape &&
                      std::ranges::equal(a.bytes(s), b.bytes(t));
           });
}

}

bool safetensors(Bytes bytes) try {
    const SafeTensors file = parse_safetensors(bytes, "fuzz.safetensors");
    std::vector<TensorToStore> tensors;
    std::uint64_t covered = 0;
    for (const StoredTensor& t : file.tensors) {
        tensors.push_back({t.name, t.type, t.shape, file.bytes(t)});
        covered += t.end - t.begin;
    }
    BKD_CHECK(covered == file.data.size(), "{} of {} bytes", covered, file.data.size());
    const std::vector<std::byte> written = safetensors_bytes(std::move(tensors), file.metadata, Checksums::no);
    BKD_CHECK(is_same(file, parse_safetensors(written, "written")), "{} tensors", file.tensors.size());
    for (const StoredTensor& t : file.tensors)
        if (t.type == ElementType::boolean) file.values<bool>(t);
    return true;
} catch (const InputError&) { return false; }

}
