"""References for the family's models: timm and transformers, at a small size, in f64.

For each member of MEMBERS: seeded weights, a batch, the outputs and the gradient of every weight, for
testsuite/family_test.go, which brings the weights in by an import block and compares. The loss is
the mean softmax cross-entropy of the outputs: logits, or features where the model has no head.

    python oracle/family.py FOLDER              write the references of all members
    python oracle/family.py FOLDER tok map      only those
    python oracle/family.py FOLDER --check      compute them anew and compare with the files there

Files, in safetensors: NAME.weights (bf16, exact in f32), NAME.grads (same names, f32) and NAME.batch
(image, label, output; output_f32_error is by how much PyTorch's own f32 misses f64).
"""

import argparse
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from timm.models import vision_transformer as timm_vit
from timm.models.resnetv2 import ResNetV2, create_resnetv2_stem
from timm.layers import BatchNormAct2d, Conv2dSame, GroupNormAct, HybridEmbed, StdConv2dSame
from torch.nn import functional as F
from transformers import Dinov2Config, Dinov2ForImageClassification, Dinov2Model, ViTConfig, ViTForImageClassification, ViTModel

SMALL = dict(img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, mlp_ratio=40 / 24 + 1e-9, num_classes=7)
HF = dict(image_size=16, patch_size=4, hidden_size=24, num_hidden_layers=2, num_attention_heads=3)
BATCH = 3
CHECK = 1e-9  # of the largest: the same sums in f64, in another order at most, then rounded to f32


def timm(**more):
    return timm_vit.VisionTransformer(**{**SMALL, **more})


def hybrid(stages, conv=partial(StdConv2dSame, eps=1e-8), norm=partial(GroupNormAct, num_groups=32), **more):
    if stages:
        backbone = ResNetV2(layers=stages, channels=(256, 512, 1024, 2048)[: len(stages)], num_classes=0, global_pool="",
                            preact=False, stem_type="same", conv_layer=conv, norm_layer=norm)
    else:
        backbone = create_resnetv2_stem(3, stem_type="same", preact=False, conv_layer=conv, norm_layer=norm)
    return timm(embed_layer=partial(HybridEmbed, backbone=backbone), **more)


class Features(torch.nn.Module):
    """The class token of a transformers backbone."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return self.model(image).last_hidden_state[:, 0]


class Logits(Features):
    def forward(self, image):
        return self.model(image).logits


class Pooled(torch.nn.Module):
    """A head on the pooler of transformers' ViTModel, which has none."""

    def __init__(self):
        super().__init__()
        config = ViTConfig(**HF, intermediate_size=40)
        self.vit, self.classifier = ViTModel(config, add_pooling_layer=True), torch.nn.Linear(config.hidden_size, 7)

    def forward(self, image):
        return self.classifier(self.vit(image).pooler_output)


MEMBERS = {
    "tok": lambda: timm(),
    "gap": lambda: timm(class_token=False, global_pool="avg", fc_norm=False, act_layer="gelu_tanh"),
    "avg": lambda: timm(global_pool="avg"),
    "avg_norm": lambda: timm(class_token=False, global_pool="avg"),
    "map_erf": lambda: timm(class_token=False, global_pool="map"),
    "map": lambda: timm(class_token=False, global_pool="map", act_layer="gelu_tanh"),
    "max": lambda: timm(class_token=False, global_pool="max", fc_norm=False),
    "scaled": lambda: timm(init_values=1e-5, qk_norm=True, no_embed_class=True),
    "no_qkv_bias": lambda: timm(qkv_bias=False),
    "parallel": lambda: timm(block_fn=timm_vit.ParallelScalingBlock, qk_norm=True, qkv_bias=False),
    "hybrid_root": lambda: hybrid((), img_size=32, patch_size=2),
    "hybrid": lambda: hybrid((2,), patch_size=1),
    "hybrid_r26": lambda: hybrid((2, 2, 2, 2), img_size=64, patch_size=1),
    "hybrid_bn": lambda: hybrid((2,), conv=partial(Conv2dSame, bias=False), norm=BatchNormAct2d, patch_size=1),
    "hf_vit": lambda: Logits(ViTForImageClassification(ViTConfig(**HF, intermediate_size=40, num_labels=7))),
    "hf_pooler": lambda: Pooled(),
    "dinov2": lambda: Features(Dinov2Model(Dinov2Config(**HF, mlp_ratio=2))),
    "dinov2_head": lambda: Logits(Dinov2ForImageClassification(Dinov2Config(**HF, mlp_ratio=2, num_labels=7))),
}


