#!/usr/bin/env python3
"""Writes tests/data/pictures.safetensors: what Pillow makes of a few pictures, for tests/data/picture_test.cpp.

    tests/data/pictures.py --out tests/data/pictures.safetensors         needs pillow 9.5, numpy, safetensors

A tensor "in/NAME" is a picture [height, width, 3]; "OP/NAME/ARGUMENTS" is what the op makes of it. Pillow 9.5 resizes with the
horizontal pass first, as this program does; 13 takes the vertical one first for some sizes, and differs there by a rounding.
"""

import argparse

import numpy as np
from PIL import Image, ImageEnhance
from safetensors.numpy import save_file


def picture(height, width, seed):
    """Soft shapes, edges, and noise: filters, rounding and clamping all have work."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 90 * np.sin(x / a + s) * np.cos(y / b) + 60 * ((x // 5 + y // 7) % 2) for a, b, s in ((5, 9, 0), (3, 4, 1), (11, 2, 2))]
    return np.clip(np.stack(planes, -1) + draw.integers(-40, 40, (height, width, 3)), 0, 255).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    tensors = {}

    def keep(name, image):
        tensors[name] = np.ascontiguousarray(np.asarray(image))

    for name, (height, width) in {"wide": (37, 61), "tall": (64, 23), "tiny": (2, 3), "dot": (1, 1)}.items():
        pixels = picture(height, width, len(name))
        tensors[f"in/{name}"] = pixels
        image = Image.fromarray(pixels)
        for h, w in ((16, 16), (37, 20), (9, 61), (80, 90), (64, 64), (1, 1), (5, 7)):
            keep(f"resize/{name}/{h},{w}", image.resize((w, h), Image.BILINEAR))
        if name in ("wide", "tall"):
            top, left, h, w = 3, 2, height - 9, width - 5
            keep(f"resize_box/{name}/{top},{left},{h},{w},14,12", image.crop((left, top, left + w, top + h)).resize((12, 14), Image.BILINEAR))
            for factor in (0.6, 0.85, 1.0, 1.37, 1.4):
                keep(f"brightness/{name}/{factor}", ImageEnhance.Brightness(image).enhance(factor))
                keep(f"contrast/{name}/{factor}", ImageEnhance.Contrast(image).enhance(factor))
                keep(f"saturation/{name}/{factor}", ImageEnhance.Color(image).enhance(factor))
            for degrees in (-15, -3.7, 0.4, 11.25, 15, 90.5):
                keep(f"rotate/{name}/{degrees}", image.rotate(degrees, Image.NEAREST))
            keep(f"mirror/{name}/", image.transpose(Image.FLIP_LEFT_RIGHT))
    save_file(tensors, out)
    print(f"{len(tensors)} pictures by Pillow {Image.__version__}")


main()
