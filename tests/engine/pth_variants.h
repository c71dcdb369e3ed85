#pragma once
// What the tests of hostile archives and pickles share: each is read as a file, in a process of its own.
#include "engine/pth.h"
#include "tests/child.h"
#include "tests/engine/pth_fixture.h"
#include "tests/engine/temporary_folder.h"

namespace bkd_test {

struct PthVariant {
    std::string name;
    std::string file;
    const char* id;  // "accepted" or the id of the refusal
};

inline void check_variants(const std::vector<PthVariant>& variants) {
    const TemporaryFolder folder;
    const auto path = folder / "x.pth";
    for (const PthVariant& variant : variants) {
        CAPTURE(variant.name);
        folder.write("x.pth", variant.file);
        const auto cost = bkd::test::cost_of([&] { bkd::read_pth(path, {}); });
        CAPTURE(cost.said);
        CHECK(cost.id() == variant.id);
        if (std::string_view(variant.id) != "accepted") bkd::test::check_cost(cost, variant.file.size());
    }
}

// One tensor "a" of four f32 in storage "0", as all variants are derived from.
const std::string sound_pickle =
    pickled::whole(pickled::dict({{"a", pickled::tensor(pickled::storage("0", 4), 0, {2, 2}, {2, 1})}}));
const std::map<std::string, std::string> sound_storages{{"0", std::string(16, '\0')}};

}
