#pragma once
// How a run's progress looks on standard error: a bar on a terminal, plain lines elsewhere.
#include "train/narrator.h"

#include <memory>
#include <string>

namespace bkd {

// progress: "auto" (a bar if standard error is a terminal), "bar", "lines", "none".
std::unique_ptr<Narrator> make_narrator(const std::string& progress);

}
