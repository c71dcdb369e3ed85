#include "kernels/widen.h"

#include <algorithm>

namespace bkd::kernels {

bool has_bf16(const ViewArguments& arguments) {
    return std::any_of(arguments.begin(), arguments.end(),
                       [](const ViewArgument& argument) { return argument.view.dtype == DType::bf16; });
}

Widened::Widened(Stream& stream, const ViewArguments& arguments, bool reads_outputs)
    : stream_(stream), arguments_(arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const ConstView& view = arguments[i].view;
        if (view.dtype != DType::bf16) continue;
        // An output may be an input's memory (a contract's "Aliasing"): then a body must see that.
        bool is_read = reads_outputs;
        std::size_t owner = i;
        for (std::size_t j = arguments.size(); j-- > 0;) {
            const ConstView& other = arguments[j].view;
            if (other.dtype != DType::bf16 || other.data != view.data || other.count() != view.count()) continue;
            is_read = is_read || arguments[j].is_read;
            owner = std::min(owner, j);
        }
        copies_[i].owner = owner;
        if (owner != i) continue;
        const std::size_t bytes = static_cast<std::size_t>(view.count()) * size_of(stream.widens_to());
        copies_[i].block = stream.pool.take(bytes);
        stream.before_use(copies_[i].block.data, bytes);
        if (is_read) stream.convert(view, (*this)[i]);
    }
}

Widened::~Widened() {
    for (const Copy& copy : copies_)
        if (copy.block.data != nullptr) stream_.pool.give(copy.block);
}

View Widened::operator[](std::size_t i) const {
    const ConstView& view = arguments_[i].view;
    if (view.dtype != DType::bf16) return {};
    return {copies_[copies_[i].owner].block.data, view.shape, stream_.widens_to(), view.device};
}

void Widened::round_results() const {
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
        const auto& [view, is_output, is_read] = arguments_[i];
        if (view.dtype == DType::bf16 && is_output)
            stream_.convert((*this)[i], {const_cast<void*>(view.data), view.shape, view.dtype, view.device});
    }
}

}
