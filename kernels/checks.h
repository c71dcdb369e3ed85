#pragma once
// check(args), one for every op: throws LogicError, with the shapes in its text, unless shapes, dtypes, attributes and
// aliasing of the arguments are as the family header says. Contents are not looked at: an index out of range is found by
// the body that reads it. Every body of every backend begins with it.
//
//   void cpu::Pooling::max_pool_forward(Stream& stream, const MaxPoolForward& args) const {
//       check(args);
//
// Definitions: checks/<family>.cpp. An op without one does not link.
#include "kernels/backend.h"

namespace bkd::kernels {

#define BKD_OP_CHECK(op, Args) void check(const Args& args);
#define BKD_FAMILY_CHECKS(name, Class, OPS) OPS(BKD_OP_CHECK)
BKD_FAMILIES(BKD_FAMILY_CHECKS)
#undef BKD_FAMILY_CHECKS
#undef BKD_OP_CHECK

}
