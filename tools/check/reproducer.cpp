#include "tools/check/reproducer.h"

#include "kernels/cases/renamed.h"
#include "tools/version.h"

#include <algorithm>

namespace bkd {

using kernels::CaseContents;
using kernels::CaseEvidence;
using kernels::CaseReference;
using kernels::HostTensor;

namespace {

constexpr const char* schema = "1";

Shape shape_of(const SafeTensors& file, const StoredTensor& tensor) {
    if (tensor.shape.size() > static_cast<std::size_t>(Shape::max_rank))
        throw InputError({.id = 408,
                          .what = fmt::format("tensor \"{}\" has {} axes", printable(tensor.name), tensor.shape.size()),
                          .at = file.place(tensor),
                          .why = fmt::format("ops take at most {}", Shape::max_rank)});
    Shape shape;
    for (const std::int64_t extent : tensor.shape) shape.push(extent);
    return shape;
}

std::string metadata(const SafeTensors& file, const char* key) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end())
        throw InputError({.id = 404,
                          .what = fmt::format("this safetensors file has no \"{}\" and is no saved case", key),
                          .at = file.path,
                          .try_ = "a file that bkd check-ops --save-failures DIR wrote"});
    return found->second;
}

struct FileBuilder {
    std::vector<TensorToStore> tensors{};
    std::vector<std::vector<std::byte>> payloads{};  // what the tensors' spans see

    void add(std::string name, const HostTensor& shape_of_it, const std::vector<double>& values, DType dtype) {
        std::vector<std::int64_t> shape;
        for (int i = 0; i < shape_of_it.shape.rank(); ++i) shape.push_back(shape_of_it.shape[i]);
        payloads.push_back(kernels::encoded(values, dtype));
        tensors.push_back({std::move(name), element_type(dtype), std::move(shape), payloads.back()});
    }
};

}

ElementType element_type(DType dtype) {
    constexpr ElementType types[] = {ElementType::f32, ElementType::bf16, ElementType::f64,
                                     ElementType::u8,  ElementType::i32,  ElementType::i64};
    return types[static_cast<std::size_t>(dtype)];
}

DType dtype_of_element(const SafeTensors& file, const StoredTensor& tensor) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f64, DType::u8, DType::i32, DType::i64})
        if (element_type(dtype) == tensor.type) return dtype;
    throw InputError({.id = 409,
                      .what = fmt::format("tensor \"{}\" is {}", printable(tensor.name), name_of(tensor.type)),
                      .at = file.place(tensor),
                      .why = "ops have F32, BF16, F64, U8, I32 and I64"});
}

std::filesystem::path save_reproducer(const std::filesystem::path& folder, const CaseRecord& record,
                                      const CaseEvidence& evidence, const std::string& device) {
    FileBuilder file;
    for (std::size_t t = 0; t < evidence.initial.size(); ++t) {
        const HostTensor& initial = evidence.initial[t];
        const std::string name = fmt::format("tensor{}.", t);
        if (initial.role != HostTensor::Role::output)
            file.add(name + "initial", initial, initial.values, initial.dtype);
        if (initial.role == HostTensor::Role::input || t >= evidence.want.size()) continue;
        file.add(name + "want", initial, evidence.want[t].values, DType::f64);
        file.add(name + "limit", initial, evidence.want[t].limits, DType::f64);
        if (t < evidence.got.size()) file.add(name + "got", initial, evidence.got[t].values, initial.dtype);
    }
    const std::string& id = record.result.id;
    const std::size_t first = id.find('/'), dtype_at = id.find("/" + record.dtype + "/", first);
    const Json attributes(Json::Object{{"op", record.op},
                                       {"attributes", id.substr(first + 1, dtype_at - first - 1)},
                                       {"dtype", record.dtype},
                                       {"distribution", record.dist}});
    const auto bytes = safetensors_bytes(file.tensors,
                                         {{"bkd.reproducer", schema},
                                          {"bkd.case", id},
                                          {"bkd.attributes", attributes.dump()},
                                          {"bkd.seed", std::to_string(record.result.seed)},
                                          {"bkd.kind", kernels::name_of(record.result.kind)},
                                          {"bkd.detail", printable(record.result.detail)},
                                          {"bkd.device", device},
                                          {"bkd.version", program_version()},
                                          {"bkd.commit", program_commit()}},
                                         Checksums::yes);
    const std::filesystem::path path = folder / fmt::format("{}-{}.safetensors", record.op, record.result.seed);
    write_file_atomically(path, bytes, Overwrite::yes, "reproducer");
    return path;
}

