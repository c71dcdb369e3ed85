#pragma once
// From a picture in a file to the square that a network sees: what torchvision's transforms do to Pillow's pictures, up
// to the conversion to numbers.
//
//   evaluation   Resize(resize), CenterCrop(side)
//   training     RandomResizedCrop(side) or the evaluation's square; then mirrored with probability 1/2, ColorJitter,
//                RandomRotation, each where it is asked for
#include "data/decode.h"
#include "data/picture_colour.h"

namespace bkd {

struct PictureTransform {
    std::int64_t side = 224;    // of the square
    std::int64_t resize = 256;  // of the short side before the square is cut out of the middle
    bool random_crop = true;    // training: RandomResizedCrop
    double least_area = 0.08;   // of the whole, that a crop shows
    bool mirror = true;
    ColourJitter colours{};
    double rotation = 0;  // degrees to either side
    // Training: a JPEG may be decoded at 1/2, 1/4 or 1/8 where its crop stays larger than the square (libjpeg-turbo).
    bool scales_decoding = true;
    bool apply_orientation = false;  // of EXIF
};

// 8/7 of the side, rounded: 256 for 224.
std::int64_t usual_short_side(std::int64_t side);

// InputError E0304 for a side below 1, a short side smaller than the square, shares outside (0, 1], strengths outside
// [0, 1], an angle outside [0, 180].
void check_transform(const PictureTransform& transform);

// The square [side, side, 3] of a JPEG's or PNG's bytes; `name` is for messages. E0433 .. E0437 as decode_picture.
Picture picture_for_evaluation(std::span<const std::byte> file, const std::string& name,
                               const PictureTransform& transform);
// `uniform` gives numbers in [0, 1).
Picture picture_for_training(std::span<const std::byte> file, const std::string& name,
                             const PictureTransform& transform, const std::function<double()>& uniform);

}
