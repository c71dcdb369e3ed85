// The machine's work, and what is asked of a pickle that has been read. Sibling: pickle_opcodes.cpp.
#include "engine/pickle.h"

#include "engine/pickle_machine.h"

#include <algorithm>

namespace bkd {

using enum PickleKind;

namespace {

constexpr std::size_t most_stack = 65536, most_memo = 1 << 20, most_marks = 256, most_levels = 64;
constexpr std::size_t most_opcodes = 8'000'000, most_unknown = 1024, most_global_bytes = 512;
// What nodes, memo and descriptions of tensors may take: 64 thousand tensors with their names, or a refusal.
constexpr std::size_t most_memory = 48u << 20;
constexpr const char* why_data = "this reader builds tensors only and runs nothing";

}

void PickleMachine::fail(int id, std::string what, std::string why, std::string advice) const {
    throw InputError({.id = id,
                      .what = std::move(what),
                      .at = in_.at(opcode_at_),
                      .why = std::move(why),
                      .try_ = std::move(advice)});
}

PickleFail PickleMachine::fail_here() const {
    return [this](int id, std::string what, std::string why) { fail(id, std::move(what), std::move(why)); };
}

void PickleMachine::run() {
    for (std::size_t opcodes = 0; !is_done_; ++opcodes) {
        opcode_at_ = in_.offset();
        if (opcodes == most_opcodes) fail(418, fmt::format("more than {} opcodes", most_opcodes));
        run_opcode(*this, in_.u8());
    }
    check_levels();
}

void PickleMachine::charge(std::size_t bytes) {
    memory_ += bytes;
    if (memory_ > most_memory) fail(407, fmt::format("the pickle's values take more than {} MiB", most_memory >> 20));
}

void PickleMachine::start(int version) {
    if (version < 2 || version > 5) fail(418, fmt::format("pickle protocol {}, 2 to 5 are read", version));
}

void PickleMachine::stop() {
    pickle_.root = pop();
    if (!stack_.empty() || !marks_.empty()) fail(418, "values are left on the stack at the end");
    if (in_.left() != 0) fail(418, fmt::format("{} bytes follow the end of the pickle", in_.left()));
    is_done_ = true;
}

void PickleMachine::mark() {
    if (marks_.size() == most_marks) fail(418, fmt::format("more than {} marks", most_marks));
    marks_.push_back(stack_.size());
}

std::size_t PickleMachine::pop_mark() {
    if (marks_.empty()) fail(418, "an opcode takes the values after a mark, and there is none");
    const std::size_t mark = marks_.back();
    marks_.pop_back();
    return mark;
}

void PickleMachine::push(PickleValue value) {
    if (stack_.size() == most_stack) fail(418, fmt::format("more than {} values on the stack", most_stack));
    stack_.push_back(value);
}

// The last `count` values are there, and above the last mark.
void PickleMachine::need(std::size_t count) const {
    if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < count)
        fail(418, "an opcode takes more values than there are");
}

PickleValue PickleMachine::pop() {
    need(1);
    const PickleValue value = stack_.back();
    stack_.pop_back();
    return value;
}

void PickleMachine::push_bytes(PickleKind kind, std::uint64_t length) {
    const std::uint64_t begin = in_.offset();
    in_.skip(length);
    push({kind, begin << 32 | length});
}

PickleValue PickleMachine::line() {
    const std::uint64_t begin = in_.offset();
    while (in_.u8() != '\n')
        if (in_.offset() - begin > most_global_bytes + 1) break;  // too long in any case
    return {text, begin << 32 | (in_.offset() - begin - 1)};
}

void PickleMachine::push_integer(std::uint64_t count) {
    if (count > 8) fail(418, fmt::format("an integer of {} bytes, at most 8 are read", count));
    std::uint64_t number = 0;
    for (std::uint64_t i = 0; i < count; ++i) number |= std::uint64_t{in_.u8()} << (8 * i);
    const std::uint64_t unused = 64 - 8 * count;
    const std::int64_t wide = count == 0 ? 0 : static_cast<std::int64_t>(number << unused) >> unused;
    push({integer, static_cast<std::uint64_t>(wide)});
}

void PickleMachine::push_real() {
    const std::uint64_t high = in_.u32be();
    push({real, high << 32 | in_.u32be()});
}

void PickleMachine::push_tuple(std::size_t count) {
    need(count);
    push_node(tuple, stack_.size() - count);
}

void PickleMachine::add_last(PickleKind kind, std::size_t count) {
    need(count + 1);
    add_items(kind, stack_.size() - count);
}

void PickleMachine::push_node(PickleKind kind, std::size_t first) {
    const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<PickleValue> items(from, stack_.end());
    stack_.erase(from, stack_.end());
    // The vector of nodes may be twice as long as needed; an allocation takes 32 bytes and more.
    charge(2 * sizeof(Pickle::Node) + 32 + items.size() * sizeof(PickleValue));
    pickle_.nodes.push_back({std::move(items), static_cast<std::uint32_t>(opcode_at_)});
    push({kind, pickle_.nodes.size() - 1});
}

