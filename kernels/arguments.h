#pragma once
// What every op's argument struct can be asked without its family saying it twice: which tensors are in it. Profiler,
// plan, checks and case runner stand on it.
#include "kernels/view.h"

#include <array>

namespace bkd::kernels {

struct ViewArgument {
    ConstView view;
    bool is_output;
    bool is_read;  // an input, or an output that is added to
};

class ViewArguments {
public:
    static constexpr std::size_t most = 20;
    void push(const ConstView& view, bool is_output, bool is_read) { all_[count_++] = {view, is_output, is_read}; }
    std::size_t size() const { return count_; }
    const ViewArgument* begin() const { return all_.data(); }
    const ViewArgument* end() const { return all_.data() + count_; }
    const ViewArgument& operator[](std::size_t i) const { return all_[i]; }

private:
    std::array<ViewArgument, most> all_;
    std::size_t count_ = 0;
};

// Every tensor argument, in the order of the members; left-out optional ones are skipped. Defined in arguments.cpp for
// the arguments of every op.
template <class Args>
ViewArguments views_of(const Args& args);

// Puts another view in the place of the tensor argument views_of(args)[i]: how bf16 is widened (widen.h), and how tests
// make arguments that must be refused.
template <class Args>
void change_view(Args& args, std::size_t i, const View& to);

}
