#include "tools/check/corpus.h"

#include "engine/crc32c.h"
#include "tools/check/reproducer.h"
#include "tools/version.h"

#include <algorithm>

namespace bkd {

using kernels::CaseReference;
using kernels::CaseStatus;
using kernels::HostTensor;

namespace {

constexpr std::size_t most_bytes = 1 << 20;  // of an output that is kept whole
constexpr std::int64_t samples = 64;

// Which elements of a tensor are kept.
std::vector<std::size_t> kept(std::size_t count, DType dtype) {
    std::vector<std::size_t> all;
    if (count * size_of(dtype) <= most_bytes)
        for (std::size_t i = 0; i < count; ++i) all.push_back(i);
    else
        for (std::size_t k = 0; k < samples; ++k) all.push_back(k * (count - 1) / (samples - 1));
    return all;
}

HostTensor part_of(const HostTensor& tensor, const std::vector<std::size_t>& elements) {
    if (elements.size() == tensor.values.size()) return tensor;
    HostTensor part = tensor;
    part.shape = {static_cast<std::int64_t>(elements.size())};
    part.values.clear();
    part.is_unwritten.clear();
    part.limits.clear();
    for (const std::size_t i : elements) {
        part.values.push_back(tensor.values[i]);
        if (!tensor.is_unwritten.empty()) part.is_unwritten.push_back(tensor.is_unwritten[i]);
        if (!tensor.limits.empty()) part.limits.push_back(tensor.limits[i]);
    }
    return part;
}

std::uint32_t crc_of(const HostTensor& tensor) { return crc32c(kernels::encoded(tensor.values, tensor.dtype)); }

std::string name_of_output(const std::string& id, std::size_t tensor) { return fmt::format("{}#{}", id, tensor); }

}

void CorpusWriter::add(const CaseReference& c, const std::vector<HostTensor>& outputs) {
    for (std::size_t t = 0; t < outputs.size(); ++t)
        if (const HostTensor& tensor = outputs[t]; tensor.role != HostTensor::Role::input)
            ops_[c.op->op].push_back(
                {name_of_output(c.id(), t), part_of(tensor, kept(tensor.values.size(), tensor.dtype)), crc_of(tensor)});
}

int CorpusWriter::write(const std::filesystem::path& folder, const std::string& device) const {
    for (const auto& [op, all] : ops_) {
        std::vector<std::vector<std::byte>> payloads;
        std::vector<TensorToStore> tensors;
        for (const Stored& stored : all) {
            std::vector<std::int64_t> shape;
            for (int i = 0; i < stored.tensor.shape.rank(); ++i) shape.push_back(stored.tensor.shape[i]);
            payloads.push_back(kernels::encoded(stored.tensor.values, stored.tensor.dtype));
            tensors.push_back({stored.name, element_type(stored.tensor.dtype), shape, payloads.back()});
            const double crc = stored.crc;
            payloads.push_back(kernels::encoded(std::span(&crc, 1), DType::i64));
            tensors.push_back({stored.name + ".crc32c", ElementType::i64, {1}, payloads.back()});
        }
        write_file_atomically(folder / (op + ".safetensors"),
                              safetensors_bytes(tensors,
                                                {{"bkd.corpus", "1"},
                                                 {"bkd.seed", std::to_string(seed_)},
                                                 {"bkd.device", device},
                                                 {"bkd.version", program_version()},
                                                 {"bkd.commit", program_commit()}},
                                                Checksums::yes),
                              Overwrite::yes, "record");
    }
    return static_cast<int>(ops_.size());
}

Corpus::Corpus(std::filesystem::path folder, std::uint64_t seed) : folder_(std::move(folder)), seed_(seed) {
    std::error_code error;
    if (!std::filesystem::is_directory(folder_, error))
        throw InputError({.id = 501,
                          .what = fmt::format("no folder \"{}\"", printable(folder_.string())),
                          .at = "option --against",
                          .try_ = "reference, cpu, cuda:N, or a folder that --record DIR wrote"});
    bool has_any = false;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error))
        has_any = has_any || entry.path().extension() == ".safetensors";
    if (!has_any)
        throw InputError({.id = 404,
                          .what = fmt::format("no record of any op in \"{}\"", printable(folder_.string())),
                          .at = "option --against",
                          .try_ = "bkd check-ops --record DIR"});
}

