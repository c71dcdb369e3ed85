#pragma once
// Which of the known words was meant: for misspelled keys, names and choices (schema.h, recipe.h).
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

// Damerau-Levenshtein distance (insert, delete, replace, exchange two neighbours; each part edited once).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The word within distance 2 that is nearest regardless of case (the first of equals), or empty.
std::string nearest_word(std::string_view word, std::span<const std::string> known);

// All known words, the nearest first, then in their own order: "resnet32, resnet8, ...".
std::string words_nearest_first(std::string_view word, std::span<const std::string> known);

}
