#include "train/schema_nearest.h"

#include <fmt/format.h>

#include <algorithm>

namespace bkd {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Three rows of the usual table: the exchange of neighbours looks two rows back.
    std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(before, above);
        std::swap(above, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
            const bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::string nearest_word(std::string_view word, std::span<const std::string> known) {
    constexpr std::size_t limit = 2;
    const std::string wanted = lower_case(word);
    std::size_t best = limit + 1;
    std::string found;
    for (const std::string& candidate : known) {
        const std::size_t length = candidate.size();
        if (length > wanted.size() + limit || wanted.size() > length + limit) continue;
        // A word that shares nothing with the known one is no misspelling of it.
        const std::size_t distance = edit_distance(wanted, lower_case(candidate));
        if (distance < best && distance < std::max(length, wanted.size())) {
            best = distance;
            found = candidate;
        }
    }
    return found;
}

std::string words_nearest_first(std::string_view word, std::span<const std::string> known) {
    std::vector<std::string> sorted(known.begin(), known.end());
    const std::string wanted = lower_case(word.substr(0, 64));
    std::stable_sort(sorted.begin(), sorted.end(), [&](const std::string& a, const std::string& b) {
        return edit_distance(wanted, lower_case(a)) < edit_distance(wanted, lower_case(b));
    });
    return fmt::format("{}", fmt::join(sorted, ", "));
}

}