void PickleMachine::put(std::uint64_t slot) {
    need(1);
    if (slot >= most_memo) fail(418, fmt::format("memo {}, there are {}", slot, most_memo));
    if (slot >= memo_.size()) {
        charge((slot + 1 - memo_.size()) * 2 * sizeof(PickleValue));
        memo_.resize(slot + 1);
    }
    memoized_ += memo_[slot].kind == unset ? 1 : 0;
    memo_[slot] = stack_.back();
}

void PickleMachine::get(std::uint64_t slot) {
    if (slot >= memo_.size() || memo_[slot].kind == unset) fail(418, fmt::format("memo {} is not set", slot));
    push(memo_[slot]);
}

void PickleMachine::add_items(PickleKind kind, std::size_t first) {
    const std::size_t below = marks_.empty() ? 0 : marks_.back();
    if (first <= below || first > stack_.size()) fail(418, "an opcode takes more values than there are");
    const PickleValue target = stack_[first - 1];
    const bool fits = kind == dict ? target.is_dict() : target.kind == kind;
    if (!fits) fail(418, fmt::format("items are added to {} as to {}", name_of(target.kind), name_of(kind)));
    const std::size_t count = stack_.size() - first;
    if (kind == dict && count % 2 != 0) fail(418, "a key without a value");
    if (kind == dict)
        for (std::size_t i = first; i < stack_.size(); i += 2)
            if (stack_[i].is_container() && stack_[i].kind != tuple)
                fail(418, fmt::format("{} is the key of a dict", name_of(stack_[i].kind)));
    charge(2 * count * sizeof(PickleValue));
    std::vector<PickleValue>& items = pickle_.nodes[target.bits].items;
    const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(first);
    items.insert(items.end(), from, stack_.end());
    stack_.erase(from, stack_.end());
}

void PickleMachine::push_global_of_lines() {
    const PickleValue module = line();
    push_global(module, line());
}

void PickleMachine::push_global_of_stack() {
    const PickleValue name = pop(), module = pop();
    if (!module.is_text() || !name.is_text()) fail(418, "a global's name is no text");
    push_global(module, name);
}

void PickleMachine::push_global(PickleValue module_text, PickleValue name_text) {
    const std::string_view module = pickle_.text(module_text), name = pickle_.text(name_text);
    if (module.size() > most_global_bytes || name.size() > most_global_bytes)
        fail(418, fmt::format("a global's name has more than {} bytes", most_global_bytes));
    const std::size_t index = find_global(module, name);
    if (index != no_global) {
        const GlobalMeaning meaning = global_at(index).meaning;
        const bool is_leaf = meaning == GlobalMeaning::opaque || meaning == GlobalMeaning::untyped_storage;
        return push({is_leaf ? opaque : global, index});
    }
    if (unknown_seen_.contains({module, name})) return push({opaque, no_global});
    const std::string full = printable(fmt::format("{}.{}", module, name));
    if (is_model_class(module))
        fail(428, fmt::format("the file is a pickled whole model (\"{}\"), not its numbers", full),
             "to read it would be to run its code", "save state_dict() instead: torch.save(model.state_dict(), FILE)");
    if (unknown_ == UnknownGlobals::refuse)
        fail(427, fmt::format("pickle asks for \"{}\", which is not on the allow-list", full), why_data,
             "get the weights as safetensors from the author");
    if (pickle_.unknown_globals.size() == most_unknown)
        fail(407, fmt::format("{} globals and more are not on the allow-list", most_unknown));
    unknown_seen_.emplace(module, name);
    pickle_.unknown_globals.push_back(full);
    push({opaque, no_global});
}

void PickleMachine::push_storage() {
    const PickleStorage storage = storage_of(pickle_, pop(), fail_here());
    const auto [found, is_new] =
        storages_.try_emplace(pickle_.text(storage.key), static_cast<std::uint32_t>(pickle_.storages.size()));
    if (is_new) {
        charge(128);
        pickle_.storages.push_back(storage);
    }
    const PickleStorage& first = pickle_.storages[found->second];
    if (first.type != storage.type || first.elements != storage.elements)
        fail(419, fmt::format("storage {} is {} numbers of {}, and was {} of {}", printable(found->first),
                              storage.elements, name_of(storage.type), first.elements, name_of(first.type)));
    push({PickleKind::storage, found->second});
}

