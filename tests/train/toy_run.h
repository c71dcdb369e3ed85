#pragma once
// A run in a folder that vanishes: ten classes of 8 x 8 pictures in IDX files, and recipes for them.
#include "tests/engine/temporary_folder.h"
#include "tests/train/toy.h"
#include "train/train_run.h"

#include <fmt/format.h>

namespace bkd::test {

class ToyRun {
public:
    ToyRun() {
        write_split("train", 24, 3);
        write_split("t10k", 4, 4);
    }

    // A recipe of the method with these overrides; run folders lie beside the data.
    Recipe recipe(const std::string& method, std::vector<std::string> overrides = {}) const {
        folder_.write(
            "toy.toml",
            fmt::format(
                "recipe = 1\npreset = \"paper\"\n[run]\ndir = \"{0}\"\n[data]\nname = \"fashion_mnist\"\n"
                "root = \"{0}\"\nimbalance = \"long_tailed\"\nimbalance_ratio = 6\n[model]\nname = \"resnet8\"\n"
                "[method]\nname = \"{1}\"\n[batch]\nsize = 16\n[train]\nepochs = 2\n[schedule]\nkind = \"cosine\"\n"
                "[optim]\nlr = 0.05\n[log]\nevery = 3\n",
                folder_.path().string(), method));
        return load_recipe((folder_ / "toy.toml").string(), overrides);
    }
    RunResult train(const std::string& method, const std::string& name, std::vector<std::string> overrides = {},
                    RunOptions options = {}) {
        overrides.push_back("run.name=" + name);
        PlainNarrator narrator([this](std::string_view line) { lines.emplace_back(line); }, 0);
        return train_run(recipe(method, std::move(overrides)), options, narrator);
    }
    RunResult resume(const std::string& name, std::vector<std::string> overrides = {}, RunOptions options = {}) {
        PlainNarrator narrator([this](std::string_view line) { lines.emplace_back(line); }, 0);
        return resume_run(path() / name, overrides, options, narrator);
    }
    const std::filesystem::path& path() const { return folder_.path(); }
    std::string bytes(const std::string& file) const { return bkd_test::TemporaryFolder::text(path() / file); }
    bool said(std::string_view text) const {
        return std::ranges::any_of(lines,
                                   [&](const std::string& line) { return line.find(text) != std::string::npos; });
    }
    std::vector<std::string> lines;

private:
    void write_split(const std::string& part, std::int64_t per_class, std::uint64_t seed) const {
        const ImageSet set = toy_set(std::vector<std::int64_t>(10, per_class), seed);
        const auto n = static_cast<std::uint32_t>(set.size());
        const auto word = [](std::uint32_t v) {
            return std::string{static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
                               static_cast<char>(v)};
        };
        std::string images = word(0x0803) + word(n) + word(8) + word(8), labels = word(0x0801) + word(n);
        for (std::size_t i = 0; i < set.labels.size(); ++i) {
            labels += static_cast<char>(set.labels[i]);
            for (std::size_t p = 0; p < 64; ++p) images += static_cast<char>(set.images[(i * 64 + p) * 3]);
        }
        folder_.write(part + "-images-idx3-ubyte", images);
        folder_.write(part + "-labels-idx1-ubyte", labels);
    }
    bkd_test::TemporaryFolder folder_;
};

// Stops after so many epochs, as a signal would.
inline RunOptions stop_after(int epochs) {
    RunOptions options;
    options.should_stop = [left = epochs]() mutable { return --left == 0; };
    return options;
}

}
