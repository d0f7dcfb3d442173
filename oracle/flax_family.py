"""References for the family's models as Google's repositories save them: big_vision's and vision_transformer's .npz.

The trees of parameters are written by the layout that the two repositories share with Flax (names,
numbers of submodules, shapes, where positions lie), and computed in plain JAX, in f64: seeded weights, a
batch, the outputs and the gradient of every weight, for testsuite/family_test.go, as oracle/family.py
makes them of timm and transformers.

    python oracle/flax_family.py FOLDER               write the references of all members
    python oracle/flax_family.py FOLDER bv_map        only those
    python oracle/flax_family.py FOLDER --check       compute them anew and compare with the files there

Needs jax and numpy. Files, in .npz: NAME.weights and NAME.grads (same names) and NAME.batch (image, label, output).
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

WIDTH, DEPTH, HEADS, MLP, CLASSES, REP, PATCH, GRID = 24, 2, 3, 40, 7, 20, 4, 4
BATCH, STEM, GROUPS = 3, 64, 32
CHECK = 1e-9

# How the submodules of a block are numbered: norm, attention, norm, MLP. Flax counts each class apart; the
# names of vision_transformer are older, and count on.
APART = ("LayerNorm_0", "MultiHeadDotProductAttention_0", "LayerNorm_1", "MlpBlock_0")
ON = ("LayerNorm_0", "MultiHeadDotProductAttention_1", "LayerNorm_2", "MlpBlock_3")


# ---- shapes ----


def dense(*shape, out=1):
    return {"kernel": shape, "bias": shape[-out:]}


def norm(width=WIDTH):
    return {"scale": (width,), "bias": (width,)}


def attention():
    inner = {name: dense(WIDTH, HEADS, WIDTH // HEADS, out=2) for name in ("query", "key", "value")}
    return inner | {"out": dense(HEADS, WIDTH // HEADS, WIDTH)}


def mlp():
    return {"Dense_0": dense(WIDTH, MLP), "Dense_1": dense(MLP, WIDTH)}


def block(names):
    return dict(zip(names, (norm(), attention(), norm(), mlp())))


def stacked(tree):
    return jax.tree.map(lambda shape: (DEPTH, *shape), tree, is_leaf=lambda x: isinstance(x, tuple))


def unit(channels, out):
    mid = out // 4
    tree = {"conv1": (1, 1, channels, mid), "conv2": (3, 3, mid, mid), "conv3": (1, 1, mid, out)}
    tree = {name: {"kernel": shape} for name, shape in tree.items()}
    tree |= {"gn1": norm(mid), "gn2": norm(mid), "gn3": norm(out)}
    if channels != out:
        tree |= {"conv_proj": {"kernel": (1, 1, channels, out)}, "gn_proj": norm(out)}
    return tree


def shapes(names, pool, rep=False, scan=False, stages=None):
    tokens = GRID * GRID
    blocks = {"encoderblock": stacked(block(names))} if scan else {f"encoderblock_{i}": block(names) for i in range(DEPTH)}
    tree = {"Transformer": blocks | {"encoder_norm": norm()}, "embedding": dense(PATCH, PATCH, 3, WIDTH), "head": dense(REP if rep else WIDTH, CLASSES)}
    if pool == "tok":
        tree["cls"] = (1, 1, WIDTH)
    if names == ON:
        tree["Transformer"]["posembed_input"] = {"pos_embedding": (1, tokens + (pool == "tok"), WIDTH)}
    else:
        tree["pos_embedding"] = (1, tokens, WIDTH)
    if pool == "map":
        tree["MAPHead_0"] = {"probe": (1, 1, WIDTH), APART[1]: attention(), APART[0]: norm(), APART[3]: mlp()}
    if rep:
        tree["pre_logits"] = dense(WIDTH, REP)
    if stages is not None:
        tree |= {"conv_root": {"kernel": (7, 7, 3, STEM)}, "gn_root": norm(STEM)}
        channels = STEM
        for i, blocks in enumerate(stages):
            tree[f"block{i + 1}"] = {f"unit{k + 1}": unit(channels if k == 0 else 4 * STEM << i, 4 * STEM << i) for k in range(blocks)}
            channels = 4 * STEM << i
        tree["embedding"] = dense(1, 1, channels, WIDTH)
    return tree


# ---- what is computed ----


def affine(x, p, axes=1):
    return jnp.tensordot(x, p["kernel"], axes) + p["bias"]


def layer_norm(x, p):
    c = x - x.mean(-1, keepdims=True)
    return c / jnp.sqrt((c * c).mean(-1, keepdims=True) + 1e-6) * p["scale"] + p["bias"]


def attend(q, x, p):
    q, k, v = affine(q, p["query"]), affine(x, p["key"]), affine(x, p["value"])
    a = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(WIDTH // HEADS), -1)
    return affine(jnp.einsum("bhqk,bkhd->bqhd", a, v), p["out"], 2)


def feed_forward(x, p):
    return affine(jax.nn.gelu(affine(x, p["Dense_0"]), approximate=True), p["Dense_1"])


def encoder_block(x, p, names):
    y = layer_norm(x, p[names[0]])
    x = x + attend(y, y, p[names[1]])
    return x + feed_forward(layer_norm(x, p[names[2]]), p[names[3]])


def encode(x, p, names):
    if "encoderblock" in p:
        x, _ = jax.lax.scan(lambda x, layer: (encoder_block(x, layer, names), None), x, p["encoderblock"])
    else:
        for i in range(DEPTH):
            x = encoder_block(x, p[f"encoderblock_{i}"], names)
    return layer_norm(x, p["encoder_norm"])


def conv(x, w, stride, pad="SAME"):
    return jax.lax.conv_general_dilated(x, w, (stride, stride), pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def std_conv(x, p, stride=1):
    w = p["kernel"] - p["kernel"].mean((0, 1, 2))
    return conv(x, w / (w.std((0, 1, 2)) + 1e-5), stride)


def group_norm(x, p):
    g = x.reshape(*x.shape[:3], GROUPS, -1)
    c = g - g.mean((1, 2, 4), keepdims=True)
    g = c / jnp.sqrt((c * c).mean((1, 2, 4), keepdims=True) + 1e-6)
    return g.reshape(x.shape) * p["scale"] + p["bias"]


def bottleneck(x, p, stride):
    y = jax.nn.relu(group_norm(std_conv(x, p["conv1"]), p["gn1"]))
    y = jax.nn.relu(group_norm(std_conv(y, p["conv2"], stride), p["gn2"]))
    y = group_norm(std_conv(y, p["conv3"]), p["gn3"])
    return jax.nn.relu(y + (group_norm(std_conv(x, p["conv_proj"], stride), p["gn_proj"]) if "conv_proj" in p else x))


def resnet(x, p, stages):
    x = jax.nn.relu(group_norm(std_conv(x, p["conv_root"], 2), p["gn_root"]))
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
    for i, blocks in enumerate(stages):
        for k in range(blocks):
            x = bottleneck(x, p[f"block{i + 1}"][f"unit{k + 1}"], 2 if i > 0 and k == 0 else 1)
    return x


def logits(p, image, names, pool, rep=False, scan=False, stages=None):
    x = image if stages is None else resnet(image, p, stages)
    x = conv(x, p["embedding"]["kernel"], p["embedding"]["kernel"].shape[0], "VALID") + p["embedding"]["bias"]
    x = x.reshape(x.shape[0], -1, WIDTH)
    if names == APART:  # positions, then the token
        x = x + p["pos_embedding"]
    if pool == "tok":
        x = jnp.concatenate([jnp.tile(p["cls"], (x.shape[0], 1, 1)), x], 1)
    if names == ON:
        x = x + p["Transformer"]["posembed_input"]["pos_embedding"]
    x = encode(x, p["Transformer"], names)
    if pool == "map":
        head = p["MAPHead_0"]
        x = attend(jnp.tile(head["probe"], (x.shape[0], 1, 1)), x, head[APART[1]])[:, 0]
        x = x + feed_forward(layer_norm(x, head[APART[0]]), head[APART[3]])
    else:
        x = x[:, 0] if pool == "tok" else x.mean(1)
    return affine(jnp.tanh(affine(x, p["pre_logits"])) if rep else x, p["head"])


# ---- references ----

MEMBERS = {
    "bv_map": dict(names=APART, pool="map"),
    "bv_tok": dict(names=APART, pool="tok", rep=True),
    "bv_scan": dict(names=APART, pool="gap", scan=True),
    "vt_tok": dict(names=ON, pool="tok", rep=True),
    "vt_gap": dict(names=ON, pool="gap"),
    "vt_hybrid": dict(names=ON, pool="tok", stages=(2,)),
}
ROOTS = {"bv_scan": "params/"}  # where a member's file keeps its tree


def flat(tree, path=""):
    if not isinstance(tree, dict):
        return {path: tree}
    return {name: leaf for key in tree for name, leaf in flat(tree[key], f"{path}/{key}" if path else key).items()}


def nested(leaves):
    tree = {}
    for path, leaf in leaves.items():
        *folders, name = path.split("/")
        inner = tree
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[name] = leaf
    return tree


def lively(path, shape, g):
    """Weights far from an initialisation's, so that a wrong scale, mask or GELU is seen."""
    x = g.standard_normal(shape)
    if path.endswith("bias"):
        x *= 0.1
    elif path.endswith("scale"):
        x = 1 + 0.2 * x
    elif path.endswith("kernel"):
        x *= (np.prod(shape) / shape[-1]) ** -0.5
    else:
        x *= 0.5
    bits = x.astype(np.float32).view(np.uint32) & 0xFFFF0000  # as short as bf16, so that the file is small
    return bits.view(np.float32)


