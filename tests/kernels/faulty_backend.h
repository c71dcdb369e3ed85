#pragma once
// FaultyBackend: a device with a seeded fault in every op, for tests of what tests others. It does what the backend it
// wraps does, and then (or instead) what a wrong kernel would. The wrapped backend's memory must be this machine's.
#include "kernels/backend.h"
#include "kernels/bf16.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace bkd::kernels {

enum class Fault : std::uint8_t {
    none,
    one_element_unwritten,
    nothing_written,
    past_the_end,
    before_the_start,
    wrong_sign,
    wrong_tail,
    not_added,
    nan_dropped,
    infinity_flipped,
    input_changed,
    scratch_read,
    race,  // of two writers: the later one is another one in every second call
    stale,
    bf16_result,
    bf16_accumulation,
    filter_transposed,
    padding_off_by_one,
    last_class_forgotten,
    omega_not_normalised,
    temperature_squared_missing,
    last_of_ties
};

// What a faulty op does around the right one.
class FaultyRun {
public:
    explicit FaultyRun(Fault fault) : fault_(fault) {}

    template <class Args, class Op>
    void operator()(Stream& stream, Args args, Op right) const {
        if (fault_ == Fault::nothing_written) return;
        before(stream, args);
        std::vector<std::byte> unwritten;
        if (fault_ == Fault::one_element_unwritten) unwritten = last_element(args);
        right(args);
        after(args);
        if (!unwritten.empty()) std::memcpy(last(args), unwritten.data(), unwritten.size());
        if (fault_ == Fault::last_of_ties) take_last_of_ties(args);
        if (fault_ == Fault::scratch_read) read_scratch(stream, args);
        if (fault_ == Fault::stale) give_earlier(args);
        if (fault_ == Fault::bf16_accumulation) accumulate_in_bf16(args);
    }

private:
    template <class Args>
    void before(Stream&, Args& args) const {
        if constexpr (requires { args.y.accumulate; })
            if (fault_ == Fault::not_added) args.y.accumulate = false;
        if constexpr (std::is_same_v<Args, Distillation>) {
            if (fault_ == Fault::omega_not_normalised) args.form = BkdForm::eq7;
        }
        if constexpr (std::is_same_v<Args, Conv2dForward>) {
            if (fault_ == Fault::filter_transposed) args.w = transposed(args.w);
            if (fault_ == Fault::padding_off_by_one) args.x = moved_down(args.x);
        }
    }
    template <class Args>
    void after(const Args& args) const {
        int written = 0;
        for (const auto& [view, is_output, is_read] : views_of(args)) {
            if (view.dtype == DType::f32 && is_output && written++ == 0)
                spoil_output(view.count(), static_cast<float*>(const_cast<void*>(view.data)), view);
            if (!is_output && fault_ == Fault::input_changed && view.bytes() > 0)
                static_cast<std::byte*>(const_cast<void*>(view.data))[0] ^= std::byte{1};
        }
        if constexpr (std::is_same_v<Args, Distillation>) {
            if (fault_ == Fault::temperature_squared_missing && args.kl)
                args.kl.template as<float>()[0] /= static_cast<float>(args.temperature * args.temperature);
        }
    }
    void spoil_output(std::int64_t count, float* y, const ConstView& view) const {
        switch (fault_) {
            case Fault::past_the_end:
                y[count] = 1;
                break;
            case Fault::before_the_start:
                y[-1] = 1;
                break;
            case Fault::wrong_sign:
                if (count > 0) y[0] = -y[0];
                break;
            case Fault::wrong_tail:
                if (count > 1) y[count - 1] = y[count - 2];
                break;
            case Fault::race:
                if (count > 0 && ++calls_ % 2 == 0) y[0] = std::nextafter(y[0], 2 * y[0] + 1);
                break;
            case Fault::last_class_forgotten:
                if (view.rank() > 0)
                    for (std::int64_t i = view.dim(-1) - 1; i < count; i += view.dim(-1)) y[i] = 0;
                break;
            default:
                break;
        }
        for (std::int64_t i = 0; i < count; ++i) {
            if (fault_ == Fault::nan_dropped && std::isnan(y[i])) y[i] = 0;
            if (fault_ == Fault::infinity_flipped && std::isinf(y[i])) y[i] = -y[i];
            if (fault_ == Fault::bf16_result) {
                std::uint32_t bits;
                std::memcpy(&bits, y + i, 4);
                bits &= 0xFFFF0000u;
                std::memcpy(y + i, &bits, 4);
            }
        }
    }
    // The first output's last element.
    template <class Args>
    std::byte* last(const Args& args) const {
        std::byte* at = nullptr;
        for (const auto& [view, is_output, is_read] : views_of(args)) {
            if (!is_output || at != nullptr || view.count() == 0) continue;
            at = static_cast<std::byte*>(const_cast<void*>(view.data)) + view.bytes() -
                 static_cast<std::int64_t>(size_of(view.dtype));
        }
        return at;
    }
    template <class Args>
    std::vector<std::byte> last_element(const Args& args) const {
        const std::byte* at = last(args);
        return at == nullptr ? std::vector<std::byte>{} : std::vector<std::byte>(at, at + 4);
    }
    // w [k, r, s, c] with its taps mirrored about the diagonal, r = s.
    ConstView transposed(const ConstView& w) const {
        const std::int64_t k = w.dim(0), r = w.dim(1), c = w.dim(3);
        copy_.assign(w.as<float>(), w.as<float>() + w.count());
        for (std::int64_t i = 0; i < w.count() && r == w.dim(2); ++i) {
            const std::int64_t channel = i % c, column = i / c % r, row = i / c / r % r, filter = i / c / r / r % k;
            copy_[static_cast<std::size_t>(((filter * r + column) * r + row) * c + channel)] = w.as<float>()[i];
        }
        return {copy_.data(), w.shape, w.dtype, w.device};
    }
    // x [n, h, w, c] one row lower, as if one more row of zeros were above it.
    ConstView moved_down(const ConstView& x) const {
        const std::int64_t row = x.dim(2) * x.dim(3), image = x.dim(1) * row;
        copy_.assign(static_cast<std::size_t>(x.count()), 0);
        for (std::int64_t i = 0; i < x.count(); ++i)
            if (i % image >= row) copy_[static_cast<std::size_t>(i)] = x.as<float>()[i - row];
        return {copy_.data(), x.shape, x.dtype, x.device};
    }
    // The first output holds what the call before left in one of its size.
    template <class Args>
    void give_earlier(const Args& args) const {
        for (const auto& [view, is_output, is_read] : views_of(args)) {
            if (!is_output) continue;
            auto* const y = static_cast<std::byte*>(const_cast<void*>(view.data));
            std::vector<std::byte> now(y, y + view.bytes());
            if (earlier_.size() == now.size()) std::copy(earlier_.begin(), earlier_.end(), y);
            earlier_ = std::move(now);
            return;
        }
    }
    template <class Args>
    void accumulate_in_bf16(const Args& args) const {
        if constexpr (std::is_same_v<Args, Gemm>) {
            const std::int64_t m = args.out.view.dim(0), n = args.out.view.dim(1),
                               k = args.a.dim(args.transpose_a ? 0 : 1);
            for (std::int64_t i = 0; i < m * n; ++i) {
                float sum = 0;
                for (std::int64_t j = 0; j < k; ++j) {
                    const float a = args.a.template as<float>()[args.transpose_a ? j * m + i / n : i / n * k + j],
                                b = args.b.template as<float>()[args.transpose_b ? i % n * k + j : j * n + i % n];
                    sum = to_f32(to_bf16(sum + a * b));
                }
                args.out.view.template as<float>()[i] = sum;
            }
        }
    }
    template <class Args>
    void take_last_of_ties(const Args& args) const {
        if constexpr (std::is_same_v<Args, MaxOverTimeForward>) {
            const std::int64_t l = args.x.dim(1), k = args.x.dim(2);
            for (std::int64_t i = 0; i < args.y.count(); ++i)
                for (std::int64_t t = 0; t < l; ++t)
                    if (args.x.template as<float>()[(i / k * l + t) * k + i % k] == args.y.template as<float>()[i])
                        args.index.template as<std::int32_t>()[i] = static_cast<std::int32_t>(t);
        }
    }
    template <class Args>
    void read_scratch(Stream& stream, const Args& args) const {
        const Scratch scratch(stream, 256);
        if (std::byte* at = last(args); at != nullptr) {
            float x;
            std::memcpy(&x, at, 4);
            x += 0 * scratch.as<float>()[0];
            std::memcpy(at, &x, 4);
        }
    }

