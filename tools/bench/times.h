#pragma once
// Wall times of something done several times, in milliseconds.
#include <algorithm>
#include <chrono>
#include <vector>

namespace bkd {

inline double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Times {
public:
    template <class Run>
    void add(const Run& run) {
        const double began = now_ms();
        run();
        add_ms(now_ms() - began);
    }
    void add_ms(double milliseconds) {
        sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), milliseconds), milliseconds);
    }
    // Of at least one time.
    double least() const { return sorted_.front(); }
    double most() const { return sorted_.back(); }
    double quartile() const { return sorted_[sorted_.size() / 4]; }
    double median() const { return sorted_[sorted_.size() / 2]; }
    std::size_t size() const { return sorted_.size(); }

private:
    std::vector<double> sorted_;
};

}
