"""Writes resample.safetensors: pictures, and what torchvision makes of them through Pillow.

Run it beside the file, with Pillow, NumPy, safetensors and torchvision: python resample.py
"""

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def picture(rows, cols, channels, seed):
    """Noise over a ramp: edges for the cubic to overshoot at, and smooth parts."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 255, rows * cols).reshape(rows, cols, 1)
    noise = rng.integers(0, 256, (rows, cols, channels))
    return np.where(rng.random((rows, cols, 1)) < 0.5, ramp, noise).astype(np.uint8)


def image(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def pixels(img):
    array = np.asarray(img)
    return array[..., None] if array.ndim == 2 else array


# Pillow 13 begins with the columns' pass where the height shrinks much more than the width;
# until then, as when the models that matter were trained, the rows' pass always came first.


def main():
    out = {}
    for i, (rows, cols, channels) in enumerate([(31, 47, 3), (47, 31, 3), (20, 20, 1), (9, 64, 3), (13, 12, 1)]):
        source = picture(rows, cols, channels, i)
        out[f"{i}"] = source
        for name, mode in FILTERS.items():
            for size in (8, 15, 40):
                out[f"{i}.resize.{size}.{name}"] = pixels(Resize(size, mode)(image(source)))
                wide = Resize((rows, size), mode)(image(source))  # the rows' pass first, see below
                out[f"{i}.stretch.{size}.{name}"] = pixels(Resize((size, size), mode)(wide))
        for size in (8, 16, 33):
            out[f"{i}.crop.{size}"] = pixels(CenterCrop(size)(image(source)))
    save_file({name: np.ascontiguousarray(value) for name, value in out.items()}, "resample.safetensors")


if __name__ == "__main__":
    main()