def lively(model, seed):
    """Weights far from an initialisation's, so that a wrong scale, mask or GELU is seen; exact in bf16."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=g, dtype=torch.float64)
        if name.endswith("bias"):
            x *= 0.1
        elif p.dim() == 1:
            x = 1 + 0.2 * x
        elif any(part in name for part in ("token", "pos", "latent")):
            x *= 0.5
        else:
            x *= p[0].numel() ** -0.5
        p.data = x.bfloat16().to(p.dtype)
    for name, b in statistics(model).items():
        x = torch.randn(b.shape, generator=g, dtype=torch.float64)
        b.data = (0.2 * x if name.endswith("mean") else 1 + 0.5 * x.abs()).bfloat16().to(b.dtype)


def statistics(model):
    """The running means and variances of batch norm."""
    return {k: b for k, b in model.named_buffers() if "running_" in k}


def batch(size, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn((BATCH, 3, size, size), generator=g), torch.arange(BATCH) * 2


def run(model, image, label, dtype):
    """Outputs as in evaluation, gradients as in training, of seeded weights. But for batch norm the two are the same."""
    model = model.to(dtype).eval()
    lively(model, seed=7)
    output = model(image.to(dtype)).detach()
    inner = getattr(model, "model", model)
    weights = {k: x.detach().clone() for k, x in [*inner.named_parameters(), *statistics(inner).items()]}
    model.zero_grad(set_to_none=True)
    F.cross_entropy(model.train()(image.to(dtype)), label).backward()
    grads = {k: torch.zeros_like(p) if p.grad is None else p.grad for k, p in inner.named_parameters()}
    return output, grads | {k: torch.zeros_like(b) for k, b in statistics(inner).items()}, weights


def reference(name):
    torch.manual_seed(0)
    model = MEMBERS[name]()
    size = {"hybrid_root": 32, "hybrid_r26": 64}.get(name, 16)
    image, label = batch(size, seed=8)
    rounded = run(model, image, label, torch.float32)[0]
    output, grads, weights = run(model, image, label, torch.float64)
    return {
        "weights": {k: w.bfloat16().contiguous() for k, w in weights.items()},
        "grads": {k: g.float().contiguous() for k, g in grads.items()},
        "batch": {"image": image, "label": label.int(), "output": output.contiguous(), "output_f32_error": (rounded - output).abs().max()},
    }


def compare(name, part, want, got):
    if want.keys() != got.keys():
        raise SystemExit(f"{name}.{part}: tensors differ: {sorted(want.keys() ^ got.keys())}")
    for key in want.keys() - {"output_f32_error"}:
        miss = (want[key].double() - got[key].double()).abs().max()
        largest = want[key].double().abs().max()
        tolerance = CHECK if want[key].dtype == torch.float64 else 3e-7  # an f32's last bits
        if not miss <= tolerance * largest + 1e-12:
            raise SystemExit(f"{name}.{part}: {key} misses the file's by {miss:.1e}, largest {largest:.1e}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("members", nargs="*", metavar="member", help=", ".join(MEMBERS))
    p.add_argument("--check", action="store_true", help="compare with the files that are there")
    args = p.parse_args()
    torch.set_num_threads(1)
    for name in args.members or MEMBERS:
        files = {part: args.folder / f"{name}.{part}.safetensors" for part in ("weights", "grads", "batch")}
        if args.check and not files["batch"].exists():
            continue
        parts = reference(name)
        for part, tensors in parts.items():
            if args.check:
                compare(name, part, load_file(files[part]), tensors)
            else:
                save_file(tensors, files[part])
        error = parts["batch"]["output_f32_error"] / parts["batch"]["output"].abs().max()
        print(f"{name:12} {sum(t.numel() for t in parts['weights'].values()):9} weights, torch's f32 misses by {error:.1e}", flush=True)


if __name__ == "__main__":
    main()
