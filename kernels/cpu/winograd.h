#pragma once
// Convolutions of 3 x 3 taps with 16 multiplications for four outputs where the direct way takes 36: F(2 x 2, 3 x 3),
// Winograd 1980; Lavin and Gray 2015. Its constants are 0, 1, -1 and 1/2: sums of integers stay exact, and errors are
// of the size of a direct convolution's. (F(4 x 4) would take 36 for sixteen outputs; its constants down to 1/24 cost
// both.)
//
//   Bits          the same for any number of threads.
//   Not finite    the transforms carry NaN and infinity, or an overflow of their own, to neighbours that do not read
//                 them: blocks of an output where that could be are convolved directly.
#include "kernels/convolution.h"
#include "kernels/cpu/stream.h"

namespace bkd::kernels::cpu {

// Whether a convolution is of this kind and large enough that preparing its weights pays, and the stream may.
bool suits_winograd(const CpuStream& stream, const Shape& x, const Shape& w, const ConvolutionGeometry& geometry,
                    DType dtype);

void winograd_forward(CpuStream& stream, const Conv2dForward& args);
void winograd_data(CpuStream& stream, const Conv2dBackward& args);  // args.dx
// args.dw; false, and nothing is written, if something in it may not be finite: the caller then convolves directly.
bool winograd_weight(CpuStream& stream, const Conv2dBackward& args);

}
