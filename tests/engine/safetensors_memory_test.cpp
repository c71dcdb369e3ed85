// A refused file costs at most twice its size and 1 MiB: all memory that operator new hands out is counted.
#include "tests/engine/safetensors_variants.h"

#include <malloc.h>
#include <stdlib.h>

#include <algorithm>
#include <new>

using namespace bkd;
using namespace bkd_test;

namespace {

// Replacing operator new leaves no other place to count in.
std::size_t live_bytes = 0, peak_bytes = 0;

}

void* operator new(std::size_t size) {
    void* memory = ::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    live_bytes += ::malloc_usable_size(memory);
    peak_bytes = std::max(peak_bytes, live_bytes);
    return memory;
}
void operator delete(void* memory) noexcept {
    if (memory != nullptr) live_bytes -= ::malloc_usable_size(memory);
    ::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace {

// `count` tensors without bytes, named by their numbers, and one byte that none of them covers.
std::string many_tensors(std::size_t count, const std::string& shape, const char* escaped) {
    std::string header = "{";
    for (std::size_t i = 0; i < count; ++i)
        header += fmt::format("\"{}{}\":{{\"dtype\":\"U8\",\"shape\":{},\"data_offsets\":[0,0]}},", escaped, i, shape);
    header.back() = '}';
    return file_of(header, 1);
}

}

TEST_CASE("refusing a file takes at most twice its size and 1 MiB of memory") {
    const std::string sound_start = "{\"__metadata__\":{";
    std::string metadata = sound_start;
    for (int i = 0; i < 100000; ++i) metadata += fmt::format("\"{}\":\"\",", i);
    const std::vector<Variant> variants{
        {"65,536 tensors", many_tensors(65536, "[0]", ""), "E0410"},
        {"65,536 tensors of 8 extents", many_tensors(65536, "[0,1,1,1,1,1,1,1]", ""), "E0410"},
        {"65,536 tensors with escapes in their names", many_tensors(65536, "[0]", "\\u0061"), "E0410"},
        {"200,000 tensors", many_tensors(200000, "[0]", ""), "E0407"},
        {"100,000 metadata keys", file_of(metadata + "\"\":\"\"}}", 0), "E0407"},
        {"text of 10 MiB", file_of(sound_start + "\"k\":\"" + std::string(10 << 20, 'x') + "\"}}", 0), "E0407"},
        {"escaped text of 10 MiB", file_of(sound_start + "\"k\":\"\\n" + std::string(10 << 20, 'x') + "\"}}", 0),
         "E0407"},
        {"header of 20 MiB", file_of("{" + std::string(20 << 20, ' ') + "}", 0), "E0407"},
        {"100,000 nested arrays", file_of("{\"a\":" + std::string(100000, '['), 0), "E0403"},
    };
    const TemporaryFolder folder;
    for (const Variant& variant : variants) {
        folder.write("f", variant.file);
        const auto path = folder / "f";
        const std::size_t before = live_bytes;
        peak_bytes = live_bytes;
        const std::string id = id_of([&] { read_safetensors(path); });
        const std::size_t used = peak_bytes - before, allowed = 2 * variant.file.size() + (1 << 20);
        CHECK_MESSAGE(id == variant.id, variant.name);
        CHECK_MESSAGE(used <= allowed, variant.name, ": ", used, " bytes for a file of ", variant.file.size());
    }
}
