#include "train/fault_dump.h"

#include "engine/safetensors.h"

#include <fmt/format.h>

namespace bkd {
namespace {

template <class T>
TensorToStore stored(std::string name, ElementType type, const Shape& shape, const std::vector<T>& numbers) {
    std::vector<std::int64_t> extents;
    for (int i = 0; i < shape.rank(); ++i) extents.push_back(shape[i]);
    return {std::move(name), type, std::move(extents), std::as_bytes(std::span(numbers))};
}

Json facts(const std::string& stage, const FaultReport& report) {
    Json json = Json::Object{{"schema", "bkd.nonfinite/1"},
                             {"stage", stage},
                             {"epoch", report.epoch},
                             {"step", report.step},
                             {"loss", report.loss}};
    if (!report.first) return json;
    const FirstFault& first = *report.first;
    Json::Object op{{"op", first.op},       {"call", first.call},   {"shape", first.shape.str()},
                    {"value", first.value}, {"count", first.count}, {"samples", Json::array(first.samples)}};
    if (first.largest_input) op.emplace_back("largest_input", *first.largest_input);
    json.set("first", std::move(op));
    return json;
}

}

void write_fault(const std::filesystem::path& folder, const std::string& stage, const FaultReport& report,
                 const FileSystem& system) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);  // where that fails, the writer says so
    std::vector<TensorToStore> tensors;
    if (!report.images.empty()) tensors.push_back(stored("images", ElementType::f32, report.shape, report.images));
    const Shape n{static_cast<std::int64_t>(report.indices.size())};
    tensors.push_back(stored("indices", ElementType::i32, n, report.indices));
    tensors.push_back(stored("labels", ElementType::i32, n, report.labels));
    write_file_atomically(folder / "batch.safetensors", safetensors_bytes(std::move(tensors), {}, Checksums::yes),
                          Overwrite::yes, "batch of the fault", system);
    write_file_atomically(folder / "step.json", facts(stage, report).dump() + "\n", Overwrite::yes,
                          "facts of the fault", system);
}

}
