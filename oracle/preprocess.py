"""References of preprocessing: what torchvision's transforms and transformers' image processor make of a picture file.

A picture that is drawn here, with edges and textures of all scales, is written as PNG and prepared as ImageNet's
evaluations prepare it, and as Hugging Face's ViT is fed. testsuite/prepare_test.go compares with what `vitc predict`
feeds a model.

    python oracle/preprocess.py testsuite/testdata/prepare

Needs numpy pillow safetensors torchvision transformers.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from torchvision import transforms
from transformers import ViTImageProcessorPil

ROWS, COLS, SIZE, CROP = 61, 83, 40, 32


def drawn():
    y, x = np.mgrid[:ROWS, :COLS]
    waves = 128 + 100 * np.sin((x * x + y * y) / 150) * np.cos(y / 5)
    bars = 255.0 * ((x // 7 + y // 11) % 2)
    noise = np.random.default_rng(3).integers(0, 256, (ROWS, COLS))
    return np.stack([waves, bars, noise], -1).clip(0, 255).astype(np.uint8)


def imagenet(picture, filter):
    steps = [transforms.Resize(SIZE, filter), transforms.CenterCrop(CROP), transforms.ToTensor(),
             transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    return transforms.Compose(steps)(picture).numpy()


def hugging_face(picture):
    process = ViTImageProcessorPil(size={"height": CROP, "width": CROP})  # bilinear; means and deviations of 0.5
    return process(picture, return_tensors="np")["pixel_values"][0]


def main():
    folder = Path(sys.argv[1])
    picture = Image.fromarray(drawn())
    picture.save(folder / "picture.png")
    bilinear, bicubic = transforms.InterpolationMode.BILINEAR, transforms.InterpolationMode.BICUBIC
    prepared = {
        "imagenet_bilinear": imagenet(picture, bilinear), "imagenet_bicubic": imagenet(picture, bicubic), "hugging_face": hugging_face(picture),
    }
    save_file({name: np.ascontiguousarray(x) for name, x in prepared.items()}, folder / "prepared.safetensors")


if __name__ == "__main__":
    main()
