#include "engine/model_file.h"
#include "tools/inspect/inspect.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bkd {
namespace {

std::int64_t numbers_of(const StoredTensor& t) { return static_cast<std::int64_t>(t.end - t.begin) / size_of(t.type); }

void print_tensors(const SafeTensors& file) {
    std::int64_t numbers = 0;
    for (const StoredTensor& t : file.tensors) {  // by name
        fmt::print("{:<48} {:<5} {:<20} {:>10} bytes\n", printable(t.name), name_of(t.type), shape_text(t.shape),
                   t.end - t.begin);
        numbers += numbers_of(t);
    }
    fmt::print("{} tensors, {} numbers, {} bytes of data\n", file.tensors.size(), numbers, file.data.size());
}

struct TensorSummary {
    double norm = 0, mean = 0, deviation = 0;  // of the finite values
    float low = INFINITY, high = -INFINITY;
    std::int64_t nonfinite = 0;
    std::vector<float> first{};
};

TensorSummary summary_of(const std::vector<float>& values) {
    TensorSummary s{.first = {values.begin(), values.begin() + std::min<std::ptrdiff_t>(std::ssize(values), 8)}};
    double sum = 0, square = 0;
    for (const float v : values) {
        if (!std::isfinite(v)) {
            ++s.nonfinite;
            continue;
        }
        sum += v;
        square += static_cast<double>(v) * v;
        s.low = std::min(s.low, v);
        s.high = std::max(s.high, v);
    }
    const double n = static_cast<double>(std::max<std::int64_t>(std::ssize(values) - s.nonfinite, 1));
    s.norm = std::sqrt(square);
    s.mean = sum / n;
    s.deviation = std::sqrt(std::max(0.0, square / n - s.mean * s.mean));
    return s;
}

}

void inspect_tensor(const SafeTensors& file, const std::string& name, bool as_json) {
    const StoredTensor& t = file.at(name);
    if (t.type != ElementType::f32)
        throw InputError({.id = 409,
                          .what = fmt::format("values of {} tensors are not shown", name_of(t.type)),
                          .at = file.place(t)});
    const TensorSummary s = summary_of(file.values<float>(t));
    if (as_json) {
        fmt::print("{}\n", Json(Json::Object{{"schema", "bkd.inspect-tensor/1"},
                                             {"name", t.name},
                                             {"dtype", name_of(t.type)},
                                             {"shape", Json::array(t.shape)},
                                             {"norm", s.norm},
                                             {"mean", s.mean},
                                             {"deviation", s.deviation},
                                             {"min", s.low},
                                             {"max", s.high},
                                             {"nonfinite", s.nonfinite},
                                             {"first", Json::array(s.first)}})
                               .dump());
        return;
    }
    fmt::print("{} {} {}\n", printable(t.name), name_of(t.type), shape_text(t.shape));
    fmt::print("norm {:.6g}  mean {:.6g}  deviation {:.6g}  min {:.6g}  max {:.6g}  not finite {}\n", s.norm, s.mean,
               s.deviation, s.low, s.high, s.nonfinite);
    fmt::print("first:");
    for (const float v : s.first) fmt::print(" {:.7g}", v);
    fmt::print("\n");
}

void inspect_tensors(const SafeTensors& file, bool as_json) {
    if (as_json) {
        Json::Array tensors;
        for (const StoredTensor& t : file.tensors)
            tensors.push_back(
                Json::Object{{"name", t.name}, {"dtype", name_of(t.type)}, {"shape", Json::array(t.shape)}});
        Json::Object metadata;
        for (const auto& [key, value] : file.metadata) metadata.emplace_back(key, value);
        fmt::print(
            "{}\n",
            Json(Json::Object{{"schema", "bkd.inspect/1"}, {"metadata", metadata}, {"tensors", tensors}}).dump());
        return;
    }
    for (const auto& [key, value] : file.metadata) fmt::print("{}: {}\n", printable(key), printable(value));
    print_tensors(file);
}

}