void PickleMachine::reduce() {
    const PickleValue arguments = pop(), callable = pop();
    if (arguments.kind != tuple) fail(418, fmt::format("a call has {} for arguments", name_of(arguments.kind)));
    if (callable.kind == opaque) return push({opaque, no_global});
    if (callable.kind != global) fail(418, fmt::format("{} is called", name_of(callable.kind)));
    // A copy: what is pushed below moves the nodes.
    const std::vector<PickleValue> items = pickle_.nodes[arguments.bits].items;
    const PickleGlobal& named = global_at(callable.bits);
    const auto refuse = [&] {
        fail(418, fmt::format("{}.{} is called with other arguments than its own", named.module, named.name));
    };
    switch (named.meaning) {
        case GlobalMeaning::tensor:
            charge(2 * sizeof(PickleTensor));
            pickle_.tensors.push_back(tensor_of(pickle_, items, fail_here()));
            return push({PickleKind::tensor, pickle_.tensors.size() - 1});
        case GlobalMeaning::parameter:
            if (items.size() != 3 || items[0].kind != PickleKind::tensor || items[1].kind != boolean ||
                !items[2].is_dict())
                refuse();
            return push(items[0]);
        case GlobalMeaning::ordered_dict: {
            if (items.size() > 1 || (items.size() == 1 && items[0].kind != list)) refuse();
            const std::vector<PickleValue> pairs =
                items.empty() ? std::vector<PickleValue>{} : pickle_.nodes[items[0].bits].items;
            return push_ordered_dict(pairs);
        }
        case GlobalMeaning::set: {
            if (items.size() != 1 || items[0].kind != list) refuse();
            const std::vector<PickleValue> members = pickle_.nodes[items[0].bits].items;
            push_node(set, stack_.size());
            charge(members.size() * sizeof(PickleValue));
            pickle_.nodes.back().items = members;
            return;
        }
        default:
            refuse();
    }
}

void PickleMachine::push_ordered_dict(std::span<const PickleValue> pairs) {
    push_node(ordered_dict, stack_.size());
    for (const PickleValue& pair : pairs) {
        const bool is_pair = (pair.kind == tuple || pair.kind == list) && pickle_.items(pair).size() == 2;
        if (!is_pair) fail(418, "an OrderedDict is made of what is no pair");
        push(pickle_.items(pair)[0]);
        push(pickle_.items(pair)[1]);
        add_items(dict, stack_.size() - 2);
    }
}

// An OrderedDict's attributes are PyTorch's _metadata: dropped. So is the state of a leaf that says nothing.
void PickleMachine::build() {
    const PickleValue state = pop();
    need(1);
    const PickleKind target = stack_.back().kind;
    if (target != opaque && (target != ordered_dict || !state.is_dict()))
        fail(418, fmt::format("{} is given {} as its state", name_of(target), name_of(state.kind)),
             "only an OrderedDict has one, a dict");
}

// Depth first over what the root holds: each node once, none inside itself, at most 64 deep.
void PickleMachine::check_levels() {
    constexpr std::uint8_t on_path = 255;
    std::vector<std::uint8_t> height(pickle_.nodes.size());  // 0: not yet seen
    struct Step {
        std::uint64_t node;
        std::size_t next;
    };
    std::vector<Step> path;
    const auto enter = [&](PickleValue value) {
        if (!value.is_container()) return;
        const std::uint8_t seen = height[value.bits];
        opcode_at_ = pickle_.nodes[value.bits].at;
        if (seen == on_path) fail(418, "a value contains itself");
        if (path.size() + std::max<std::size_t>(seen, 1) > most_levels)
            fail(418, fmt::format("values are nested deeper than {} levels", most_levels));
        if (seen != 0) return;
        height[value.bits] = on_path;
        path.push_back({value.bits, 0});
    };
    enter(pickle_.root);
    while (!path.empty()) {
        Step& step = path.back();
        const std::vector<PickleValue>& items = pickle_.nodes[step.node].items;
        if (step.next < items.size()) {
            enter(items[step.next++]);
            continue;
        }
        std::uint8_t tallest = 0;
        for (const PickleValue& item : items)
            if (item.is_container()) tallest = std::max(tallest, height[item.bits]);
        height[step.node] = static_cast<std::uint8_t>(tallest + 1);
        path.pop_back();
    }
}

const char* name_of(PickleKind kind) {
    constexpr const char* names[] = {"nothing",  "None",      "a boolean",      "an integer",
                                     "a number", "bytes",     "text",           "a tuple",
                                     "a list",   "a dict",    "an OrderedDict", "a set",
                                     "a global", "a storage", "a tensor",       "a value that is not read"};
    return names[static_cast<std::size_t>(kind)];
}

std::string_view Pickle::text(PickleValue value) const {
    const auto part = std::span(bytes).subspan(value.bits >> 32, value.bits & 0xFFFFFFFF);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
}

std::vector<std::int64_t> Pickle::integers(std::uint32_t tuple) const {
    std::vector<std::int64_t> numbers;
    for (const PickleValue& item : nodes[tuple].items) numbers.push_back(item.integer());
    return numbers;
}

const PickleValue* Pickle::find(PickleValue dict, std::string_view key) const {
    const auto pairs = items(dict);
    const PickleValue* found = nullptr;
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
        if (!pairs[i].is_text() || text(pairs[i]) != key) continue;
        if (found != nullptr)
            throw InputError(
                {.id = 405, .what = fmt::format("key \"{}\" appears twice", printable(key)), .at = printable(place)});
        found = &pairs[i + 1];
    }
    return found;
}

Pickle read_pickle(std::vector<std::byte> bytes, std::string place, UnknownGlobals unknown) {
    BKD_CHECK(bytes.size() < std::uint64_t{1} << 32, "a pickle of {} bytes", bytes.size());
    Pickle pickle;
    pickle.place = std::move(place);
    pickle.bytes = std::move(bytes);
    PickleMachine(pickle, unknown).run();
    return pickle;
}

}
