#pragma once
// The readers of strangers' files under any bytes, for libFuzzer (entry.cpp) and for the replay of the corpus.
//
// Each returns whether the bytes were read. A refusal is InputError, which is caught here; whatever else is thrown, and
// a BKD_CHECK about what was read, is a finding.
#include <cstddef>
#include <span>

namespace bkd::fuzz {

using Bytes = std::span<const std::byte>;

bool safetensors(Bytes file);
bool pth(Bytes file);    // a file if it begins as one, else a first byte and a pickle
bool idx(Bytes file);    // the first byte chooses how the rest is packed
bool cifar(Bytes file);  // the first byte chooses format and number of records
bool recipe(Bytes file);
bool picture_header(Bytes file);
bool picture_list(Bytes file);
bool picture(Bytes file);  // by stb_image, whether or not libjpeg-turbo takes it

}
