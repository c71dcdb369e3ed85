#pragma once
// Where a number that is not finite came from: a step that is computed once more, op by op.
#include "engine/context.h"

#include <optional>

namespace bkd {

// The first op that made numbers that are not finite out of finite ones.
struct FirstFault {
    std::string op{};
    std::int64_t call = 0;                  // ops of the step before it
    Shape shape{};                          // of its result
    double value = 0;                       // the first such number: "nan", "inf"
    std::int64_t count = 0;                 // of such numbers
    std::vector<std::int64_t> samples{};    // of the batch that have one; empty where the result is no batch
    std::optional<double> largest_input{};  // by its absolute value, of the real inputs
};

struct FaultReport {
    std::int64_t epoch = 0, step = 0;  // from 1; step of the epoch
    double loss = 0;
    std::optional<FirstFault> first{};    // none where the step, computed again, has finite numbers only
    std::vector<std::int32_t> indices{};  // of the batch's images in the training split, of the first feed
    std::vector<std::int32_t> labels{};
    Shape shape{};  // of the images, as the network saw them; of the first batch loaded
    std::vector<float> images{};
};

// Looks at the results of every op that a stream is given, until the first fault; `batch` is the number of its samples.
class FaultSearch final : public LaunchObserver {
public:
    FaultSearch(const Context& ctx, std::int64_t batch) : ctx_(ctx), batch_(batch) {}
    void after(const Launch& launch) override;

    std::optional<FirstFault> first{};
    Shape images_shape{};
    std::vector<float> images{};

private:
    void look_at(const Launch& launch, const ConstView& result, const std::vector<double>& numbers);

    const Context& ctx_;
    std::int64_t batch_ = 0, calls_ = 0;
};

}
