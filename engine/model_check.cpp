// A file as the weights of a network: names, shapes, dtypes, values. Sibling: model_file.cpp.
#include "engine/model_file.h"
#include "engine/parameter.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

constexpr std::size_t most_listed = 5;

bool is_counter(std::string_view name) {
    const std::string_view last = name.substr(name.rfind('.') + 1);  // npos + 1 is 0
    return last == "num_batches_tracked";
}

}

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most_listed); ++i)
        text += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", printable(names[i]));
    return names.size() <= most_listed ? text : fmt::format("{} and {} more", text, names.size() - most_listed);
}

namespace {

// Bits of one element that are all ones in a NaN or an infinity.
std::uint64_t exponent_bits(ElementType type) {
    switch (type) {
        case ElementType::f64:
            return 0x7FF0000000000000u;
        case ElementType::f32:
            return 0x7F800000u;
        case ElementType::f16:
            return 0x7C00u;
        case ElementType::bf16:
            return 0x7F80u;
        default:
            return 0;
    }
}

void check_tensor_values(const SafeTensors& file, const StoredTensor& tensor, NonFinite non_finite) {
    const std::uint64_t exponent = exponent_bits(tensor.type);
    if (exponent == 0) return;
    const bool is_variance = tensor.name.ends_with("running_var");
    const auto size = static_cast<std::size_t>(size_of(tensor.type));
    const std::uint64_t sign = std::uint64_t{1} << (8 * size - 1);
    const auto bytes = file.bytes(tensor);
    for (std::size_t at = 0; at < bytes.size(); at += size) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, bytes.data() + at, size);
        const bool is_finite = (bits & exponent) != exponent;
        const bool is_negative = (bits & sign) != 0 && (bits & ~sign) != 0;
        const auto index = static_cast<std::int64_t>(at / size);
        if (!is_finite && non_finite == NonFinite::refuse)
            throw InputError(
                {.id = 425,
                 .what = fmt::format("tensor \"{}\" holds {} at element {}", printable(tensor.name),
                                     (bits & ~sign) == exponent ? "an infinity" : "NaN", index),
                 .at = file.place(tensor, index),
                 .why = "weights that are not finite predict nothing",
                 .try_ = "an earlier file; bkd inspect FILE TENSOR counts the values that are not finite"});
        if (is_variance && is_finite && is_negative)
            throw InputError({.id = 426,
                              .what = fmt::format("tensor \"{}\" holds a negative variance at element {}",
                                                  printable(tensor.name), index),
                              .at = file.place(tensor, index)});
    }
}

}

std::vector<ExpectedTensor> expected_tensors(const Parameters& parameters) {
    std::vector<ExpectedTensor> expected;
    for (const Parameter& p : parameters.all()) {
        const Shape shape = p.file_shape();
        expected.push_back({p.name, {}});
        for (int i = 0; i < shape.rank(); ++i) expected.back().shape.push_back(shape[i]);
    }
    return expected;
}

TensorComparison compare_tensors(const SafeTensors& file, std::span<const ExpectedTensor> expected) {
    TensorComparison result;
    std::vector<std::string> known;
    for (const ExpectedTensor& wanted : expected) {
        known.push_back(wanted.name);
        const StoredTensor* tensor = file.find(wanted.name);
        if (is_counter(wanted.name)) continue;
        if (tensor == nullptr)
            result.missing.push_back(wanted.name);
        else if (tensor->shape != wanted.shape)
            result.other_shape.push_back(fmt::format("tensor \"{}\" is {}, this network needs {}",
                                                     printable(wanted.name), shape_text(tensor->shape),
                                                     shape_text(wanted.shape)));
        else if (tensor->type != ElementType::f32)
            result.other_type.push_back(fmt::format("tensor \"{}\" is {}, this network needs F32",
                                                    printable(wanted.name), name_of(tensor->type)));
        else
            ++result.matched;
    }
    std::ranges::sort(known);
    for (const StoredTensor& tensor : file.tensors)
        if (!is_counter(tensor.name) && !std::ranges::binary_search(known, tensor.name))
            result.extra.push_back(tensor.name);
    return result;
}

void refuse_differences(const SafeTensors& file, const TensorComparison& found, std::size_t expected) {
    const std::string at = printable(file.path);
    const auto fail = [&](int id, std::string what, std::string why, std::string advice = {}) {
        throw InputError({.id = id,
                          .what = std::move(what),
                          .at = at,
                          .why = std::move(why),
                          .try_ = advice.empty() ? "bkd inspect " + at : std::move(advice)});
    };
    if (file.tensors.empty()) fail(415, "the file has no tensors", fmt::format("this network needs {}", expected));
    const auto count = [&](const std::vector<std::string>& some, const char* verb) {
        return fmt::format("{} of {} tensors {}", some.size(), expected, verb);
    };
    // What is wrong besides, after what leads.
    const std::string missing =
        found.missing.empty() ? "" : fmt::format("; {} are missing: {}", found.missing.size(), listed(found.missing));
    const std::string extra =
        found.extra.empty() ? "" : fmt::format("; {} are of another: {}", found.extra.size(), listed(found.extra));
    if (!found.other_shape.empty())
        fail(413, found.other_shape.front(), count(found.other_shape, "differ; first shown") + missing + extra);
    if (!found.other_type.empty())
        fail(414, found.other_type.front(), count(found.other_type, "differ; first shown") + missing + extra,
             "bkd convert makes F32 of F16, BF16 and F64");
    if (!found.missing.empty()) fail(411, count(found.missing, "are missing"), listed(found.missing) + extra);
    if (!found.extra.empty())
        fail(412, fmt::format("{} tensors are not of this network, which has {}", found.extra.size(), expected),
             listed(found.extra));
}

void check_tensors(const SafeTensors& file, std::span<const ExpectedTensor> expected) {
    refuse_differences(file, compare_tensors(file, expected), expected.size());
}

void check_values(const SafeTensors& tensors, NonFinite non_finite) {
    for (const StoredTensor& tensor : tensors.tensors) check_tensor_values(tensors, tensor, non_finite);
}

}
