#!/usr/bin/env python3
"""Writes the small pictures that tests decode, and what Pillow makes of them.

    tests/data/encoded_pictures.py        needs pillow 9.5, numpy, safetensors, and cjpeg of libjpeg-turbo 2.1.5

tests/fuzz/corpus/picture/read_NAME are the files, tests/fuzz/corpus/picture_header/ has wrong ones, too, and
tests/data/decoded_pictures.safetensors holds for each a tensor "NAME" [height, width, 3], and "NAME/1_2", "NAME/1_4",
"NAME/1_8" of a JPEG decoded at a part of its size, "NAME/turned_K" of EXIF's orientation K. Of 16 bits Pillow's grey
keeps both bytes: the high one is taken here.
"""

import io
import pathlib
import struct
import subprocess
import zlib

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "fuzz" / "corpus"


def scene(height, width, seed):
    """Soft shapes, edges, and a little noise."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = ((5, 9, 0), (3, 4, 1), (11, 2, 2))
    planes = [127 + 90 * np.sin(x / a + s) * np.cos(y / b) + 50 * ((x // 5 + y // 7) % 2) for a, b, s in waves]
    return np.clip(np.stack(planes, -1) + draw.integers(-6, 7, (height, width, 3)), 0, 255).astype(np.uint8)


def cjpeg(pixels, *options):
    ppm = b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()
    return subprocess.run(["cjpeg", "-quality", "40", *options], input=ppm, capture_output=True, check=True).stdout


def with_exif(jpeg, orientation):
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff + jpeg[2:]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples, depth, colour, interlaced=False, palette=None, before_data=b""):
    """samples [height, width, channels] of `depth` bits, as a PNG whose rows have every filter in turn."""
    height, width, channels = samples.shape
    distance = max(1, channels * depth // 8)

    def rows(part):
        raw, above = b"", None
        for i, row in enumerate(part):
            if depth == 16:
                line = row.astype(">u2").tobytes()
            elif depth == 8:
                line = row.astype(np.uint8).tobytes()
            else:
                bits = (row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
                line = np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()
            line = np.frombuffer(line, np.uint8).astype(int)
            above = np.zeros_like(line) if above is None else above
            left = np.concatenate([np.zeros(distance, int), line])[: len(line)]
            corner = np.concatenate([np.zeros(distance, int), above])[: len(line)]
            guess = left + above - corner
            far = np.abs(np.stack([guess - left, guess - above, guess - corner]))
            paeth = np.choose(far.argmin(0), [left, above, corner])
            kind = i % 5
            guessed = (0 * line, left, above, (left + above) // 2, paeth)[kind]
            raw += bytes([kind]) + ((line - guessed) % 256).astype(np.uint8).tobytes()
            above = line
        return raw

    adam7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    passes = adam7 if interlaced else ((0, 0, 1, 1),)
    raw = b"".join(rows(samples[t::d, l::a]) for t, l, d, a in passes if samples[t::d, l::a].size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if palette is not None:
        file += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    packed = zlib.compress(raw, 9)
    half = len(packed) // 2
    return file + before_data + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:]) + chunk(b"IEND", b"")


def decoded(file):
    image = Image.open(io.BytesIO(file))
    if image.mode in ("I", "I;16"):
        high = (np.asarray(image).astype(int) >> 8).astype(np.uint8)
        return np.stack([high] * 3, -1)
    return np.array(image.convert("RGB"))


def with_byte(file, at, value):
    return file[:at] + bytes([value]) + file[at + 1 :]


def wrong_pictures(files):
    """Seeds of the fuzzers: what is refused, by its name, and what is odd but read."""
    jpeg, progressive, png = files["jpeg_grey"], files["jpeg_progressive"], files["png_rgb_8"]
    frame, codes, scan = (jpeg.index(b"\xff" + bytes([marker])) for marker in (0xC0, 0xC4, 0xDA))
    grey = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0))
    end = chunk(b"IEND", b"")
    return {
        "empty": b"", "one_byte": b"\xff", "jpeg_start": jpeg[:2], "jpeg_cut": jpeg[: len(jpeg) // 2],
        "jpeg_without_end": jpeg[:-2],
        "jpeg_without_scan": jpeg[:scan] + b"\xff\xd9", "jpeg_over_full_table": with_byte(jpeg, codes + 5, 3),
        "jpeg_twelve_bit": with_byte(jpeg, frame + 4, 12), "jpeg_arithmetic": with_byte(jpeg, frame + 1, 0xC9),
        "jpeg_lossless": with_byte(jpeg, frame + 1, 0xC3), "jpeg_cmyk": with_byte(jpeg, frame + 9, 4),
        "jpeg_without_height": jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :],
        "jpeg_65535": jpeg[: frame + 5] + b"\xff\xff\xff\xff" + jpeg[frame + 9 :],
        "jpeg_scan_too_short": jpeg[: scan + 10] + b"\0\xff\xd9", "jpeg_scan_twice": jpeg[:-2] + jpeg[scan:],
        "png_cut": png[: len(png) // 2], "png_without_end": png[:-12], "png_checksum": with_byte(png, 60, 0x77),
        "png_two_headers": png[:33] + png[8:], "png_too_few_rows": grey + chunk(b"IDAT", zlib.compress(bytes(7))) + end,
        "png_unknown_chunk": png[:33] + chunk(b"ABCD", b"") + png[33:],
        "png_without_palette": png[:8] + files["png_palette_1"][8:33] + png[33:],
        "html": b"<!DOCTYPE html><html>404", "git_lfs_pointer": b"version https://git-lfs.github.com/spec/v1\n",
        "gif": b"GIF89a", "read_jpeg": jpeg, "read_jpeg_progressive": progressive,
        "read_jpeg_then_junk": jpeg + b"junk", "read_png": png,
        "read_jpeg_restart": files["jpeg_restart"], "read_png_interlaced": files["png_palette_4_interlaced"],
        "read_png_too_many_rows": grey + chunk(b"IDAT", zlib.compress(bytes(100))) + end,
        "read_png_exif": png[:33]
        + chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\4\0\0")
        + png[33:],
    }, {"png_filter_9": grey + chunk(b"IDAT", zlib.compress(b"\x09" * 8)) + end}


def main():
    files, pixels = {}, {}
    photo = scene(27, 37, 1)
    for name, options in {
        "444": ["-sample", "1x1"], "420": [], "422": ["-sample", "2x1"], "440": ["-sample", "1x2"],
        "411": ["-sample", "4x1"],
        "grey": ["-grayscale"], "progressive": ["-progressive"], "progressive_grey": ["-progressive", "-grayscale"],
        "restart": ["-restart", "1B"], "optimized": ["-optimize"], "rgb": ["-rgb"],
    }.items():
        files["jpeg_" + name] = cjpeg(photo, *options)
    files["jpeg_one_pixel"] = cjpeg(photo[:1, :1])
    files["jpeg_sixteen_bit_tables"] = cjpeg(photo, "-quality", "1")
    files["jpeg_exif"] = with_exif(files["jpeg_422"], 6)
    for name in ("420", "progressive", "grey"):
        for part in (2, 4, 8):
            image = Image.open(io.BytesIO(files["jpeg_" + name]))
            image.draft(None, (37 // part, 27 // part))
            assert image.size == (-(-37 // part), -(-27 // part)), image.size
            pixels[f"jpeg_{name}/1_{part}"] = np.array(image.convert("RGB"))
    for k in range(1, 9):
        image = Image.open(io.BytesIO(with_exif(files["jpeg_422"], k)))
        pixels[f"jpeg_exif/turned_{k}"] = np.array(ImageOps.exif_transpose(image))

    draw = np.random.default_rng(2)
    colours = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    names = {0: "grey", 2: "rgb", 3: "palette", 4: "grey_alpha", 6: "rgba"}
    for colour, channels in colours.items():
        for depth in {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(colour, (8, 16)):
            for interlaced in (False, True):
                samples = draw.integers(0, 1 << depth, (7, 9, channels))
                palette = draw.integers(0, 256, (1 << depth, 3)) if colour == 3 else None
                name = f"png_{names[colour]}_{depth}" + ("_interlaced" if interlaced else "")
                files[name] = png(samples, depth, colour, interlaced, palette)
                high = samples >> 8 if depth == 16 else samples * (255 // ((1 << depth) - 1))
                rgb = high[..., :3] if channels > 2 else np.repeat(high[..., :1], 3, -1)
                if colour == 3:
                    rgb = palette[samples[..., 0]]
                assert (decoded(files[name]) == rgb).all(), name
    two = np.array([[[0], [1], [2]], [[3], [1], [0]]])
    files["png_palette_short"] = png(two, 2, 3, palette=np.array([[10, 20, 30], [40, 50, 60]]))
    padded = np.array([[10, 20, 30], [40, 50, 60], [0, 0, 0], [0, 0, 0]], np.uint8)
    pixels["png_palette_short"] = padded[two[..., 0]]
    four = draw.integers(0, 256, (4, 3))
    files["png_palette_transparent"] = png(two, 2, 3, palette=four, before_data=chunk(b"tRNS", b"\0\x80"))
    colour = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    files["png_transparent_colour"] = png(draw.integers(0, 4, (3, 5, 3)), 8, 2, before_data=colour)
    files["png_one_pixel"] = png(np.array([[[7, 8, 9]]]), 8, 2)

    walked, refused_by_decoder = wrong_pictures(files)
    for folder, seeds in (("picture_header", walked), ("picture", refused_by_decoder)):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
        for name, file in seeds.items():
            (CORPUS / folder / name).write_bytes(file)
    for name, file in files.items():
        (CORPUS / "picture" / f"read_{name}").write_bytes(file)
        if name not in pixels:
            pixels[name] = decoded(file)
    save_file({name: np.ascontiguousarray(p) for name, p in pixels.items()}, HERE / "decoded_pictures.safetensors")
    size = sum(map(len, files.values()))
    print(f"{len(files)} files of {size} bytes, {len(pixels)} pictures by Pillow {Image.__version__}")


main()
