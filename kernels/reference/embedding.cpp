// Rows of a table in f64. Contract: kernels/embedding.h
#include "kernels/embedding.h"

#include "kernels/reference/array.h"

namespace bkd::kernels::reference {

// y[b,l] = w[token]
void Embedding::embedding_forward(Stream&, const EmbeddingForward& args) const {
    const In<std::int32_t> tokens(flat(args.tokens));
    const In w(args.w);
    const std::int64_t count = args.tokens.count(), width = args.w.dim(1);
    const Result y(args.y.reshaped({count, width}));
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t token = tokens(i);
        BKD_CHECK(token >= 0 && token < args.w.dim(0), "token {} at {} of w {}", token, i, args.w.shape.str());
        for (std::int64_t d = 0; d < width; ++d) y(i, d) = w(token, d);
    }
}

// dw[token] += dy, but for padding_index
void Embedding::embedding_backward(Stream&, const EmbeddingBackward& args) const {
    const In<std::int32_t> tokens(flat(args.tokens));
    const std::int64_t count = args.tokens.count(), vocabulary = args.dw.view.dim(0), width = args.dw.view.dim(1);
    const In dy(args.dy.reshaped({count, width}));
    for (std::int64_t i = 0; i < count; ++i)
        BKD_CHECK(tokens(i) >= 0 && tokens(i) < vocabulary, "token {} at {} of dw {}", tokens(i), i,
                  args.dw.view.shape.str());
    std::vector<double> sums(static_cast<std::size_t>(vocabulary * width));
    const Strides at(args.dw.view.shape);
    for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t d = 0; tokens(i) != args.padding_index && d < width; ++d)
            sums[static_cast<std::size_t>(at(tokens(i), d))] += dy(i, d);
    write(args.dw, sums);
}

}
