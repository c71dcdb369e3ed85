#include "kernels/cases/pattern.h"

#include "kernels/error.h"

#include <fmt/format.h>
#include <regex.h>

namespace bkd::kernels {

CasePattern::CasePattern(const std::string& pattern) {
    if (pattern.empty()) return;
    constexpr std::size_t longest = 4096;  // regcomp calls itself for every parenthesis
    if (pattern.size() > longest)
        throw InputError({.id = 203,
                          .what = fmt::format("--case has {} characters, at most {}", pattern.size(), longest),
                          .at = "option --case"});
    auto made = std::make_unique<regex_t>();
    if (const int status = regcomp(made.get(), pattern.c_str(), REG_EXTENDED | REG_NOSUB); status != 0) {
        char why[256];
        regerror(status, made.get(), why, sizeof why);
        throw InputError({.id = 203,
                          .what = fmt::format("--case must be a regular expression (POSIX extended), got \"{}\"",
                                              printable(pattern)),
                          .at = "option --case",
                          .why = why});
    }
    compiled_ = std::shared_ptr<void>(made.release(), [](void* held) {
        regfree(static_cast<regex_t*>(held));
        delete static_cast<regex_t*>(held);
    });
}

bool CasePattern::found_in(const std::string& text) const {
    return compiled_ == nullptr || regexec(static_cast<regex_t*>(compiled_.get()), text.c_str(), 0, nullptr, 0) == 0;
}

}
