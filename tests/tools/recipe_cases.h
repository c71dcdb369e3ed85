#pragma once
// Cases of recipes and overrides on the real program: what is written, and the whole of what is said.
#include "engine/file.h"
#include "tests/engine/temporary_folder.h"
#include "tests/tools/program.h"

#include <doctest/doctest.h>

namespace bkd::test {

struct RecipeCase {
    const char* name;    // number in the list of bad inputs, where it has one
    std::string recipe;  // of exp.toml
    std::string says;    // on standard error: a refusal, warnings, or nothing
    std::vector<std::string> words{};
};

// What every recipe needs, as dotted keys so that text may follow on it.
inline const std::string required = "data.name = \"cifar10\"\nmodel.name = \"resnet8\"\n";
inline std::string with(const std::string& text) { return required + text; }
inline std::string times(int count, const std::string& text) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
}

// 3 of "error[E0302]: ...", 0 of a warning or nothing.
inline int exit_code_of(const std::string& says) {
    return says.starts_with("error[E") ? std::stoi(says.substr(7, 2)) : 0;
}

inline void check_cases(const std::vector<RecipeCase>& cases) {
    const bkd_test::TemporaryFolder folder;
    folder.write("base0.toml", required);
    for (int i = 1; i <= 8; ++i)
        folder.write(fmt::format("base{}.toml", i), fmt::format("base = \"base{}.toml\"\n", i - 1));
    for (const RecipeCase& one : cases) {
        CAPTURE(one.name);
        folder.write("exp.toml", one.recipe);
        std::vector<std::string> words{"inspect", "exp.toml"};
        words.insert(words.end(), one.words.begin(), one.words.end());
        const Said said = run_words(folder.path().string(), words);
        const int code = exit_code_of(one.says);
        CHECK(said.err == (code == 0 ? "" : "\nbkd: ") + one.says);
        CHECK(said.code == code);
        CHECK(said.out.empty() == (code != 0));
    }
}

}
