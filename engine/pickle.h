#pragma once
// Python pickles as data: a machine without objects, attributes or calls, for the pickles that torch.save writes.
//
//   const Pickle pickle = read_pickle(std::move(bytes), "w.pth!archive/data.pkl");
//   for (const auto& [key, value] : pickle.pairs(pickle.root)) ...
//
// Values are of a closed set of kinds. A global is looked up by its exact name in one table (pickle_globals.cpp); what
// a "call" of it means is one of that table's few words: a tensor's description, a dict, a set, or a leaf that says
// nothing. Nothing is imported and nothing runs. InputError E0402 where the bytes end too early, E0407 too much, E0408
// shapes, E0418 opcodes, stack and memo, E0419 a storage that contradicts itself, E0427 globals, E0428 whole models.
#include "engine/safetensors.h"

#include <vector>

namespace bkd {

enum class PickleKind : std::uint8_t {
    unset,
    none,
    boolean,
    integer,
    real,
    bytes,
    text,
    tuple,
    list,
    dict,
    ordered_dict,
    set,
    global,   // of the table
    storage,  // `bits` is the index in Pickle::storages
    tensor,   // in Pickle::tensors
    opaque,   // a leaf that says nothing
};
const char* name_of(PickleKind kind);  // "a list"

struct PickleValue {
    PickleKind kind = PickleKind::unset;
    std::uint64_t bits = 0;  // a number's own, a place in the pickle's bytes, or an index

    bool is_dict() const { return kind == PickleKind::dict || kind == PickleKind::ordered_dict; }
    bool is_container() const { return kind >= PickleKind::tuple && kind <= PickleKind::set; }
    bool is_text() const { return kind == PickleKind::text; }
    std::int64_t integer() const { return static_cast<std::int64_t>(bits); }
};

// Numbers that lie in the entry data/<key> of the archive.
struct PickleStorage {
    PickleValue key;  // a text of digits
    ElementType type = ElementType::f32;
    std::int64_t elements = 0;
};

// Element (i, j, ...) is number offset + i * stride[0] + j * stride[1] + ... of the storage, and lies in it.
struct PickleTensor {
    std::uint32_t storage = 0, shape = 0, stride = 0;  // the latter two: tuples of non-negative integers
    std::int64_t offset = 0;
};

struct Pickle {
    struct Node {
        std::vector<PickleValue> items;  // of a dict: key, value, key, value
        std::uint32_t at = 0;            // offset of the opcode that made it
    };
    std::string place;  // names the bytes in messages: "w.pth!archive/data.pkl"
    std::vector<std::byte> bytes;
    std::vector<Node> nodes;  // tuples, lists, dicts, sets
    std::vector<PickleStorage> storages;
    std::vector<PickleTensor> tensors;
    std::vector<std::string> unknown_globals;  // that were skipped: "argparse.Namespace", each once
    PickleValue root;                          // contains itself nowhere; at most 64 levels

    std::span<const PickleValue> items(PickleValue container) const { return nodes[container.bits].items; }
    std::string_view text(PickleValue text) const;  // also of bytes
    std::vector<std::int64_t> integers(std::uint32_t tuple) const;
    // Of a dict: the value under a key of text, null where there is none; InputError E0405 for a key twice.
    const PickleValue* find(PickleValue dict, std::string_view key) const;
};

enum class UnknownGlobals : std::uint8_t { refuse, skip };  // skip: such a value is opaque; nothing of it runs

Pickle read_pickle(std::vector<std::byte> bytes, std::string place, UnknownGlobals unknown = UnknownGlobals::refuse);

}
