#include "train/weights.h"

namespace bkd {
namespace {

std::vector<std::int64_t> extents(const Shape& shape) {
    std::vector<std::int64_t> list;
    for (int i = 0; i < shape.rank(); ++i) list.push_back(shape[i]);
    return list;
}

// Calls visit(index in memory, index in the file) for every element.
template <class Visit>
void for_each_element(const Parameter& p, Visit visit) {
    if (p.file_layout == FileLayout::plain) {
        for (std::int64_t i = 0; i < p.shape.count(); ++i) visit(i, i);
    } else if (p.file_layout == FileLayout::transposed) {
        const std::int64_t rows = p.shape[0], columns = p.shape[1];
        for (std::int64_t i = 0; i < rows * columns; ++i) visit(i, i % columns * rows + i / columns);
    } else {  // memory [k, rs, c], file [k, c, rs]
        const std::int64_t area = p.shape[1] * p.shape[2], c = p.shape[3];
        for (std::int64_t i = 0; i < p.shape.count(); ++i) {
            const std::int64_t k = i / (area * c), rs = i / c % area, channel = i % c;
            visit(i, (k * c + channel) * area + rs);
        }
    }
}

}

Weight to_file(const Parameter& p, std::span<const float> memory) {
    BKD_CHECK(static_cast<std::int64_t>(memory.size()) == p.shape.count(), "{} numbers for {} {}", memory.size(),
              p.name, p.shape.str());
    Weight weight{extents(p.file_shape()), std::vector<float>(memory.size())};
    for_each_element(p, [&](std::int64_t in_memory, std::int64_t in_file) {
        weight.numbers[static_cast<std::size_t>(in_file)] = memory[static_cast<std::size_t>(in_memory)];
    });
    return weight;
}

std::vector<float> to_memory(const Parameter& p, const Weight& weight) {
    BKD_CHECK(fits(p, weight), "{} numbers for {} {}", weight.numbers.size(), p.name, p.shape.str());
    std::vector<float> memory(weight.numbers.size());
    for_each_element(p, [&](std::int64_t in_memory, std::int64_t in_file) {
        memory[static_cast<std::size_t>(in_memory)] = weight.numbers[static_cast<std::size_t>(in_file)];
    });
    return memory;
}

bool fits(const Parameter& p, const Weight& weight) {
    return weight.shape == extents(p.file_shape()) &&
           static_cast<std::int64_t>(weight.numbers.size()) == p.shape.count();
}

Weights read_weights(const Context& ctx, const Parameters& parameters) {
    Weights weights;
    for (const Parameter& p : parameters.all()) weights[p.name] = to_file(p, parameters.read(ctx, p));
    return weights;
}

void write_weights(const Context& ctx, Parameters& parameters, const Weights& weights) {
    for (Parameter& p : parameters.all()) {
        const auto found = weights.find(p.name);
        BKD_CHECK(found != weights.end(), "no weights for {}", p.name);
        parameters.write(ctx, p, to_memory(p, found->second));
    }
}

StageResult stage_result_of(const ModelFile& file, const Parameters* expected, const IsUnused& is_unused) {
    if (expected != nullptr) {
        std::vector<ExpectedTensor> wanted = expected_tensors(*expected);
        if (is_unused) std::erase_if(wanted, [&](const ExpectedTensor& t) { return is_unused(t.name); });
        TensorComparison found = compare_tensors(file.tensors, wanted);
        if (is_unused) std::erase_if(found.extra, is_unused);
        refuse_differences(file.tensors, found, wanted.size());
    }
    check_values(file.tensors);
    StageResult result{.name = file.tensors.path};
    for (const StoredTensor& stored : file.tensors.tensors)
        if (stored.type == ElementType::f32)
            result.weights[stored.name] = {stored.shape, file.tensors.values<float>(stored)};
    if (file.facts) {
        result.class_names = file.facts->classes;
        result.class_counts = file.facts->class_counts;
    }
    return result;
}

StageResult read_stage_result(const std::filesystem::path& path, const Parameters* expected,
                              const std::string& asked_by, const IsUnused& is_unused) {
    return stage_result_of(read_model_file(path, {}, asked_by), expected, is_unused);
}

}
