#include "train/fault_search.h"

#include <algorithm>
#include <cmath>

namespace bkd {
namespace {

bool is_finite(double value) { return std::isfinite(value); }

}

void FaultSearch::after(const Launch& launch) {
    // put marks the losses of a step that is known to be faulty: no result of the step.
    if (first || std::string_view(launch.op) == "put") return;
    for (const kernels::ViewArgument& argument : launch.arguments) {
        if (!argument.is_output || !is_real(argument.view.dtype)) continue;
        const std::vector<double> numbers = ctx_.download(argument.view);
        if (images.empty() && std::string_view(launch.op) == "load_images") {
            images_shape = argument.view.shape;
            images.assign(numbers.begin(), numbers.end());
        }
        if (!first && !std::ranges::all_of(numbers, is_finite)) look_at(launch, argument.view, numbers);
    }
    ++calls_;
}

void FaultSearch::look_at(const Launch& launch, const ConstView& result, const std::vector<double>& numbers) {
    FirstFault found{.op = launch.op, .call = calls_, .shape = result.shape};
    const bool is_batch = result.rank() > 0 && result.dim(0) == batch_;
    const std::size_t row = is_batch ? numbers.size() / static_cast<std::size_t>(batch_) : 1;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (std::isfinite(numbers[i])) continue;
        if (found.count++ == 0) found.value = numbers[i];
        const auto sample = static_cast<std::int64_t>(i / row);
        if (is_batch && (found.samples.empty() || found.samples.back() != sample)) found.samples.push_back(sample);
    }
    for (const auto& [view, is_output, is_read] : launch.arguments) {
        if (is_output || !is_real(view.dtype)) continue;
        for (const double number : ctx_.download(view))
            if (std::isfinite(number))
                found.largest_input = std::max(found.largest_input.value_or(0), std::abs(number));
    }
    first = std::move(found);
}

}
