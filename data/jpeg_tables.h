#pragma once
// Tables that a JPEG file defines before its scans: of quantization, and Huffman codes of DC differences and of AC
// coefficients. Which there are, and that each is one.
#include "data/picture_file.h"

#include <array>

namespace bkd {

constexpr int jpeg_coefficients = 64;  // of a block of 8 x 8

struct JpegTables {
    std::array<bool, 4> quantization{}, dc{}, ac{};  // defined

    // The contents of segments DQT and DHT, each of one or more tables. E0437.
    void take_quantization(const PictureFile& file, ByteReader data);
    void take_huffman(const PictureFile& file, ByteReader data);
};

}
