#pragma once
// Case: one set of arguments of an op, made by a function from memory to arguments, so that the same row of the table
// serves every backend. CaseMemory is that memory: guard bands around every tensor, outputs that start as a pattern no
// kernel writes, inputs that are looked at again afterwards. Numbers: draw.h, limits: bound.h, table: table.h.
#include "kernels/backend.h"
#include "kernels/cases/bound.h"
#include "kernels/cases/draw.h"

#include <functional>
#include <span>
#include <vector>

namespace bkd::kernels {

// A tensor of a case as the host sees it after the run.
struct HostTensor {
    enum class Role : std::uint8_t {
        input,
        output,
        updated
    };  // updated: starts with known numbers, then written or added to
    Role role = Role::input;
    Shape shape{};
    DType dtype = DType::f32;
    Bound bound{};
    std::vector<double> values{};      // of read(): empty for inputs; of initial(): empty for outputs
    std::vector<bool> is_unwritten{};  // outputs: the element still holds the pattern it started with
    bool guards_intact = true;
    bool is_changed = false;       // the tensor's bytes are not those it started with
    std::vector<double> limits{};  // of a truth that brings its own: how far each element may lie from it
};

// The bytes of numbers in a dtype: reals are rounded to it, every NaN becomes the same one.
std::vector<std::byte> encoded(std::span<const double> values, DType dtype);
// And back.
std::vector<double> decoded(std::span<const std::byte> bytes, DType dtype);

// What the tensors of a case start with, in the order of the requests; nothing for outputs.
using CaseContents = std::vector<std::vector<double>>;

// To the nearest number that bf16 holds, ties to even.
float rounded_to_bf16(float x);

struct CaseMemoryOptions {
    DType storage = DType::f32;  // of the tensors a contract lists as f32 bf16
    bool is_truth = false;       // those hold the same numbers, but as real ones: no result is rounded
    std::uint64_t seed = 0;
    int alignment = 0;        // 0: tensors start at multiples of 64 bytes; k: tensor t by variant (t + k) mod 3
    bool magnitudes = false;  // real inputs by their absolute value: what gives a Bound its S
    const CaseContents* contents = nullptr;  // taken instead of drawn numbers; must fit the case
};

// Memory for one run of one case on one backend, reached by Backend::upload and download alone.
class CaseMemory {
public:
    CaseMemory(Backend& backend, Stream& stream, const CaseMemoryOptions& options);
    ~CaseMemory();
    CaseMemory(const CaseMemory&) = delete;

    // Inputs. `storage` types follow the case's dtype, `_f32` ones are f32 (f64 on reference) whatever it is.
    View input(const Shape& shape, const Draw& from = normal()) {
        return stored(shape, from, HostTensor::Role::input, {});
    }
    View input_f32(const Shape& shape, const Draw& from = normal()) {
        return real(shape, backend_.real, from, HostTensor::Role::input, {});
    }
    View labels(const Shape& shape, std::int64_t classes) { return integers_below(shape, 0, classes); }
    View integers_below(const Shape& shape, std::int64_t low, std::int64_t high);  // i32 in [low, high)
    View permutation(std::int64_t n);                                              // i32 [n]
    View bytes(const Shape& shape, std::int64_t high = 256);                       // u8 in [0, high)
    // i32 element i = rule(i, random word)
    View indices(const Shape& shape, const std::function<std::int64_t(std::int64_t, std::uint32_t)>& rule);

    // Outputs, and tensors that start with known numbers and are written or added to.
    View output(const Shape& shape, const Bound& bound) { return pattern(shape, storage_, bound); }
    View output_f32(const Shape& shape, const Bound& bound) { return pattern(shape, backend_.real, bound); }
    View output_of(const Shape& shape, DType dtype) { return pattern(shape, dtype, exact()); }
    View updated(const Shape& shape, const Bound& bound, const Draw& from = normal()) {
        return stored(shape, from, HostTensor::Role::updated, bound);
    }
    View updated_f32(const Shape& shape, const Bound& bound, const Draw& from = normal()) {
        return real(shape, backend_.real, from, HostTensor::Role::updated, bound);
    }
    // bf16 beside real numbers, whatever the case's dtype.
    View updated_bf16(const Shape& shape, const Bound& bound) {
        return real(shape, DType::bf16, normal(), HostTensor::Role::updated, bound);
    }
    View updated_i32(const Shape& shape, std::int32_t start);
    // An output that is written, or (add) one that is added to.
    Out result(const Shape& shape, const Bound& bound, bool add = false);
    Out result_f32(const Shape& shape, const Bound& bound, bool add = false);

