#include "kernels/cuda/plan_table.h"

#include "kernels/error.h"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace bkd::kernels::cuda {

PlanTable PlanTable::read(const std::string& path) {
    PlanTable table;
    std::error_code status;
    if (!std::filesystem::exists(path, status) && !status) return table;
    std::ifstream file(path);
    if (status || !std::filesystem::is_regular_file(path) || !file)
        throw InputError({.id = 502,
                          .what = "the table of cuDNN's engines cannot be read",
                          .at = path,
                          .why = "it decides which engines run, and so every bit of the results",
                          .try_ = "a file that can be read, or none"});
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        if (line.empty() || line.front() == '#') continue;
        const std::size_t colon = line.rfind(": ");
        int rank = -1;
        const char* end = line.data() + line.size();
        if (colon != std::string::npos) {
            const auto [stop, error] = std::from_chars(line.data() + colon + 2, end, rank);
            if (error != std::errc{} || stop != end) rank = -1;
        }
        if (rank < 0)
            throw InputError({.id = 404,
                              .what = fmt::format("line {} is no choice of an engine", number),
                              .at = path,
                              .why = "a line is a convolution, \": \", and a place in cuDNN's ranking",
                              .try_ = "remove the file; bkd bench step --device cuda --tune FILE writes a new one"});
        const std::string key = line.substr(0, colon);
        if (table.find(key))
            throw InputError({.id = 404,
                              .what = fmt::format("line {} chooses a second engine for one convolution", number),
                              .at = path,
                              .why = printable(key),
                              .try_ = "one line a convolution"});
        table.add(key, rank);
    }
    return table;
}

std::optional<int> PlanTable::find(const std::string& key) const {
    const auto found = choices_.find(key);
    return found == choices_.end() ? std::nullopt : std::optional(found->second);
}

void PlanTable::write(const std::string& path) const {
    const std::string temporary = path + ".new";
    std::ofstream file(temporary);
    file << "# cuDNN's engines by convolution: the fastest of those that give the same bits every time, in the "
            "precision\n"
            "# asked for. Written by bkd bench step --tune.\n";
    for (const auto& [key, rank] : choices_) file << key << ": " << rank << '\n';
    file.close();
    if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
        std::remove(temporary.c_str());
        throw InputError({.id = 601,
                          .what = "cannot write the table of engines",
                          .at = path,
                          .try_ = "a folder that can be written to"});
    }
}

}
