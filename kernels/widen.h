#pragma once
// How a device whose bodies know real numbers alone takes bf16 wherever a contract lists it as storage. Before the body
// every bf16 argument that is read is widened into scratch, the body sees the scratch, and after it the results are
// rounded to the nearest even bf16, once: what the contract asks for, since arithmetic is that of the wide numbers
// anyhow. It costs a pass over each bf16 argument and no memory of the system: scratch is the pool's.
//
// An op that some processors multiply in bf16 says `static constexpr bool may_stay_bf16 = true`: its bodies get bf16 as it
// is where the stream takes it. An op whose bodies look at dtypes themselves says `static constexpr bool takes_any_dtype = true` in its arguments;
// one that writes a part of an output and keeps the rest says keeps_rest.
#include "kernels/stream.h"

#include <array>

namespace bkd::kernels {

class Widened {
public:
    // Takes scratch for the bf16 arguments, one piece for those that are the same memory, and widens what is read;
    // with `reads_outputs` also what is only written to.
    Widened(Stream& stream, const ViewArguments& arguments, bool reads_outputs);
    ~Widened();
    Widened(const Widened&) = delete;

    // The widened copy of argument i; empty if that one is not bf16.
    View operator[](std::size_t i) const;
    void round_results() const;

private:
    Stream& stream_;
    const ViewArguments& arguments_;
    struct Copy {
        Block block{};
        std::size_t owner = 0;  // the first argument in the same memory
    };
    std::array<Copy, ViewArguments::most> copies_;
};

bool has_bf16(const ViewArguments& arguments);

// body(args), with bf16 arguments widened where the stream's device needs it.
template <class Args, class Body>
void run_body(Stream& stream, const Args& args, const ViewArguments& arguments, const Body& body) {
    bool takes_bf16 = stream.widens_to() == DType::bf16;
    if constexpr (requires { Args::may_stay_bf16; }) takes_bf16 = takes_bf16 || stream.multiplies_bf16();
    if constexpr (!requires { Args::takes_any_dtype; })
        if (!takes_bf16 && has_bf16(arguments)) {
            const Widened widened(
                stream, arguments, requires { Args::keeps_rest; });
            Args wide = args;
            for (std::size_t i = 0; i < arguments.size(); ++i)
                if (const View copy = widened[i]) change_view(wide, i, copy);
            body(wide);
            return widened.round_results();
        }
    body(args);
}

}
