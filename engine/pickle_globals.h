#pragma once
// Which globals a pickle may name, and what calling them means. Siblings: pickle.h (values), pickle.cpp (the machine).
#include "engine/pickle.h"

#include <functional>

namespace bkd {

enum class GlobalMeaning : std::uint8_t { tensor, parameter, ordered_dict, set, storage, untyped_storage, opaque };

struct PickleGlobal {
    std::string_view module, name;
    GlobalMeaning meaning = GlobalMeaning::opaque;
    ElementType type = ElementType::f32;  // of a storage
};

// Indices in the table; `npos` where it has no such name.
constexpr std::size_t no_global = SIZE_MAX;
std::size_t find_global(std::string_view module, std::string_view name);
const PickleGlobal& global_at(std::size_t index);

// Whether it is a module of PyTorch's networks: then the file is a pickled whole model.
bool is_model_class(std::string_view module);

// Throws InputError with the place of the opcode.
using PickleFail = std::function<void(int id, std::string what, std::string why)>;

// The storage that a persistent id describes, ("storage", type, key, location, elements). What the location says is
// ignored.
PickleStorage storage_of(const Pickle& pickle, PickleValue id, const PickleFail& fail);

// The tensor that (storage, offset, shape, stride, requires_grad, hooks[, metadata]) describe.
PickleTensor tensor_of(const Pickle& pickle, std::span<const PickleValue> arguments, const PickleFail& fail);

}