    // Every tensor in the order of the requests, as it is now; call after the stream is synchronised.
    std::vector<HostTensor> read() const;
    // Every tensor as it was before the run.
    std::vector<HostTensor> initial() const;

private:
    struct Tensor {
        View view;
        Block block;
        HostTensor::Role role;
        Bound bound;
        std::vector<std::byte> before;  // the whole block, guards included
        std::size_t offset;             // of the first element
    };
    View real(const Shape& shape, DType dtype, const Draw& from, HostTensor::Role role, const Bound& bound);
    View stored(const Shape& shape, const Draw& from, HostTensor::Role role, const Bound& bound);
    View place_numbers(const Shape& shape, DType dtype, std::vector<float>& values, HostTensor::Role role,
                       const Bound& bound);
    std::vector<float> drawn(const Shape& shape, const Draw& from) const;
    View pattern(const Shape& shape, DType dtype, const Bound& bound);
    View place(const Shape& shape, DType dtype, HostTensor::Role role, const Bound& bound,
               std::vector<std::byte> payload);
    std::uint32_t next_tensor() const { return static_cast<std::uint32_t>(tensors_.size()); }

    Backend& backend_;
    Stream& stream_;
    CaseMemoryOptions options_;
    DType storage_;
    std::vector<Tensor> tensors_;
};

// Says what is wrong with a case's tensors beyond their limits, or nothing: rows of a softmax that do not sum to 1,
// say.
using Invariant = std::function<std::string(const std::vector<HostTensor>&)>;
// Every row of the tensor requested `tensor`-th sums to `sum`, to within `roundings` units of 2^-24 of the sum of its
// absolute values, and `absolute`.
Invariant rows_sum_to(std::size_t tensor, double sum, double roundings, double absolute = 0);
// The exponentials of every row sum to 1, to within `tolerance` and, in bf16, the rounding of the row.
Invariant exponentials_sum_to_one(std::size_t tensor, double tolerance);
// No number of the tensor lies below `low`.
Invariant at_least(std::size_t tensor, double low);
// The first of them that is broken.
Invariant all_of(std::vector<Invariant> invariants);

template <class Args>
struct Case {
    std::string attributes;    // "n2h14w14c64_k64r3s3_st1p1g1": the second part of the id
    std::string distribution;  // the last part
    std::function<Args(CaseMemory&)> args;
    bool bench = false;  // a real layer's shape: for `bkd bench`, too large for a quick check
    Invariant invariant{};
    bool f32_only = false;
};

// How a case's arguments may be spoiled, and must then be refused with a LogicError before anything is written.
enum class Spoil : std::uint8_t {
    rank,     // one axis more
    extent,   // the last extent plus 1
    dtype,    // i64
    empty,    // the last extent 0
    overlap,  // an output that begins on the last element of another argument
    overflow  // every argument of this one's shape has more than 2^63 elements
};
constexpr Spoil all_spoils[] = {Spoil::rank,  Spoil::extent,  Spoil::dtype,
                                Spoil::empty, Spoil::overlap, Spoil::overflow};
const char* name_of(Spoil spoil);

enum class SameBits : std::uint8_t { any_threads, same_threads };

// All cases of one op.
template <class Args>
struct Cases {
    std::vector<Case<Args>> all{};
    bool has_bf16 = true;  // the contract lists bf16 storage
    SameBits same_bits = SameBits::any_threads;
    // (view, spoil) pairs that are legal after all, the view by its place among the op's tensor arguments.
    std::vector<std::pair<int, Spoil>> legal{};

    Case<Args>& add(std::string attributes, const Draw& from, std::function<Args(CaseMemory&)> args) {
        return all.emplace_back(Case<Args>{std::move(attributes), from.name, std::move(args)});
    }
    void bench(std::string attributes, std::function<Args(CaseMemory&)> args) {
        add(std::move(attributes), normal(), std::move(args)).bench = true;
    }
};

// "2x3x5": a shape as an id's attribute.
std::string text(const Shape& shape);

}
