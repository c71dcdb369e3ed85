// Recipes: what loads is printed, and loads again to the same experiment.
#include "train/recipe.h"

#include "tests/engine/temporary_folder.h"
#include "tests/fuzz/targets.h"
#include "train/recipe_toml.h"

namespace bkd::fuzz {

bool recipe(Bytes file) try {
    const std::string text(reinterpret_cast<const char*>(file.data()), file.size());
    parse_toml(text, "fuzz.toml");
    static const bkd_test::TemporaryFolder folder;
    folder.write("fuzz.toml", text);
    const Recipe loaded = load_recipe((folder / "fuzz.toml").string());
    folder.write("printed.toml", loaded.print());
    const Recipe again = load_recipe((folder / "printed.toml").string());
    BKD_CHECK(again.hash() == loaded.hash(), "printed as\n{}", loaded.print());
    return true;
} catch (const InputError&) { return false; }

}