def reference(name):
    config, g = MEMBERS[name], np.random.default_rng(7)
    weights = {path: lively(path, shape, g) for path, shape in flat(shapes(**config)).items()}
    image = g.standard_normal((BATCH, GRID * PATCH, GRID * PATCH, 3)).astype(np.float32)
    label = np.arange(BATCH, dtype=np.int32) * 2

    def loss(leaves):
        z = logits(nested(leaves), image.astype(np.float64), **config)
        return -jax.nn.log_softmax(z)[np.arange(BATCH), label].mean(), z

    grads, output = jax.grad(loss, has_aux=True)({path: jnp.asarray(w, jnp.float64) for path, w in weights.items()})
    root = ROOTS.get(name, "")
    return {
        "weights": {root + path: w for path, w in weights.items()},
        "grads": {root + path: np.asarray(grad, np.float32) for path, grad in grads.items()},
        "batch": {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2)), "label": label, "output": np.asarray(output)},
    }


def compare(name, part, want, got):
    if set(want) != set(got):
        raise SystemExit(f"{name}.{part}: tensors differ: {sorted(set(want) ^ set(got))}")
    for key in got:
        miss, largest = np.abs(want[key] - got[key]).max(), np.abs(want[key]).max()
        tolerance = CHECK if want[key].dtype == np.float64 else 3e-7  # an f32's last bits
        if not miss <= tolerance * largest + 1e-12:
            raise SystemExit(f"{name}.{part}: {key} misses the file's by {miss:.1e}, largest {largest:.1e}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("members", nargs="*", metavar="member", help=", ".join(MEMBERS))
    p.add_argument("--check", action="store_true", help="compare with the files that are there")
    args = p.parse_args()
    for name in args.members or MEMBERS:
        parts = reference(name)
        for part, tensors in parts.items():
            file = args.folder / f"{name}.{part}.npz"
            if args.check:
                compare(name, part, np.load(file), tensors)
            else:
                np.savez_compressed(file, **tensors)
        print(f"{name:12} {sum(w.size for w in parts['weights'].values()):9} weights", flush=True)


if __name__ == "__main__":
    main()
