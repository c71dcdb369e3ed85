#include "kernels/cases/renamed.h"

namespace bkd::kernels {

std::string current_id(const std::string& id) {
    std::string now = id;
#define RENAMED(before, after) \
    if (now == before) now = after;
#include "kernels/cases/renamed.inc"
#undef RENAMED
    return now;
}

}