const SafeTensors* Corpus::file_of(const std::string& op) {
    if (const auto held = files_.find(op); held != files_.end()) return &held->second;
    const std::filesystem::path path = folder_ / (op + ".safetensors");
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return nullptr;
    SafeTensors file = read_safetensors(path, {}, "option --against");
    const auto schema = file.metadata.find("bkd.corpus"), seed = file.metadata.find("bkd.seed");
    if (schema == file.metadata.end() || seed == file.metadata.end())
        throw InputError({.id = 404,
                          .what = "this safetensors file is no record of an op",
                          .at = file.path,
                          .try_ = "a folder that bkd check-ops --record DIR wrote"});
    if (schema->second != "1")
        throw InputError(
            {.id = 1006,
             .what = fmt::format("a record of schema \"{}\", this program reads 1", printable(schema->second)),
             .at = file.path,
             .try_ = "bkd check-ops --record DIR with this version"});
    if (seed->second != std::to_string(seed_))
        throw InputError(
            {.id = 404,
             .what = fmt::format("the record is of seed {}, this run of seed {}", printable(seed->second), seed_),
             .at = file.path,
             .why = "a record holds results; its inputs are drawn again",
             .try_ = fmt::format("--seed {}", printable(seed->second))});
    return &files_.emplace(op, std::move(file)).first->second;
}

CaseRecord Corpus::compare(kernels::CaseChecker& checker, const CaseReference& c) {
    const std::string id = c.id();
    kernels::CaseResult result{.id = id, .seed = kernels::case_seed(id, seed_)};
    const SafeTensors* file = file_of(c.op->op);
    std::vector<HostTensor> got = checker.outputs(c), recorded(got.size());
    std::vector<std::vector<std::size_t>> elements(got.size());  // that are held of each
    bool is_same = true, is_copy_changed = false;
    for (std::size_t t = 0; t < got.size(); ++t) {
        if (got[t].role == HostTensor::Role::input) continue;
        const std::string name = name_of_output(id, t);
        const StoredTensor* stored = file == nullptr ? nullptr : file->find(name);
        const DType dtype = stored == nullptr ? DType::f32 : dtype_of_element(*file, *stored);
        elements[t] = kept(got[t].values.size(), dtype);
        if (stored == nullptr || stored->end - stored->begin != elements[t].size() * size_of(dtype)) {
            result.status = CaseStatus::skip;
            result.detail = stored == nullptr ? "not in the record" : "recorded with other tensors";
            return record_of(result);
        }
        const std::int64_t crc = file->values<std::int64_t>(file->at(name + ".crc32c")).at(0);
        const bool has_changed = dtype != got[t].dtype || crc != static_cast<std::int64_t>(crc_of(got[t]));
        is_same = is_same && !has_changed;
        const bool is_sampled = elements[t].size() < got[t].values.size();
        is_copy_changed =
            is_copy_changed || (dtype == got[t].dtype && has_changed && is_sampled && got[t].bound.is_exact());
        recorded[t] = part_of(got[t], elements[t]);
        recorded[t].values = kernels::decoded(file->bytes(*stored), dtype);
    }
    if (is_same) return record_of(result);
    const kernels::CaseEvidence truth = checker.expected(c);
    for (std::size_t t = 0; t < got.size(); ++t) {
        if (got[t].role == HostTensor::Role::input) continue;
        recorded[t].limits = part_of(truth.want[t], elements[t]).limits;
        for (double& limit : recorded[t].limits) limit *= 2;
        got[t] = part_of(got[t], elements[t]);
    }
    kernels::compare(got, recorded, 1, result);
    if (result.status == CaseStatus::pass && is_copy_changed) {
        result.status = CaseStatus::fail;
        result.kind = kernels::FailKind::bits;
        result.detail = "an output that is nothing but copied numbers has another checksum than recorded";
    }
    return record_of(result);
}

}
