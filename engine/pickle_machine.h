#pragma once
// The machine that reads a pickle, with its limits. A value is 16 bytes that point into the pickle or name a node;
// nodes lie side by side, so that nothing recurses. Siblings: pickle_opcodes.cpp (which opcode does what), pickle.cpp.
#include "engine/byte_reader.h"
#include "engine/pickle_globals.h"

#include <set>
#include <unordered_map>

namespace bkd {

class PickleMachine {
public:
    // Reads the bytes of `pickle` into its values.
    PickleMachine(Pickle& pickle, UnknownGlobals unknown)
        : pickle_(pickle), in_(pickle.bytes, pickle.place), unknown_(unknown) {}

    void run();

    // What opcodes are made of.
    void start(int version);
    void stop();
    void frame(std::uint64_t length) { in_.need(length); }
    void mark();
    void push(PickleValue value);
    void push_bytes(PickleKind kind, std::uint64_t length);
    void push_integer(std::uint64_t bytes);  // two's complement, little-endian
    void push_real();
    void push_tuple(std::size_t count);
    void push_node(PickleKind kind, std::size_t first);  // of the values from `first` on
    void push_global_of_lines();
    void push_global_of_stack();
    void push_storage();
    void add_items(PickleKind kind, std::size_t first);  // those from `first` on, to the one before
    void add_last(PickleKind kind, std::size_t count);
    std::size_t pop_mark();
    std::size_t top() const { return stack_.size(); }
    void put(std::uint64_t slot);
    void put_next() { put(memoized_); }
    void get(std::uint64_t slot);
    void reduce();
    void build();
    ByteReader& in() { return in_; }

    [[noreturn]] void fail(int id, std::string what, std::string why = {}, std::string advice = {}) const;

private:
    void charge(std::size_t bytes);
    void need(std::size_t count) const;
    PickleValue pop();
    PickleValue line();
    PickleFail fail_here() const;
    void push_global(PickleValue module, PickleValue name);
    void push_ordered_dict(std::span<const PickleValue> pairs);
    void check_levels();

    Pickle& pickle_;
    ByteReader in_;
    UnknownGlobals unknown_;
    bool is_done_ = false;
    std::uint64_t opcode_at_ = 0;
    std::size_t memory_ = 0, memoized_ = 0;
    std::vector<PickleValue> stack_, memo_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::string_view, std::uint32_t> storages_;          // by key
    std::set<std::pair<std::string_view, std::string_view>> unknown_seen_;  // module, name
};

// Does what the opcode says; E0418 for one that is not read.
void run_opcode(PickleMachine& machine, std::uint8_t code);

}
