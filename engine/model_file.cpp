// Facts in metadata, and the layouts of weights. Sibling: model_check.cpp (a file against a network).
#include "engine/model_file.h"

#include <algorithm>
#include <charconv>

namespace bkd {
namespace {

constexpr std::string_view model_schema = "bkd.model/1", checkpoint_schema = "bkd.ckpt/1";

// "bkd.model/1" and minor versions of it, "bkd.model/1.2", are read; another major number is not.
void check_schema(const std::string& schema, const std::string& path) {
    for (const std::string_view known : {model_schema, checkpoint_schema}) {
        if (schema == known || schema.starts_with(std::string(known) + ".")) return;
        const std::string_view kind = known.substr(0, known.find('/') + 1);
        if (!schema.starts_with(kind)) continue;
        throw InputError(
            {.id = 1006,
             .what = fmt::format("the file has schema \"{}\", this program reads {}", printable(schema), known),
             .at = printable(path),
             .try_ = "a newer version of the program"});
    }
    throw InputError({.id = 404,
                      .what = fmt::format("bkd.schema is \"{}\"", printable(schema)),
                      .at = printable(path),
                      .why = fmt::format("a model file has {}", model_schema)});
}

// A refusal of what `read` reads says under which key of the metadata it stands.
template <class Read>
auto under_key(const SafeTensors& file, const std::string& key, Read read) {
    try {
        return read();
    } catch (const InputError& error) {
        InputError::Parts parts = error.parts();
        parts.at = fmt::format("{}: {}", printable(file.path), key);
        throw InputError(std::move(parts));
    }
}

std::vector<std::int64_t> class_counts_of(const Json& counts) {
    constexpr std::int64_t most = std::int64_t{1} << 40;
    std::vector<std::int64_t> numbers = counts.integers();
    for (std::size_t c = 0; c < numbers.size(); ++c)
        if (numbers[c] < 0 || numbers[c] > most)
            throw InputError({.id = 404,
                              .what = fmt::format("class {} has {} training samples", c, numbers[c]),
                              .why = fmt::format("a count lies in 0..{}", most)});
    return numbers;
}

ModelFacts read_facts(const SafeTensors& file) {
    const auto text = [&](const std::string& key) {
        const auto found = file.metadata.find(key);
        return found == file.metadata.end() ? std::string() : found->second;
    };
    const auto json = [&](const std::string& key) {
        const std::string value = text(key);
        return value.empty() ? Json() : Json::parse(value, file.path + ": " + key);
    };
    ModelFacts facts{.network = json("bkd.network"),
                     .classes = {},
                     .class_counts = {},
                     .preprocess = json("bkd.preprocess"),
                     .preset = text("bkd.preset"),
                     .recipe = json("bkd.recipe"),
                     .commit = text("bkd.commit")};
    if (const Json classes = json("bkd.classes"); !classes.is_null())
        facts.classes = under_key(file, "bkd.classes", [&] { return classes.texts(); });
    if (const Json counts = json("bkd.class_counts"); !counts.is_null())
        facts.class_counts = under_key(file, "bkd.class_counts", [&] { return class_counts_of(counts); });
    const std::size_t names = facts.classes.size(), counts = facts.class_counts.size();
    if (names != 0 && counts != 0 && names != counts)
        throw InputError({.id = 404,
                          .what = fmt::format("bkd.classes has {} names, bkd.class_counts {} numbers", names, counts),
                          .at = printable(file.path)});
    return facts;
}

// Leaves model/<name> and buffer/<name> of a checkpoint, as <name>; returns how many others it had.
std::int64_t keep_model(SafeTensors& file) {
    std::vector<StoredTensor> kept;
    for (StoredTensor& tensor : file.tensors) {
        for (const std::string_view part : {"model/", "buffer/"}) {
            if (!tensor.name.starts_with(part)) continue;
            tensor.name.erase(0, part.size());
            kept.push_back(std::move(tensor));
            break;
        }
    }
    const auto ignored = static_cast<std::int64_t>(file.tensors.size() - kept.size());
    std::ranges::sort(kept, {}, &StoredTensor::name);
    const auto twice = std::ranges::adjacent_find(kept, {}, &StoredTensor::name);
    if (twice != kept.end())
        throw InputError({.id = 405,
                          .what = fmt::format("\"{}\" is both a parameter and a buffer", printable(twice->name)),
                          .at = printable(file.path)});
    file.tensors = std::move(kept);
    return ignored;
}

// [n, a, b] -> [n, b, a]
std::vector<float> swap_inner(std::span<const float> values, std::int64_t n, std::int64_t a, std::int64_t b) {
    BKD_CHECK(static_cast<std::int64_t>(values.size()) == n * a * b, "{} values for {} x {} x {}", values.size(), n, a,
              b);
    std::vector<float> swapped(values.size());
    std::size_t to = 0;
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t k = 0; k < b; ++k)
            for (std::int64_t j = 0; j < a; ++j) swapped[to++] = values[static_cast<std::size_t>((i * a + j) * b + k)];
    return swapped;
}

}