    Fault fault_;
    mutable int calls_ = 0;
    mutable std::vector<float> copy_;  // an input that the fault has changed
    mutable std::vector<std::byte> earlier_;
};

#define BKD_FAULTY_OP(op, Args)                                         \
    void op(Stream& stream, const Args& args) const override {          \
        run(stream, args, [&](const Args& a) { right.op(stream, a); }); \
    }
#define BKD_FAULTY_FAMILY(accessor, Class, OPS)                                                 \
    struct Faulty##Class final : Class {                                                        \
        Faulty##Class(const Class& family, const FaultyRun& with) : right(family), run(with) {} \
        const Class& right;                                                                     \
        const FaultyRun& run;                                                                   \
        OPS(BKD_FAULTY_OP)                                                                      \
    };
BKD_FAMILIES(BKD_FAULTY_FAMILY)

class FaultyBackend final : public Backend {
public:
    FaultyBackend(Backend& right, Fault fault)
        : Backend(right.device, right.real, host_memory()), right_(right), run_(fault) {}
    std::unique_ptr<Stream> make_stream() override { return right_.make_stream(); }
    void upload(Stream& stream, const View& to, const void* host) override { right_.upload(stream, to, host); }
    void download(Stream& stream, const ConstView& from, void* host) override { right_.download(stream, from, host); }
    std::string description() const override { return "faulty " + right_.description(); }

private:
    Backend& right_;
    FaultyRun run_;

public:
#define BKD_FAULTY_ACCESSOR(accessor, Class, OPS)                  \
    const Class& accessor() const override { return accessor##_; } \
    Faulty##Class accessor##_{right_.accessor(), run_};
    BKD_FAMILIES(BKD_FAULTY_ACCESSOR)
};

}
