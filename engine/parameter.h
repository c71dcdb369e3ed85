#pragma once
// Parameters of a network: all f32 masters in one flat block, all gradients in another, each Parameter a view of both,
// so that the optimizer is one launch and a checkpoint one walk. Where activations are bf16, a third block holds the
// masters rounded to bf16, which ops read in their place (Tensor::operand); whoever writes a master writes there too.
// Buffers (running statistics) lie beside them.
#include "engine/context.h"
#include "kernels/optimizer.h"

#include <deque>
#include <string>

namespace bkd {

// How a parameter starts. Normal numbers are drawn on the host in f64: the same on every device.
struct Init {
    enum class Kind : std::uint8_t { constant, normal, uniform, unit_rows } kind = Kind::constant;
    double a = 0, b = 0;          // constant: a; normal: mean a, deviation b; uniform: from a to b
    bool zero_first_row = false;  // an embedding's padding row
    static Init constant(double value) { return {Kind::constant, value}; }
    static Init normal(double deviation) { return {Kind::normal, 0, deviation}; }
    static Init uniform(double low, double high) { return {Kind::uniform, low, high}; }
    // Rows drawn from U(-1, 1) and scaled to length 1: the cosine classifier of LDAM-DRW.
    static Init unit_rows() { return {Kind::unit_rows}; }
};

// How the file orders what memory holds: convolution weights are K R S C/g here and O I H W there.
enum class FileLayout : std::uint8_t { plain, oihw, transposed };

struct Parameter {
    std::string name;  // PyTorch's path: "layer1.0.conv1.weight"
    Shape shape;       // in memory
    Init init{};
    FileLayout file_layout = FileLayout::plain;
    bool is_buffer = false;  // moved by forward passes, not by the optimizer
    double learning_rate_factor = 1;
    bool decays = true;
    bool frozen = false;           // of a buffer: forward passes leave it as it is
    bool batch_statistics = true;  // of a batch norm's running_mean: training forwards normalise by the batch
    Tensor value{};                // after materialise()

    Shape file_shape() const;
};

class Parameters {
public:
    // Names are unique. References stay valid.
    Parameter& add(Parameter parameter);
    // Allocates the blocks of numbers that are written next, without gradients: all that inference needs. The numbers
    // are zeros until then.
    void allocate(const Context& ctx);
    // Allocates the blocks, those of gradients too, and fills them: parameter `x` from the key
    // (seed, "<scope>/init/x"), scope = "student".
    void materialise(const Context& ctx, std::uint64_t seed, std::string_view scope);

    std::deque<Parameter>& all() { return all_; }
    const std::deque<Parameter>& all() const { return all_; }
    Parameter* find(std::string_view name);
    std::int64_t count() const;  // learned numbers, buffers not counted

    // Numbers of a parameter or buffer in memory order, on the host.
    std::vector<float> read(const Context& ctx, const Parameter& parameter) const;
    void write(const Context& ctx, Parameter& parameter, std::span<const float> numbers);

    // Takes over `frozen` and the factors of each parameter: call after changing them.
    void regroup();
    // [begin, end) of the flat block with equal factors; weight_decay is that of each parameter that decays.
    std::vector<kernels::ParameterGroup> groups(double weight_decay) const;

    void begin_step();                                      // forgets the last step's gradients
    void complete_gradients(const Context&);                // zeros for what backward did not reach
    const Tensor& values() const { return values_; }        // [n] master weights
    const Tensor& gradients() const { return gradients_; }  // [n]
    const Tensor& copies() const { return copies_; }        // [n] bf16; empty where activations are real
    void refresh_copies(const Context& ctx) const;          // after ops that wrote to masters, all in one launch

    // Training batches that went through the batch norms: their num_batches_tracked.
    std::int64_t batches_tracked = 0;

private:
    std::deque<Parameter> all_;
    Tensor values_, gradients_, copies_;
};

}
