#pragma once
// A folder of recipes for one test, gone at its end, and what loading one of them gives or refuses.
#include "train/recipe.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace bkd::test {

// What every recipe needs, as dotted keys so that text may follow on it.
inline const std::string required_keys = "data.name = \"cifar10\"\nmodel.name = \"resnet8\"\n";

class RecipeFolder {
public:
    RecipeFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "bkd-recipe-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~RecipeFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    RecipeFolder(const RecipeFolder&) = delete;
    RecipeFolder& operator=(const RecipeFolder&) = delete;

    std::filesystem::path write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name, std::ios::binary) << text;
        return path_ / name;
    }

    Recipe load(const std::string& text, const std::vector<std::string>& overrides = {},
                const RecipeOptions& options = {}) const {
        return load_recipe(write("exp.toml", text).string(), overrides, options);
    }

    // The error that loading ends in; its message names files without this folder.
    InputError refused(const std::string& text, const std::vector<std::string>& overrides = {},
                       const RecipeOptions& options = {}) const {
        return refused_file(write("exp.toml", text), overrides, options);
    }

    InputError refused_file(const std::filesystem::path& file, const std::vector<std::string>& overrides = {},
                            const RecipeOptions& options = {}) const {
        try {
            load_recipe(file.string(), overrides, options);
        } catch (const InputError& error) { return InputError(shortened(error.parts())); }
        FAIL_CHECK("the recipe was accepted");
        return InputError({.id = 0, .what = "accepted"});
    }

    InputError::Parts shortened(InputError::Parts parts) const {
        for (std::string* part : {&parts.what, &parts.at, &parts.why, &parts.try_})
            for (std::size_t at; (at = part->find(path_.string() + "/")) != std::string::npos;)
                part->erase(at, path_.string().size() + 1);
        return parts;
    }

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}
