#pragma once
// A family is written once, as a list of ops. The list becomes the interface, the class of every backend, the view
// bound to a stream, the names for profiler and check-ops, and the test that every op has cases:
//
//   #define BKD_POOLING_OPS(OP) OP(max_pool_forward, MaxPoolForward) OP(max_pool_backward, MaxPoolBackward)
//   BKD_FAMILY(Pooling, BKD_POOLING_OPS)
//
// checks/<family>.cpp defines `void check(const MaxPoolForward&)` once for all backends: LogicError, with the shapes in
// its text, unless shapes, dtypes, attributes and aliasing are as the family header says. Contents are not looked at: an
// index out of range is found by the body that reads it.
// A body may be handed bf16 arguments widened: widen.h.
// A backend defines `void cpu::Pooling::max_pool_forward(Stream&, const MaxPoolForward&) const`; a check or
// body that is missing does not link. `plan` executes nothing: what it is for happens in LaunchScope.
#include "kernels/widen.h"

#define BKD_OP_PURE(op, Args) virtual void op(Stream&, const Args&) const = 0;
#define BKD_OP_BODY(op, Args) void op(Stream&, const Args&) const override;
#define BKD_OP_EMPTY(op, Args) \
    void op(Stream&, const Args&) const override {}
#define BKD_OP_BOUND(op, Args)                                                                   \
    void op(const Args& args) const {                                                            \
        const ViewArguments arguments = views_of(args);                                          \
        check_devices(stream, #op, arguments);                                                   \
        check(args);                                                                             \
        const LaunchScope scope(stream, #op, arguments, flops_of(args));                         \
        run_body(stream, args, arguments, [&](const Args& given) { family.op(stream, given); }); \
    }
#define BKD_OP_CHECK(op, Args) void check(const Args& args);
#define BKD_OP_NAME(op, Args) #op,

#define BKD_FAMILY_ON(backend, Name, OPS, MEMBER) \
    namespace backend {                           \
    class Name final : public kernels::Name {     \
    public:                                       \
        OPS(MEMBER)                               \
    };                                            \
    }
#define BKD_FAMILY(Name, OPS)                                    \
    OPS(BKD_OP_CHECK)                                            \
    class Name {                                                 \
    public:                                                      \
        virtual ~Name() = default;                               \
        static constexpr const char* ops[] = {OPS(BKD_OP_NAME)}; \
        OPS(BKD_OP_PURE)                                         \
        struct On {                                              \
            const Name& family;                                  \
            Stream& stream;                                      \
            OPS(BKD_OP_BOUND)                                    \
        };                                                       \
    };                                                           \
    BKD_FAMILY_ON(reference, Name, OPS, BKD_OP_BODY)             \
    BKD_FAMILY_ON(cpu, Name, OPS, BKD_OP_BODY)                   \
    BKD_FAMILY_ON(cuda, Name, OPS, BKD_OP_BODY)                  \
    BKD_FAMILY_ON(plan, Name, OPS, BKD_OP_EMPTY)
