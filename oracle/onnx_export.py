"""Compares ONNX models that vitc writes with its interpreter, in ONNX Runtime.

For each program of PROGRAMS: seeded weights for every parameter that `vitc describe` lists, then the
same pictures through `vitc predict --target ref` and through the model of `vitc onnx`, for a batch
that is left open and one that is settled. Everything predicted must agree within TOLERANCE of
its largest value: both compute in f32, in different orders.

    python oracle/onnx_export.py path/to/vitc
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file, save_file

TOLERANCE = 1e-5
PICTURES = 5

HEAD = """edition 1
use vit, nn, augment

model m = {model}

data pictures -> (image: u8[row: {size}, col: {size}, channel: 3]) {{}}

eval photos of m {{
  data: pictures
  batch: 2
  fn predict(image: u8[batch, row, col, channel]) {{
    let x = augment.normalise(image)
    (probability: nn.softmax(f32(m(x)), over: classes), logits: m(x), features: m.features(x))
  }}
}}
"""

TINY = "vit.ViT(width: 48, depth: 3, mlp: 96, heads: 4, classes: 11, image: 32, patch: 8{more})"
HYBRID = "vit.ViT(width: 64, depth: 2, mlp: 96, heads: 4, classes: 7, image: 64, patch: 1, stem: vit.ResNet(stages: {stages}{norm}){more})"

# Name: model, size of its pictures.
PROGRAMS = {
    "gap": (TINY.format(more=", pool: vit.Gap"), 32),
    "tok": (TINY.format(more=", pool: vit.Tok"), 32),
    "map": (TINY.format(more=", pool: vit.Map"), 32),
    "max": (TINY.format(more=", pool: vit.Max"), 32),
    "erf": (TINY.format(more=", pool: vit.Tok, block: vit.Block(act: nn.gelu_erf)"), 32),
    "parallel": (TINY.format(more=", pool: vit.Map, block: vit.ParallelBlock, norm_bias: false"), 32),
    "parallel_timm": (TINY.format(more=", block: vit.ParallelBlock(norm_bias: true, qk_norm_bias: true)"), 32),
    "no_biases": (TINY.format(more=", block: vit.Block(qkv_bias: false, out_bias: false, mlp_bias: false, norm_bias: false)"), 32),
    "sincos": (TINY.format(more=", position: vit.SinCos2d, representation: 20"), 32),
    "dinov2": (TINY.format(more=", pool: vit.Tok, block: vit.Block(act: nn.gelu_erf, layer_scale: 1e-5)"), 32),
    "class_token_mean": (TINY.format(more=", pool: vit.Gap(class_token: true), pooled_norm: true"), 32),
    "map_erf": (TINY.format(more=", pool: vit.Map(act: nn.gelu_erf)"), 32),
    "dinov2_head": (TINY.format(more=", pool: vit.Tok, head_mean: true, block: vit.Block(act: nn.gelu_erf, layer_scale: 1e-5)"), 32),
    "hybrid": (HYBRID.format(stages="[2, 1]", norm="", more=""), 64),
    "hybrid_batch_norm": (HYBRID.format(stages="[1, 2]", norm=", norm: nn.BatchNorm, conv: nn.Conv", more=", pool: vit.Tok"), 64),
    "hybrid_timm": (HYBRID.format(stages="[1]", norm=", norm: nn.GroupNorm, conv: nn.Conv(standardise: true)", more=""), 64),
}


def run(*args):
    return subprocess.run([str(a) for a in args], check=True, capture_output=True, text=True).stdout


def weights(vitc, program, path):
    """Numbers around 0 for all parameters, around 1 for gains and variances."""
    rng = np.random.default_rng(0)
    out = {}
    for part in json.loads(run(vitc, "describe", "--json", program, "m"))["parts"]:
        for tensor in part.get("tensors", []):
            shape = [int(n) for n in re.findall(r":(\d+)", tensor["type"])]
            value = 0.3 * rng.standard_normal(shape)
            if tensor["name"] in ("gain", "var"):
                value = 1 + 0.1 * np.abs(value)
            elif tensor["name"].startswith("w"):
                value *= 2 / np.sqrt(np.prod(shape[-4:-1] if "conv" in part["path"] or ".c" in part["path"] else shape[-2:-1]))
            out[part["path"] + "." + tensor["name"]] = value.astype(np.float32)
    save_file(out, path)


def compare(name, want, got):
    worst = 0.0
    for key, value in got.items():
        error = np.abs(value - want[key]).max() / np.abs(want[key]).max()
        if not error <= TOLERANCE:
            raise SystemExit(f"{name}: {key} is off by {error:.2e} of its largest value, allowed {TOLERANCE:.0e}")
        worst = max(worst, error)
    return worst


def check(vitc, name, folder):
    model, size = PROGRAMS[name]
    program, values, images = (folder / f"{name}{end}" for end in (".vit", ".weights.safetensors", ".images.safetensors"))
    program.write_text(HEAD.format(model=model, size=size))
    weights(vitc, program, values)
    pictures = np.random.default_rng(1).integers(0, 256, (PICTURES, size, size, 3), dtype=np.uint8)
    save_file({"image": pictures}, images)
    out = folder / f"{name}.out.safetensors"
    run(vitc, "predict", program, images, "--weights", values, "--target", "ref", "-o", out)
    want, worst, nodes = load_file(out), 0.0, 0
    for batch in (0, PICTURES):
        exported = folder / f"{name}.{batch}.onnx"
        run(vitc, "onnx", program, "--weights", values, "-o", exported, *(["--batch", batch] if batch else []))
        proto = onnx.load(exported)
        onnx.checker.check_model(proto, full_check=True)
        session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
        keys = [o.name for o in session.get_outputs()]
        worst = max(worst, compare(f"{name}, batch {batch}", want, dict(zip(keys, session.run(keys, {"image": pictures})))))
        nodes = len(proto.graph.node)
    print(f"{name:20} {nodes:5} nodes, off by {worst:.1e}", flush=True)


def main():
    vitc = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[2:] or PROGRAMS:
            check(vitc, name, Path(folder))


if __name__ == "__main__":
    main()