ModelFile read_model_file(const std::filesystem::path& path, const SafeTensorsLimits& limits, std::string_view asked_by,
                          const FileSystem& system, const PthOptions& pth) {
    const InputFile file(path, asked_by, system);
    if (is_pth(file)) {
        Pth read = read_pth(file, path.string(), pth);
        return {.facts = {}, .tensors = std::move(read.tensors), .pth = std::move(read.facts)};
    }
    ModelFile model{.facts = {}, .tensors = read_safetensors(file, path.string(), limits), .pth = {}};
    const auto schema = model.tensors.metadata.find("bkd.schema");
    if (schema == model.tensors.metadata.end()) return model;
    check_schema(schema->second, model.tensors.path);
    model.facts = read_facts(model.tensors);
    if (schema->second.starts_with(checkpoint_schema)) model.ignored = keep_model(model.tensors);
    return model;
}

void write_model_file(const std::filesystem::path& path, const ModelFacts& facts, std::vector<TensorToStore> tensors,
                      Overwrite overwrite, const FileSystem& system) {
    // "format" is what other readers of the format look for to know whose layout it is.
    std::map<std::string, std::string> metadata{{"bkd.schema", std::string(model_schema)}, {"format", "pt"}};
    const auto add = [&](const char* key, const Json& value) {
        if (!value.is_null()) metadata[key] = value.canonical();
    };
    add("bkd.network", facts.network);
    add("bkd.preprocess", facts.preprocess);
    add("bkd.recipe", facts.recipe);
    if (!facts.classes.empty()) add("bkd.classes", Json::array(facts.classes));
    if (!facts.class_counts.empty()) add("bkd.class_counts", Json::array(facts.class_counts));
    if (!facts.preset.empty()) metadata["bkd.preset"] = facts.preset;
    if (!facts.commit.empty()) metadata["bkd.commit"] = facts.commit;
    write_file_atomically(path, safetensors_bytes(std::move(tensors), std::move(metadata), Checksums::yes), overwrite,
                          "model", system);
}

TensorToStore f32_tensor(std::string name, std::vector<std::int64_t> shape, std::span<const float> values) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    BKD_CHECK(count == static_cast<std::int64_t>(values.size()), "{} has {} numbers for {}", name, values.size(),
              count);
    return {
        .name = std::move(name), .type = ElementType::f32, .shape = std::move(shape), .bytes = std::as_bytes(values)};
}

TensorToStore i64_scalar(std::string name, const std::int64_t& value) {
    return {.name = std::move(name),
            .type = ElementType::i64,
            .shape = {},
            .bytes = std::as_bytes(std::span<const std::int64_t, 1>(&value, 1))};
}

std::vector<float> to_file_layout(std::span<const float> weight, std::span<const std::int64_t> shape) {
    BKD_CHECK(shape.size() == 4, "weight {} is not k r s c", shape_text(shape));
    return swap_inner(weight, shape[0], shape[1] * shape[2], shape[3]);
}

std::vector<float> to_memory_layout(std::span<const float> weight, std::span<const std::int64_t> shape) {
    BKD_CHECK(shape.size() == 4, "weight {} is not o i h w", shape_text(shape));
    return swap_inner(weight, shape[0], shape[1], shape[2] * shape[3]);
}

std::vector<float> transposed(std::span<const float> matrix, std::int64_t m, std::int64_t n) {
    return swap_inner(matrix, 1, m, n);
}

}
