#include "kernels/cases/case.h"

#include "kernels/bf16.h"

#include <cmath>
#include <cstring>
#include <numeric>

namespace bkd::kernels {
namespace {

constexpr std::size_t guard_bytes = 4096;             // a page; a cache line is 64, a CUDA allocation 256
constexpr std::uint32_t guard_word = 0x7FA57FA5;      // a NaN as f32 and as two bf16
constexpr std::uint32_t unwritten_word = 0x7FC37FC3;  // another: neither arithmetic nor rounding to bf16 makes it
constexpr std::uint32_t scratch_word = 0x7FC17FC1;    // and another: it keeps its bits on the way to a result
constexpr std::uint64_t unwritten_f64 = 0x7FF87FC37FC37FC3;
constexpr std::byte unwritten_byte{0x5A};  // integers

template <class T>
void store(std::vector<std::byte>& bytes, std::size_t i, T x) {
    std::memcpy(bytes.data() + i * sizeof(T), &x, sizeof x);
}
template <class T>
T load(const std::byte* bytes, std::size_t i) {
    T x;
    std::memcpy(&x, bytes + i * sizeof(T), sizeof x);
    return x;
}

// `values` are f32 or f64 numbers.
template <class T>
std::vector<std::byte> encode(std::span<const T> values, DType dtype) {
    std::vector<std::byte> bytes(values.size() * size_of(dtype));
    for (std::size_t i = 0; i < values.size(); ++i) switch (dtype) {
            case DType::f32:
                store(bytes, i, static_cast<float>(values[i]));
                break;
            case DType::f64:
                store(bytes, i, static_cast<double>(values[i]));
                break;
            case DType::bf16:
                store(bytes, i, to_bf16(static_cast<float>(values[i])));
                break;
            case DType::u8:
                store(bytes, i, static_cast<std::uint8_t>(values[i]));
                break;
            case DType::i32:
                store(bytes, i, static_cast<std::int32_t>(values[i]));
                break;
            case DType::i64:
                store(bytes, i, static_cast<std::int64_t>(values[i]));
                break;
        }
    return bytes;
}

double decode(const std::byte* bytes, std::size_t i, DType dtype) {
    switch (dtype) {
        case DType::f32:
            return load<float>(bytes, i);
        case DType::bf16:
            return to_f32(load<Bf16>(bytes, i));
        case DType::f64:
            return load<double>(bytes, i);
        case DType::u8:
            return load<std::uint8_t>(bytes, i);
        case DType::i32:
            return load<std::int32_t>(bytes, i);
        case DType::i64:
            return static_cast<double>(load<std::int64_t>(bytes, i));
    }
    return 0;
}

std::vector<std::byte> unwritten(std::size_t count, DType dtype) {
    std::vector<std::byte> bytes(count * size_of(dtype), unwritten_byte);
    for (std::size_t i = 0; i < count && is_real(dtype); ++i) {
        if (dtype == DType::f64)
            store(bytes, i, unwritten_f64);
        else if (dtype == DType::f32)
            store(bytes, i, unwritten_word);
        else
            store(bytes, i, static_cast<std::uint16_t>(unwritten_word));
    }
    return bytes;
}

// Scratch a kernel takes has held NaN before: up to 256 KiB in one piece, a block of every size class.
void spoil_scratch(Backend& backend, Stream& stream) {
    constexpr std::size_t most = std::size_t{256} << 10;
    std::vector<std::uint32_t> pattern(most / 4, scratch_word);
    std::vector<Block> blocks;
    for (std::size_t bytes = 64; bytes <= most; bytes = Pool::size_class(bytes + 1)) {
        blocks.push_back(stream.pool.take(bytes));
        backend.upload(stream, {blocks.back().data, {static_cast<std::int64_t>(bytes)}, DType::u8, stream.device},
                       pattern.data());
    }
    for (const Block& block : blocks) stream.pool.give(block);
}

}

float rounded_to_bf16(float x) { return to_f32(to_bf16(x)); }

std::vector<std::byte> encoded(std::span<const double> values, DType dtype) {
    std::vector<double> plain(values.begin(), values.end());
    for (double& x : plain)
        if (std::isnan(x)) x = std::nan("");
    return encode(std::span<const double>(plain), dtype);
}

std::vector<double> decoded(std::span<const std::byte> bytes, DType dtype) {
    std::vector<double> values(bytes.size() / size_of(dtype));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = decode(bytes.data(), i, dtype);
    return values;
}

CaseMemory::CaseMemory(Backend& backend, Stream& stream, const CaseMemoryOptions& options)
    : backend_(backend),
      stream_(stream),
      options_(options),
      storage_(options.storage == DType::f32 || options.is_truth ? backend.real : options.storage) {
    spoil_scratch(backend, stream);
}

CaseMemory::~CaseMemory() {
    for (const Tensor& tensor : tensors_) stream_.pool.give(tensor.block);
}

View CaseMemory::place(const Shape& shape, DType dtype, HostTensor::Role role, const Bound& bound,
                       std::vector<std::byte> payload) {
    if (options_.contents != nullptr && role != HostTensor::Role::output) {
        std::vector<double> values = options_.contents->at(tensors_.size());
        for (double& x : values)
            if (options_.magnitudes && is_real(dtype)) x = std::abs(x);
        const std::vector<std::byte> given = encode(std::span<const double>(values), dtype);
        BKD_CHECK(given.size() == payload.size(), "tensor {} is {} and was given {} bytes", tensors_.size(),
                  shape.str(), given.size());
        payload = given;
    }
    const std::size_t element = size_of(dtype);
    const std::size_t shifts[] = {0, element, 64 - element};
    const auto variant = (tensors_.size() + static_cast<std::size_t>(options_.alignment)) % 3;
    const std::size_t offset = guard_bytes + (options_.alignment == 0 ? 0 : shifts[variant]);
    const std::size_t bytes = (offset + payload.size() + guard_bytes + 63) / 64 * 64;
    std::vector<std::byte> before(bytes);
    for (std::size_t i = 0; i < bytes / 4; ++i) store(before, i, guard_word);
    if (!payload.empty()) std::memcpy(before.data() + offset, payload.data(), payload.size());

    const Block block = stream_.pool.take(bytes);
    const View view{static_cast<std::byte*>(block.data) + offset, shape, dtype, stream_.device};
    tensors_.push_back({view, block, role, bound, std::move(before), offset});
    backend_.upload(stream_, {block.data, {static_cast<std::int64_t>(bytes)}, DType::u8, stream_.device},
                    tensors_.back().before.data());
    return view;
}

std::vector<float> CaseMemory::drawn(const Shape& shape, const Draw& from) const {
    std::vector<float> values(static_cast<std::size_t>(shape.count()));
    draw(from, shape, options_.seed, next_tensor(), values);
    return values;
}

View CaseMemory::place_numbers(const Shape& shape, DType dtype, std::vector<float>& values, HostTensor::Role role,
                               const Bound& bound) {
    if (options_.magnitudes)
        for (float& x : values) x = std::abs(x);
    return place(shape, dtype, role, bound, encode(std::span<const float>(values), dtype));
}

View CaseMemory::real(const Shape& shape, DType dtype, const Draw& from, HostTensor::Role role, const Bound& bound) {
    std::vector<float> values = drawn(shape, from);
    return place_numbers(shape, dtype, values, role, bound);
}

// Numbers that the backend under test will hold as bf16 are rounded to it on every backend: the truth sees the same.
View CaseMemory::stored(const Shape& shape, const Draw& from, HostTensor::Role role, const Bound& bound) {
    std::vector<float> values = drawn(shape, from);
    if (options_.storage == DType::bf16)
        for (float& x : values) x = rounded_to_bf16(x);
    return place_numbers(shape, storage_, values, role, bound);
}

View CaseMemory::pattern(const Shape& shape, DType dtype, const Bound& bound) {
    return place(shape, dtype, HostTensor::Role::output, bound,
                 unwritten(static_cast<std::size_t>(shape.count()), dtype));
}

Out CaseMemory::result(const Shape& shape, const Bound& bound, bool add) {
    return {add ? updated(shape, bound) : output(shape, bound), add};
}
Out CaseMemory::result_f32(const Shape& shape, const Bound& bound, bool add) {
    return {add ? updated_f32(shape, bound) : output_f32(shape, bound), add};
}

View CaseMemory::indices(const Shape& shape, const std::function<std::int64_t(std::int64_t, std::uint32_t)>& rule) {
    std::vector<std::byte> payload(static_cast<std::size_t>(shape.count()) * sizeof(std::int32_t));
    for (std::int64_t i = 0; i < shape.count(); ++i) {
        const std::uint32_t word = draw_words(options_.seed, next_tensor(), i / 4)[static_cast<std::size_t>(i % 4)];
        store(payload, static_cast<std::size_t>(i), static_cast<std::int32_t>(rule(i, word)));
    }
    return place(shape, DType::i32, HostTensor::Role::input, {}, payload);
}

View CaseMemory::integers_below(const Shape& shape, std::int64_t low, std::int64_t high) {
    return indices(
        shape, [=](std::int64_t, std::uint32_t word) { return low + static_cast<std::int64_t>(word) % (high - low); });
}

View CaseMemory::updated_i32(const Shape& shape, std::int32_t start) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(shape.count()) * sizeof start);
    for (std::size_t i = 0; i < bytes.size() / sizeof start; ++i) store(bytes, i, start);
    return place(shape, DType::i32, HostTensor::Role::updated, exact(), bytes);
}

