"""Writes colour-*.jpg, with their colour at three resolutions, and jpeg.safetensors: what Pillow decodes.

Needs Pillow, NumPy and safetensors: python jpeg.py
"""

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

SAMPLINGS = {"444": 0, "422": 1, "420": 2}


def picture(rows=31, cols=45):
    """Ramps of each colour with edges between, odd sizes on purpose."""
    y, x = np.mgrid[0:rows, 0:cols]
    red = 255 * x / cols
    green = np.where(x + y > 30, 220, 30)
    blue = 255 * (y // 8 % 2)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def main():
    out = {}
    for name, sampling in SAMPLINGS.items():
        path = f"colour-{name}.jpg"
        Image.fromarray(picture()).save(path, quality=92, subsampling=sampling)
        out[path] = np.asarray(Image.open(path))
    save_file(out, "jpeg.safetensors")


if __name__ == "__main__":
    main()
