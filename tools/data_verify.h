#pragma once
// bkd data verify: both splits of a set opened, each of its pictures read and decoded, and all compared with each other.
#include <string>

namespace bkd {

struct VerifyData {
    std::string name{}, root{};
    std::string bad_list{};  // a file for the paths of what cannot be read; empty: none
    int threads = 0;         // 0: as many as allowed
    bool as_json = false;
};

// Prints what was found. The exit code: 1 where a picture cannot be read, or the same bytes stand under two classes or
// in training and test. Errors of open_dataset and of writing a file.
int verify_data(const VerifyData& options);

}
