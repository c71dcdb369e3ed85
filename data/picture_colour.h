#pragma once
// Colours of a picture, as torchvision's ColorJitter has them on Pillow's pictures, bit for bit: f32 arithmetic, cut
// toward zero to bytes and to 0..255.
#include "data/picture.h"

namespace bkd {

void adjust_brightness(Picture& picture, float factor);  // f v
void adjust_contrast(Picture& picture, float factor);    // m + f (v - m), m the rounded mean of the grey picture
void adjust_saturation(Picture& picture, float factor);  // g + f (v - g), g the pixel's grey

// Three factors of U(1 - strength, 1 + strength), applied in a random order. `uniform` gives numbers in [0, 1).
struct ColourJitter {
    double brightness = 0, contrast = 0, saturation = 0;
};
void jitter(Picture& picture, const ColourJitter& strength, const std::function<double()>& uniform);

}
