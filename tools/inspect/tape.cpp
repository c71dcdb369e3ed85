#include "engine/json.h"
#include "tools/inspect/inspect.h"
#include "train/step_tape.h"

#include <algorithm>
#include <cstdio>

namespace bkd {
namespace {

Json tensor_json(const TapeTensor& t) {
    Json::Array shape;
    for (int i = 0; i < t.shape.rank(); ++i) shape.emplace_back(t.shape[i]);
    return Json::Object{{"name", t.name},
                        {"shape", std::move(shape)},
                        {"dtype", name_of(t.dtype)},
                        {"read", t.is_read},
                        {"written", t.is_written}};
}

Json tape_json(const StepTape& tape) {
    Json::Array launches;
    for (const TapeLaunch& l : tape.launches) {
        Json::Array tensors;
        for (const TapeTensor& t : l.tensors) tensors.push_back(tensor_json(t));
        launches.push_back(Json::Object{{"part", l.part},
                                        {"op", l.op},
                                        {"gradient_of", l.gradient_of},
                                        {"layer", l.layer},
                                        {"tensors", std::move(tensors)},
                                        {"flops", l.flops},
                                        {"bytes_read", l.bytes_read},
                                        {"bytes_written", l.bytes_written}});
    }
    return Json::Object{{"stage", tape.stage},
                        {"method", tape.method},
                        {"network", tape.network},
                        {"dtype", name_of(tape.storage)},
                        {"batch", tape.batch},
                        {"parameters", tape.parameters},
                        {"launches", std::ssize(tape.launches)},
                        {"flops", tape.flops()},
                        {"bytes_read", tape.bytes_read()},
                        {"bytes_written", tape.bytes_written()},
                        {"peak_bytes", tape.peak_bytes},
                        {"tape", std::move(launches)}};
}

// "64x16x16x1", of bytes and integers with their type.
std::string text_of(const TapeTensor& t) {
    std::string text;
    for (int i = 0; i < t.shape.rank(); ++i) text += fmt::format("{}{}", i == 0 ? "" : "x", t.shape[i]);
    if (text.empty()) text = "1";
    return t.dtype == DType::f32 ? text : fmt::format("{}:{}", text, name_of(t.dtype));
}

// Neighbours of one shape are said once: "16 (4)".
std::string texts_of(const std::vector<TapeTensor>& tensors, bool written) {
    std::vector<std::pair<std::string, int>> runs;
    for (const TapeTensor& t : tensors) {
        if (t.is_written != written) continue;
        const std::string text = text_of(t) + (t.is_written && t.is_read ? "+=" : "");
        if (runs.empty() || runs.back().first != text) runs.emplace_back(text, 0);
        ++runs.back().second;
    }
    std::string line;
    for (const auto& [text, times] : runs)
        line += (line.empty() ? "" : " ") + (times == 1 ? text : fmt::format("{} ({})", text, times));
    return line;
}

struct PartTotal {
    std::string part{};
    std::int64_t launches = 0, read = 0, written = 0;
    double flops = 0;
};

std::vector<PartTotal> totals_of(const StepTape& tape) {
    std::vector<PartTotal> totals;
    for (const TapeLaunch& l : tape.launches) {
        auto total = std::ranges::find(totals, l.part, &PartTotal::part);
        if (total == totals.end()) total = totals.insert(totals.end(), {.part = l.part});
        ++total->launches;
        total->read += l.bytes_read;
        total->written += l.bytes_written;
        total->flops += l.flops;
    }
    totals.push_back({"step", std::ssize(tape.launches), tape.bytes_read(), tape.bytes_written(), tape.flops()});
    return totals;
}

std::string origin_text(const TapeLaunch& l) {
    if (l.gradient_of.empty() || l.part != "backward") return l.layer;
    return l.layer.empty() ? l.gradient_of : fmt::format("{} ({})", l.layer, l.gradient_of);
}

void print_tape(const StepTape& tape) {
    std::size_t width = 8;
    for (const TapeLaunch& l : tape.launches) width = std::max(width, origin_text(l).size() + 1);
    fmt::print("stage {}: {}, {} of {} parameters, batch {}, activations {}\n", tape.stage, tape.method, tape.network,
               tape.parameters, tape.batch, name_of(tape.storage));
    fmt::print("{:>4} {:<9}{:<25}{:<{}}{:>11}{:>11}{:>9}  {}\n", "#", "part", "op", "layer", width, "read B",
               "written B", "MFLOP", "shapes");
    for (std::size_t i = 0; i < tape.launches.size(); ++i) {
        const TapeLaunch& l = tape.launches[i];
        fmt::print("{:>4} {:<9}{:<25}{:<{}}{:>11}{:>11}{:>9}  {} -> {}\n", i + 1, l.part, l.op, origin_text(l), width,
                   l.bytes_read, l.bytes_written, l.flops == 0 ? "-" : fmt::format("{:.2f}", l.flops / 1e6),
                   texts_of(l.tensors, false), texts_of(l.tensors, true));
    }
    fmt::print("{:<14}{:>9}{:>14}{:>14}{:>12}\n", "total", "launches", "read B", "written B", "MFLOP");
    for (const PartTotal& t : totals_of(tape))
        fmt::print("{:<14}{:>9}{:>14}{:>14}{:>12.2f}\n", t.part, t.launches, t.read, t.written, t.flops / 1e6);
    fmt::print("peak memory {} bytes, without data sets and scratch; flops are those of convolutions and products\n",
               tape.peak_bytes);
}

}

void inspect_tape(const Recipe& recipe, bool as_json) {
    const std::vector<StepTape> tapes = tapes_of(recipe);
    if (as_json) {
        Json::Array stages;
        for (const StepTape& tape : tapes) stages.push_back(tape_json(tape));
        fmt::print("{}\n", Json(Json::Object{{"schema", "bkd.tape/1"},
                                             {"recipe", recipe.name()},
                                             {"config_hash", recipe.hash()},
                                             {"stages", std::move(stages)}})
                               .dump());
        return;
    }
    for (const StepTape& tape : tapes) {
        if (&tape != &tapes.front()) fmt::print("\n");
        print_tape(tape);
    }
}

}