View CaseMemory::permutation(std::int64_t n) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    for (std::int64_t i = n - 1; i > 0; --i) {
        const std::uint32_t word = draw_words(options_.seed, next_tensor(), i)[0];
        std::swap(order[static_cast<std::size_t>(i)], order[word % static_cast<std::size_t>(i + 1)]);
    }
    return indices({n}, [&](std::int64_t i, std::uint32_t) { return order[static_cast<std::size_t>(i)]; });
}

View CaseMemory::bytes(const Shape& shape, std::int64_t high) {
    std::vector<std::byte> payload(static_cast<std::size_t>(shape.count()));
    for (std::size_t i = 0; i < payload.size(); ++i) {
        const std::uint32_t word = draw_words(options_.seed, next_tensor(), static_cast<std::int64_t>(i / 4))[i % 4];
        payload[i] = static_cast<std::byte>((word >> 8) % static_cast<std::uint32_t>(high));
    }
    return place(shape, DType::u8, HostTensor::Role::input, {}, payload);
}

std::vector<HostTensor> CaseMemory::read() const {
    std::vector<HostTensor> tensors;
    for (const Tensor& t : tensors_) {
        std::vector<std::byte> now(t.before.size());
        backend_.download(stream_, {t.block.data, {static_cast<std::int64_t>(now.size())}, DType::u8, stream_.device},
                          now.data());
        const auto size = static_cast<std::size_t>(t.view.bytes()), end = t.offset + size;
        HostTensor host{.role = t.role, .shape = t.view.shape, .dtype = t.view.dtype, .bound = t.bound};
        host.guards_intact = std::memcmp(now.data(), t.before.data(), t.offset) == 0 &&
                             std::memcmp(now.data() + end, t.before.data() + end, now.size() - end) == 0;
        host.is_changed = size != 0 && std::memcmp(now.data() + t.offset, t.before.data() + t.offset, size) != 0;
        const std::byte* data = now.data() + t.offset;
        const std::size_t element = size_of(t.view.dtype);
        for (std::size_t i = 0; t.role != HostTensor::Role::input && i < size / element; ++i) {
            host.values.push_back(decode(data, i, t.view.dtype));
            host.is_unwritten.push_back(
                t.role == HostTensor::Role::output &&
                std::memcmp(data + i * element, t.before.data() + t.offset + i * element, element) == 0);
        }
        tensors.push_back(std::move(host));
    }
    return tensors;
}