Reproducer read_reproducer(const std::filesystem::path& path) {
    const SafeTensors file = read_safetensors(path, {.max_bytes = 4ull << 30});
    const std::string found = metadata(file, "bkd.reproducer");
    if (found != schema)
        throw InputError(
            {.id = 1006,
             .what = fmt::format("a saved case of schema \"{}\", this program reads {}", printable(found), schema),
             .at = file.path,
             .try_ = "the version of bkd that wrote it: bkd inspect FILE shows bkd.version"});
    Reproducer reproducer{.path = file.path,
                          .id = metadata(file, "bkd.case"),
                          .seed = std::strtoull(metadata(file, "bkd.seed").c_str(), nullptr, 10),
                          .initial = {},
                          .want = {}};
    const auto take = [&](std::vector<HostTensor>& into, std::size_t t, const StoredTensor& stored,
                          HostTensor::Role role) -> HostTensor& {
        if (into.size() <= t) into.resize(t + 1);
        const DType dtype = dtype_of_element(file, stored);
        into[t] = {.role = role, .shape = shape_of(file, stored), .dtype = dtype};
        into[t].values = kernels::decoded(file.bytes(stored), dtype);
        return into[t];
    };
    // A tensor has at least what it starts with or what is wanted of it.
    for (std::size_t t = 0;; ++t) {
        const std::string name = fmt::format("tensor{}.", t);
        const StoredTensor *initial = file.find(name + "initial"), *want = file.find(name + "want");
        if (initial == nullptr && want == nullptr) break;
        const HostTensor::Role role = want == nullptr      ? HostTensor::Role::input
                                      : initial == nullptr ? HostTensor::Role::output
                                                           : HostTensor::Role::updated;
        if (initial != nullptr) take(reproducer.initial, t, *initial, role);
        if (want == nullptr) continue;
        HostTensor& wanted = take(reproducer.want, t, *want, role);
        const StoredTensor& limit = file.at(name + "limit");
        if (limit.type != ElementType::f64 || limit.shape != want->shape || want->type != ElementType::f64)
            throw InputError(
                {.id = 408,
                 .what = fmt::format("\"{}limit\" is {} {}, \"{}want\" is {} {}", name, name_of(limit.type),
                                     shape_text(limit.shape), name, name_of(want->type), shape_text(want->shape)),
                 .at = file.place(limit),
                 .why = "both are F64 of one shape"});
        wanted.limits = file.values<double>(limit);
    }
    const std::size_t count = std::max(reproducer.initial.size(), reproducer.want.size());
    reproducer.initial.resize(count);
    reproducer.want.resize(count);
    return reproducer;
}

CaseRecord replay(const Reproducer& reproducer, Backend& tested, Backend& truth,
                  const std::vector<kernels::OpCases>& table, double tolerance_scale) {
    const std::string id = kernels::current_id(reproducer.id);
    const auto refuse = [&](std::string what) {
        return InputError({.id = 404,
                           .what = std::move(what),
                           .at = reproducer.path,
                           .try_ = "the version of bkd that wrote it: bkd inspect FILE shows bkd.version"});
    };
    const std::vector<CaseReference> cases =
        kernels::select(table, {.ops = {id.substr(0, id.find('/'))}, .bench = true});
    const auto found = std::ranges::find_if(cases, [&](const CaseReference& c) { return c.id() == id; });
    if (found == cases.end()) throw refuse(fmt::format("no case \"{}\" in this program", printable(id)));
    kernels::CaseChecker checker(tested, truth, {.tolerance_scale = tolerance_scale});
    const std::vector<HostTensor> own = checker.expected(*found).initial;
    bool fits = own.size() == reproducer.initial.size();
    CaseContents contents;
    std::vector<HostTensor> want = reproducer.want;
    for (std::size_t t = 0; fits && t < own.size(); ++t) {
        const HostTensor &initial = reproducer.initial[t], &wanted = want[t];
        const bool starts = own[t].role != HostTensor::Role::output, ends = own[t].role != HostTensor::Role::input;
        fits = (!starts || (initial.shape == own[t].shape && !initial.values.empty() == (own[t].shape.count() > 0))) &&
               (!ends || (wanted.shape == own[t].shape && wanted.limits.size() == wanted.values.size()));
        if (starts && ends && initial.role != HostTensor::Role::updated) fits = false;
        contents.push_back(initial.values);
        for (double& limit : want[t].limits) limit *= tolerance_scale;
    }
    if (!fits) throw refuse(fmt::format("case \"{}\" has other tensors in this program", printable(id)));
    CaseRecord record = record_of(checker.agrees_with(*found, contents, want, reproducer.seed));
    record.reproducer = reproducer.path;
    return record;
}

}
