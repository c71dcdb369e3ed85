#pragma once
// A regular expression that selects cases by id: POSIX extended, found anywhere in the text. (<regex.h>, not <regex>,
// which takes ten seconds to compile.)
#include <memory>
#include <string>

namespace bkd::kernels {

class CasePattern {
public:
    // An empty pattern is found everywhere. InputError E0203 for a text that is no regular expression, or of
    // more than 4096 characters.
    explicit CasePattern(const std::string& pattern);
    bool found_in(const std::string& text) const;

private:
    std::shared_ptr<void> compiled_;
};

}