std::vector<HostTensor> CaseMemory::initial() const {
    std::vector<HostTensor> tensors;
    for (const Tensor& t : tensors_) {
        HostTensor host{.role = t.role, .shape = t.view.shape, .dtype = t.view.dtype, .bound = t.bound};
        if (t.role != HostTensor::Role::output)
            host.values =
                decoded(std::span(t.before).subspan(t.offset, static_cast<std::size_t>(t.view.bytes())), t.view.dtype);
        tensors.push_back(std::move(host));
    }
    return tensors;
}

Invariant exponentials_sum_to_one(std::size_t tensor, double tolerance) {
    return [=](const std::vector<HostTensor>& tensors) -> std::string {
        const HostTensor& t = tensors.at(tensor);
        const auto c = static_cast<std::size_t>(t.shape[-1]);
        // Rounding y to bf16 moves exp(y) by exp(y) |y| 2^-9; over a row that is at most the largest entropy.
        const double rounding = t.dtype == DType::bf16 ? 0x1p-8 * (1 + std::log(static_cast<double>(c))) : 0;
        for (std::size_t row = 0; c != 0 && row < t.values.size() / c; ++row) {
            double total = 0;
            for (std::size_t i = 0; i < c; ++i) total += std::exp(t.values[row * c + i]);
            if (!(std::abs(total - 1) <= tolerance + rounding))
                return fmt::format("exponentials of row {} sum to {:.9g}, not to 1", row, total);
        }
        return {};
    };
}

