#pragma once
// Softmax of one row, for activations and losses. Siblings: activation.cpp, loss.cpp.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace bkd::kernels::reference {

using Row = std::vector<double>;

// log p_i = u_i - log sum_j exp(u_j), the maximum subtracted first. A NaN makes the row NaN.
inline Row log_softmax(const Row& u) {
    const double top = *std::max_element(u.begin(), u.end());
    double sum = 0;
    for (const double value : u) sum += std::exp(value - top);
    Row log_p(u.size());
    for (std::size_t i = 0; i < u.size(); ++i) log_p[i] = u[i] - top - std::log(sum);
    return log_p;
}

// t log p with 0 log 0 = 0.
inline double times_log(double t, double log_p) {
    return t == 0 && log_p == -std::numeric_limits<double>::infinity() ? 0 : t * log_p;
}

}
