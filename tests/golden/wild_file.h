#pragma once
// A golden file with other shapes, attributes and another seed than ops.safetensors, made when it is asked for.
#include "tests/engine/temporary_folder.h"
#include "tests/golden/shared_folder.h"
#include "tools/check/golden.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

namespace bkd::test {

// use(file), unless the generator is not here, or none of two Pythons has NumPy and PyTorch: then it says that it skips.
template <class Use>
void with_wild_file(const Use& use) {
    const std::filesystem::path script = shared_folder() / "golden/make_golden.py";
    if (!std::filesystem::exists(script)) {
        MESSAGE("skipped: no generator of golden files here");
        return;
    }
    const bkd_test::TemporaryFolder folder;
    const std::string out = (folder / "wild.safetensors").string();
    for (const char* python : {"python3", "/usr/bin/python3"}) {
        const std::string command = std::string(python) + " " + script.string() + " --seed 9 --sizes wild --out " + out;
        if (std::system((command + " >/dev/null 2>&1").c_str()) == 0) return use(GoldenFile::read(out));
    }
    MESSAGE("skipped: the generator needs NumPy and PyTorch");
}

}
