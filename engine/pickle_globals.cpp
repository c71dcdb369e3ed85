#include "engine/pickle_globals.h"

#include "engine/safetensors_header.h"

#include <algorithm>
#include <tuple>

namespace bkd {
namespace {

using enum GlobalMeaning;

// By module, then name. Opaque are the leaves of optimizer states and of numbers that NumPy computed.
constexpr PickleGlobal globals[] = {
    {"__builtin__", "set", set},
    {"_codecs", "encode", opaque},
    {"builtins", "set", set},
    {"collections", "OrderedDict", ordered_dict},
    {"numpy", "dtype", opaque},
    {"numpy._core.multiarray", "scalar", opaque},
    {"numpy.core.multiarray", "scalar", opaque},
    {"torch", "BFloat16Storage", storage, ElementType::bf16},
    {"torch", "BoolStorage", storage, ElementType::boolean},
    {"torch", "ByteStorage", storage, ElementType::u8},
    {"torch", "CharStorage", storage, ElementType::i8},
    {"torch", "DoubleStorage", storage, ElementType::f64},
    {"torch", "FloatStorage", storage, ElementType::f32},
    {"torch", "HalfStorage", storage, ElementType::f16},
    {"torch", "IntStorage", storage, ElementType::i32},
    {"torch", "LongStorage", storage, ElementType::i64},
    {"torch", "ShortStorage", storage, ElementType::i16},
    {"torch", "Size", opaque},
    {"torch", "bfloat16", opaque},
    {"torch", "bool", opaque},
    {"torch", "complex128", opaque},
    {"torch", "complex64", opaque},
    {"torch", "device", opaque},
    {"torch", "float16", opaque},
    {"torch", "float32", opaque},
    {"torch", "float64", opaque},
    {"torch", "int16", opaque},
    {"torch", "int32", opaque},
    {"torch", "int64", opaque},
    {"torch", "int8", opaque},
    {"torch", "uint8", opaque},
    {"torch._utils", "_rebuild_parameter", parameter},
    {"torch._utils", "_rebuild_tensor_v2", tensor},
    {"torch.storage", "UntypedStorage", untyped_storage, ElementType::u8},
};

constexpr bool is_before(const PickleGlobal& a, const PickleGlobal& b) {
    return std::tie(a.module, a.name) < std::tie(b.module, b.name);
}
static_assert(std::is_sorted(std::begin(globals), std::end(globals), is_before));

bool is_digits(std::string_view text) {
    return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Non-negative integers, up to `most` each, as many as a shape may have.
void check_extents(const Pickle& pickle, PickleValue tuple, const char* what, std::int64_t most,
                   const PickleFail& fail) {
    if (tuple.kind != PickleKind::tuple)
        fail(418, fmt::format("the {} of a tensor is {}, not a tuple", what, name_of(tuple.kind)), {});
    const auto items = pickle.items(tuple);
    if (items.size() > max_dims)
        fail(408, fmt::format("a tensor has {} dimensions", items.size()),
             fmt::format("at most {} are read", max_dims));
    for (const PickleValue& item : items) {
        if (item.kind == PickleKind::opaque)
            fail(427, fmt::format("the {} of a tensor holds a value of a global that is not read", what), {});
        if (item.kind != PickleKind::integer)
            fail(418, fmt::format("the {} of a tensor holds {}", what, name_of(item.kind)), {});
        if (item.integer() < 0 || item.integer() > most)
            fail(408, fmt::format("the {} of a tensor holds {}", what, item.integer()),
                 fmt::format("it lies in 0..{}", most));
    }
}

}

std::size_t find_global(std::string_view module, std::string_view name) {
    const auto found = std::lower_bound(std::begin(globals), std::end(globals), PickleGlobal{module, name}, is_before);
    const bool is_there = found != std::end(globals) && found->module == module && found->name == name;
    return is_there ? static_cast<std::size_t>(found - std::begin(globals)) : no_global;
}

const PickleGlobal& global_at(std::size_t index) {
    BKD_CHECK(index < std::size(globals), "global {} of {}", index, std::size(globals));
    return globals[index];
}

bool is_model_class(std::string_view module) { return module == "torch.nn" || module.starts_with("torch.nn."); }

PickleStorage storage_of(const Pickle& pickle, PickleValue id, const PickleFail& fail) {
    const std::string why = "it is (\"storage\", type, key of digits, location, number of elements)";
    const auto refuse = [&](const std::string& what) { fail(418, "persistent id: " + what, why); };
    if (id.kind != PickleKind::tuple) refuse(fmt::format("{} stands for a tuple", name_of(id.kind)));
    const auto parts = pickle.items(id);
    if (parts.size() != 5) refuse(fmt::format("{} parts", parts.size()));
    if (!parts[0].is_text() || pickle.text(parts[0]) != "storage") refuse("it is no storage");
    const bool is_named = parts[1].kind == PickleKind::global || parts[1].kind == PickleKind::opaque;
    const PickleGlobal* type = is_named && parts[1].bits != no_global ? &global_at(parts[1].bits) : nullptr;
    if (type == nullptr || (type->meaning != storage && type->meaning != untyped_storage))
        refuse(fmt::format("{} is no type of a storage", name_of(parts[1].kind)));
    if (!parts[2].is_text() || !is_digits(pickle.text(parts[2]))) refuse("its key is not digits");
    if (!parts[3].is_text()) refuse("its location is not text");
    if (parts[4].kind != PickleKind::integer || parts[4].integer() < 0) refuse("its number of elements is none");
    return {parts[2], type->type, parts[4].integer()};
}

PickleTensor tensor_of(const Pickle& pickle, std::span<const PickleValue> arguments, const PickleFail& fail) {
    if (arguments.size() < 6 || arguments.size() > 7)
        fail(418, fmt::format("a tensor is described by {} values instead of 6 or 7", arguments.size()), {});
    const auto expect = [&](std::size_t i, bool is_right, const char* what) {
        if (arguments[i].kind == PickleKind::opaque)
            fail(427, fmt::format("the {} of a tensor is a value of a global that is not read", what), {});
        if (!is_right) fail(418, fmt::format("the {} of a tensor is {}", what, name_of(arguments[i].kind)), {});
    };
    expect(0, arguments[0].kind == PickleKind::storage, "storage");
    expect(1, arguments[1].kind == PickleKind::integer, "offset");
    expect(4, arguments[4].kind == PickleKind::boolean, "requires_grad");
    expect(5, arguments[5].is_dict(), "dict of hooks");
    check_extents(pickle, arguments[2], "shape", max_extent, fail);
    check_extents(pickle, arguments[3], "stride", INT64_MAX, fail);
    const auto shape = pickle.items(arguments[2]), stride = pickle.items(arguments[3]);
    const PickleStorage& from = pickle.storages[arguments[0].bits];
    if (shape.size() != stride.size())
        fail(408, fmt::format("a tensor has {} extents and {} strides", shape.size(), stride.size()), {});
    const std::int64_t offset = arguments[1].integer();
    std::int64_t last = offset, bytes = size_of(from.type);
    bool overflows = false, is_empty = false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        std::int64_t way = 0;
        overflows = overflows || __builtin_mul_overflow(bytes, shape[i].integer(), &bytes);
        is_empty = is_empty || shape[i].integer() == 0;
        if (is_empty) continue;
        if (__builtin_mul_overflow(shape[i].integer() - 1, stride[i].integer(), &way) ||
            __builtin_add_overflow(last, way, &last))
            last = INT64_MAX;
    }
    if (overflows) fail(408, "a tensor has more than 2^63 bytes", {});
    if (offset < 0 || (!is_empty && last >= from.elements))
        fail(419,
             fmt::format("a tensor reaches from number {} to {} of storage {}, which has {}", offset, last,
                         printable(pickle.text(from.key)), from.elements),
             {});
    return {static_cast<std::uint32_t>(arguments[0].bits), static_cast<std::uint32_t>(arguments[2].bits),
            static_cast<std::uint32_t>(arguments[3].bits), offset};
}

}
