// Every opcode of the pickle protocols: what the machine does, or nothing where it is refused.
#include "engine/pickle_machine.h"

#include <array>

namespace bkd {
namespace {

using enum PickleKind;
using M = PickleMachine;

struct Opcode {
    std::uint8_t code;
    const char* name;
    void (*run)(PickleMachine&);  // null: not read
};

// Refused are those that make objects or call methods, and twins of others that torch.save never writes.
constexpr Opcode opcodes[] = {
    {0x80, "PROTO", [](M& m) { m.start(m.in().u8()); }},
    {0x95, "FRAME", [](M& m) { m.frame(m.in().u64le()); }},
    {'.', "STOP", [](M& m) { m.stop(); }},
    {'(', "MARK", [](M& m) { m.mark(); }},

    {'N', "NONE", [](M& m) { m.push({none}); }},
    {0x88, "NEWTRUE",
     [](M& m) {
         m.push({boolean, 1});
     }},
    {0x89, "NEWFALSE",
     [](M& m) {
         m.push({boolean, 0});
     }},
    {'J', "BININT", [](M& m) { m.push_integer(4); }},
    {'K', "BININT1",
     [](M& m) {
         m.push({integer, m.in().u8()});
     }},
    {'M', "BININT2",
     [](M& m) {
         m.push({integer, m.in().u16le()});
     }},
    {0x8a, "LONG1", [](M& m) { m.push_integer(m.in().u8()); }},
    {'G', "BINFLOAT", [](M& m) { m.push_real(); }},
    {'X', "BINUNICODE", [](M& m) { m.push_bytes(text, m.in().u32le()); }},
    {0x8c, "SHORT_BINUNICODE", [](M& m) { m.push_bytes(text, m.in().u8()); }},
    {0x8d, "BINUNICODE8", [](M& m) { m.push_bytes(text, m.in().u64le()); }},
    {'U', "SHORT_BINSTRING", [](M& m) { m.push_bytes(text, m.in().u8()); }},  // texts of Python 2
    {'C', "SHORT_BINBYTES", [](M& m) { m.push_bytes(bytes, m.in().u8()); }},
    {'B', "BINBYTES", [](M& m) { m.push_bytes(bytes, m.in().u32le()); }},

    {')', "EMPTY_TUPLE", [](M& m) { m.push_tuple(0); }},
    {0x85, "TUPLE1", [](M& m) { m.push_tuple(1); }},
    {0x86, "TUPLE2", [](M& m) { m.push_tuple(2); }},
    {0x87, "TUPLE3", [](M& m) { m.push_tuple(3); }},
    {'t', "TUPLE", [](M& m) { m.push_node(tuple, m.pop_mark()); }},
    {']', "EMPTY_LIST", [](M& m) { m.push_node(list, m.top()); }},
    {'a', "APPEND", [](M& m) { m.add_last(list, 1); }},
    {'e', "APPENDS", [](M& m) { m.add_items(list, m.pop_mark()); }},
    {'}', "EMPTY_DICT", [](M& m) { m.push_node(dict, m.top()); }},
    {'s', "SETITEM", [](M& m) { m.add_last(dict, 2); }},
    {'u', "SETITEMS", [](M& m) { m.add_items(dict, m.pop_mark()); }},
    {0x8f, "EMPTY_SET", [](M& m) { m.push_node(set, m.top()); }},
    {0x90, "ADDITEMS", [](M& m) { m.add_items(set, m.pop_mark()); }},

    {'q', "BINPUT", [](M& m) { m.put(m.in().u8()); }},
    {'r', "LONG_BINPUT", [](M& m) { m.put(m.in().u32le()); }},
    {0x94, "MEMOIZE", [](M& m) { m.put_next(); }},
    {'h', "BINGET", [](M& m) { m.get(m.in().u8()); }},
    {'j', "LONG_BINGET", [](M& m) { m.get(m.in().u32le()); }},

    {'c', "GLOBAL", [](M& m) { m.push_global_of_lines(); }},
    {0x93, "STACK_GLOBAL", [](M& m) { m.push_global_of_stack(); }},
    {'Q', "BINPERSID", [](M& m) { m.push_storage(); }},
    {'R', "REDUCE", [](M& m) { m.reduce(); }},
    {'b', "BUILD", [](M& m) { m.build(); }},

    {'0', "POP", nullptr},
    {'1', "POP_MARK", nullptr},
    {'2', "DUP", nullptr},
    {'F', "FLOAT", nullptr},
    {'I', "INT", nullptr},
    {'L', "LONG", nullptr},
    {'P', "PERSID", nullptr},
    {'S', "STRING", nullptr},
    {'T', "BINSTRING", nullptr},
    {'V', "UNICODE", nullptr},
    {'d', "DICT", nullptr},
    {'g', "GET", nullptr},
    {'i', "INST", nullptr},
    {'l', "LIST", nullptr},
    {'o', "OBJ", nullptr},
    {'p', "PUT", nullptr},
    {0x81, "NEWOBJ", nullptr},
    {0x82, "EXT1", nullptr},
    {0x83, "EXT2", nullptr},
    {0x84, "EXT4", nullptr},
    {0x8b, "LONG4", nullptr},
    {0x8e, "BINBYTES8", nullptr},
    {0x91, "FROZENSET", nullptr},
    {0x92, "NEWOBJ_EX", nullptr},
    {0x96, "BYTEARRAY8", nullptr},
    {0x97, "NEXT_BUFFER", nullptr},
    {0x98, "READONLY_BUFFER", nullptr},
};

constexpr std::array<Opcode, 256> by_code = [] {
    std::array<Opcode, 256> all{};
    for (const Opcode& opcode : opcodes) all[opcode.code] = opcode;
    return all;
}();

}

void run_opcode(PickleMachine& machine, std::uint8_t code) {
    const Opcode& opcode = by_code[code];
    if (opcode.run != nullptr) return opcode.run(machine);
    machine.fail(418,
                 opcode.name == nullptr ? fmt::format("pickle opcode {:#04x} is unknown", code)
                                        : fmt::format("pickle opcode {} ({:#04x}) is not read", opcode.name, code),
                 "this reader builds tensors only and runs nothing", "get the weights as safetensors from the author");
}

}