Invariant at_least(std::size_t tensor, double low) {
    return [=](const std::vector<HostTensor>& tensors) -> std::string {
        const std::vector<double>& values = tensors.at(tensor).values;
        for (std::size_t i = 0; i < values.size(); ++i)
            if (values[i] < low)
                return fmt::format("element {} of tensor {} is {:.9g}, below {:.3g}", i, tensor, values[i], low);
        return {};
    };
}

Invariant all_of(std::vector<Invariant> invariants) {
    return [all = std::move(invariants)](const std::vector<HostTensor>& tensors) -> std::string {
        for (const Invariant& invariant : all)
            if (std::string broken = invariant(tensors); !broken.empty()) return broken;
        return {};
    };
}

const char* name_of(Spoil spoil) {
    constexpr const char* names[] = {"rank", "extent", "dtype", "empty", "overlap", "overflow"};
    return names[static_cast<std::size_t>(spoil)];
}

Invariant rows_sum_to(std::size_t tensor, double sum, double roundings, double absolute) {
    return [=](const std::vector<HostTensor>& tensors) -> std::string {
        const HostTensor& t = tensors.at(tensor);
        const auto c = static_cast<std::size_t>(t.shape[-1]);
        const double unit = t.dtype == DType::bf16 ? 0x1p-8 : 0x1p-24;
        for (std::size_t row = 0; c != 0 && row < t.values.size() / c; ++row) {
            double total = 0, size = 0;
            for (std::size_t i = 0; i < c; ++i) {
                total += t.values[row * c + i];
                size += std::abs(t.values[row * c + i]);
            }
            if (!(std::abs(total - sum) <= roundings * unit * (size + std::abs(sum)) + absolute))
                return fmt::format("row {} sums to {:.9g}, not to {}", row, total, sum);
        }
        return {};
    };
}

std::string text(const Shape& shape) {
    std::string joined;
    for (int i = 0; i < shape.rank(); ++i) joined += (i ? "x" : "") + std::to_string(shape[i]);
    return shape.rank() == 0 ? "scalar" : joined;
}

}
