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
                "root = \"{0}\"\n{2}[model]\nname = \"resnet8\"\n"
                "[method]\nname = \"{1}\"\n[batch]\nsize = 16\n[train]\nepochs = 2\n[schedule]\nkind = \"cosine\"\n"
                "[optim]\nlr = 0.05\n[log]\nevery = 3\n",
                folder_.path().string(), method, cut));
        return load_recipe((folder_ / "toy.toml").string(), overrides);
    }
    RunResult train(const std::string& method, const std::string& name, std::vector<std::string> overrides = {},
                    RunOptions options = {}) {
        overrides.push_back("run.name=" + name);
        if (options.threads == 0) options.threads = 1;  // several gain nothing at this size
        PlainNarrator narrator([this](std::string_view line) { lines.emplace_back(line); }, 0);
        return train_run(recipe(method, std::move(overrides)), options, narrator);
    }
    RunResult resume(const std::string& name, std::vector<std::string> overrides = {}, RunOptions options = {}) {
        if (options.threads == 0) options.threads = 1;
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
    std::string cut = "imbalance = \"long_tailed\"\nimbalance_ratio = 6\n";  // in the recipe's [data]

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

// By the steps in their names.
inline std::vector<std::filesystem::path> checkpoints(const ToyRun& toy, const std::string& run) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(toy.path() / run / "checkpoints"))
        paths.push_back(entry.path());
    std::ranges::sort(paths, {}, [](const auto& p) { return p.stem().string().substr(p.stem().string().rfind("-s")); });
    return paths;
}

// The records of a log that an uninterrupted run would have, without what may differ.
inline std::vector<std::string> comparable_log(const ToyRun& toy, const std::string& run) {
    const std::string text = toy.bytes(run + "/log.jsonl");
    std::vector<std::pair<std::int64_t, std::string>> records;
    for (std::size_t at = 0, end = text.find('\n'); end != std::string::npos; at = end + 1, end = text.find('\n', at)) {
        const Json line = Json::parse(std::string_view(text).substr(at, end - at), "log");
        const std::string& type = line.at("type").text();
        const Json* step = line.find("step");
        if (type == "resume")
            std::erase_if(records, [&](const auto& record) { return record.first > step->integer(); });
        if (type == "run" || type == "resume" || type == "warn" || type == "signal" || type == "end") continue;
        Json::Object kept;
        for (const auto& [key, value] : line.members())
            if (key != "t" && key != "up" && key != "seg" && key != "sec" && key != "img_s" && key != "wait_ms")
                kept.emplace_back(key, value);
        records.emplace_back(step == nullptr ? 0 : step->integer(), Json(std::move(kept)).dump());
    }
    std::vector<std::string> lines;
    for (auto& [step, line] : records) lines.push_back(std::move(line));
    return lines;
}

// What an error says; empty if nothing was thrown.
inline std::string message_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const InputError& error) { return error.message(); }
    return {};
}

// Stops after so many epochs.
inline RunOptions stop_after(int epochs) {
    RunOptions options;
    options.should_stop = [left = epochs]() mutable { return --left == 0; };
    return options;
}

}
