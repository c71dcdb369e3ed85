#pragma once
// The keys of a recipe: one table, from which everything about them follows.
//
//   Key     one row: name, type, default, range or choices, whether it affects results, what it means and whose value
//           the default is. A `later` key belongs to a feature that this version does not have: using it is an error.
//   path    a key as written: "optim.lr", or "stages.teacher.optim.lr" for one stage only (the row is that of
//   "optim.lr").
//
// The table drives parsing and checking (recipe_value.h), defaults and their order when printed (recipe.h), the text of
// `bkd help KEY`, the page of keys, and the suggestion after a misspelled key. The rows stand in schema_keys.cpp.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

enum class KeyType { boolean, integer, number, text, choice, path, integers, texts };

// What a key may change. Only `machine` keys may come from the user's own file or the environment.
enum class KeyEffect { result, machine, output };

// What `--resume` may change without being told so: nothing, anything, or to a larger value only.
enum class KeyResume { fixed, free, upwards };

struct Key {
    std::string_view name;  // "optim.lr"; "stages.<name>.epochs" for the three keys every stage has
    KeyType type = KeyType::text;
    std::string_view standard = {};  // default, as TOML; empty: unset
    std::string_view range = {};     // "(0, 100]", of each element of a list; empty: any finite value
    std::string_view choices = {};   // separated by blanks
    std::string_view doc = {};       // one line
    std::string_view source =
        {};                     // whose value the default is: a section of the paper, a row of docs/paper-and-code.md
    std::string_view why = {};  // the rule behind the range, for messages
    std::string_view aliases = {};  // what others call it, for suggestions
    KeyEffect effect = KeyEffect::result;
    KeyResume resume = KeyResume::fixed;
    bool is_required = false;
    bool is_later = false;
};

// All rows, in the order in which a recipe is printed.
std::span<const Key> schema();

// The row of a path, or null. "stages.teacher.optim.lr" has the row of "optim.lr" if that table may differ by stage.
const Key* find_key(std::string_view path);

// "teacher" and "optim.lr" of "stages.teacher.optim.lr"; the stage is empty for any other path.
struct StagePath {
    std::string_view stage;
    std::string_view rest;
};
StagePath split_stage(std::string_view path);

// What to write instead of a path that is no key: the nearest key, or the keys of its table.
std::string suggest_key(std::string_view path);

// The keys that a word without its table means: "epochs" -> train.epochs, "batch-size" -> batch.size. Empty: none.
std::vector<std::string> keys_meant_by(std::string_view word);

// Text of `bkd help KEY`; InputError E0201 for what is no key (its `try` is the suggestion).
std::string key_help(std::string_view path);

// One row per key, as a Markdown table.
std::string schema_markdown();

std::string_view type_name(KeyType type);                      // "a number", as messages say it
std::vector<std::string> split_words(std::string_view words);  // of a list separated by blanks

}
