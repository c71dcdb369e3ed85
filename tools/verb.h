#pragma once
// A verb of the program: parses its words, calls one function of a floor below, prints. One file each in tools/verbs/,
// one line in tools/list.inc.
#include <span>
#include <string>
#include <vector>

namespace bkd {

struct Verb {
    const char* name;
    const char* summary;
    int (*run)(const std::vector<std::string>& arguments);  // the exit code
};
std::span<const Verb> verbs();  // sorted by name

}
