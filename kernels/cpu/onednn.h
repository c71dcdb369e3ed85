#pragma once
// oneDNN behind our own names: the one place that includes it.
//
// clang-format off
//   Primitive          one oneDNN primitive for fixed shapes, with its memory objects; run() binds pointers, executes
//   WeightedPrimitive  a Primitive whose weights oneDNN keeps in blocks of its own, and the reorder from or to ours
//   PrimitiveCache     those made so far, one of a stream; looked up by op and extents
//   onednn_call        runs a piece of code with the stream's number of threads; what oneDNN refuses becomes a
//                      LogicError, but for memory: E0701
// clang-format on
//
// Scratch comes from the stream's pool, so that a primitive once made takes no memory of the system but for a few small
// blocks inside oneDNN's own execute call.
#include "kernels/cpu/stream.h"

#include <omp.h>

#include <dnnl.hpp>
#include <map>
#include <optional>
#include <utility>

namespace bkd::kernels::cpu {

class Primitive {
public:
    struct Argument {
        int id;  // DNNL_ARG_...
        dnnl::memory::desc description;
    };

    template <class Description>
    Primitive(const Description& description, const dnnl::primitive& primitive, const std::vector<Argument>& arguments,
              const dnnl::engine& engine)
        : primitive_(primitive), scratch_bytes_(description.scratchpad_desc().get_size()) {
        for (const Argument& a : arguments) add(a, engine);
        add({DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}, engine);
    }

    // `pointers` in the order of the constructor's arguments.
    void run(CpuStream& stream, const dnnl::stream& queue, std::initializer_list<const void*> pointers);

private:
    void add(const Argument& a, const dnnl::engine& engine) {
        memory_.emplace_back(a.description, engine, nullptr);
        arguments_.push_back({a.id, memory_.back().get()});
    }

    dnnl::primitive primitive_;
    std::size_t scratch_bytes_;
    std::vector<dnnl::memory> memory_;
    std::vector<dnnl_exec_arg_t> arguments_;
};

struct WeightedPrimitive {
    Primitive main;
    std::optional<Primitive> reorder;  // absent where oneDNN takes our layout as it is
    std::size_t weight_bytes;          // of the blocked weights
};

// Before oneDNN writes machine code: E0701 where the process may not map another 32 MiB. Its generator does not look
// whether it was given memory (2.6 writes to a null pointer).
void require_room();

class PrimitiveCache {
public:
    using Key = std::array<std::int64_t, 20>;

    explicit PrimitiveCache(std::int64_t& made) : made_(made) {}

    // The primitive of this key; make() builds it the first time.
    template <class Make>
    WeightedPrimitive& get(const Key& key, const Make& make) {
        const auto found = primitives_.find(key);
        if (found != primitives_.end()) return found->second;
        require_room();
        WeightedPrimitive& fresh = primitives_.emplace(key, make()).first->second;
        made_ += fresh.reorder ? 2 : 1;
        return fresh;
    }

    // Before products, whose code is written at the first of them.
    void require_room_once() {
        if (!std::exchange(has_room_, true)) require_room();
    }

    const dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    const dnnl::stream queue{engine};

private:
    bool has_room_ = false;
    std::map<Key, WeightedPrimitive> primitives_;
    std::int64_t& made_;
};

// Runs body() while OpenMP, which oneDNN asks, allows the stream's number for it. text() names op and shapes.
template <class Text, class Body>
void onednn_call(const CpuStream& stream, const Text& text, const Body& body) {
    struct Threads {
        explicit Threads(int wanted) : before(omp_get_max_threads()) { omp_set_num_threads(wanted); }
        ~Threads() { omp_set_num_threads(before); }
        Threads(const Threads&) = delete;
        const int before;
    };
    const Threads threads(stream.onednn_threads);
    try {
        body();
    } catch (const dnnl::error& error) {
        if (error.status == dnnl_out_of_memory)
            throw InputError({.id = 701, .what = "oneDNN has no memory", .at = text(), .try_ = "a smaller batch"});
        throw LogicError(
            fmt::format("{}: oneDNN: {} (status {})", text(), error.what(), static_cast<int>(error.status)));
    }
}

}
