#!/usr/bin/env python3
"""Writes tests/golden/networks.safetensors: logits and losses of whole networks by PyTorch in f64.

    tests/golden/networks.py --out tests/golden/networks.safetensors         needs torch, numpy, safetensors

Weights, images and statistics are no part of the file: element i, row-major in the layouts of memory (images NHWC, convolution
weights O H W I, linear weights [out, in]), of the tensor called `name` is

    h = mix(fnv1a64(name) ^ (i + 1) * 0x9E3779B97F4A7C15),  u = (h >> 40) / 2^23 - 1          mix: the end of splitmix64
    images u; weights of two and more axes u sqrt(6 / fan_in); batch norm's weight 0.3 + 0.1 u, its running_var 1 + 0.5 u,
    all else 0.1 u                                                                             rounded to f32

`network_eval` compares the logits in evaluation mode, `network_train` the losses of steps of SGD on one batch, the i-th image of
which has the label i modulo the classes. Through fifty layers of batch norm over few values the gradients at such weights are large
(their norm is 200 in ResNet-50), so the deep networks take small steps; and whether a ReLU is on can hang on a rounding, so the
tolerance is 2e-5 of the largest number or eight times the error of PyTorch's own f32, whichever is more.
"""

import argparse
import json

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.numpy import save_file

CIFAR = {f"resnet{d}": (d - 2) // 6 for d in (8, 20, 32)}
IMAGENET = {"resnet10": ("basic", (1, 1, 1, 1)), "resnet18": ("basic", (2, 2, 2, 2)), "resnet34": ("basic", (3, 4, 6, 3)),
            "resnet50": ("bottleneck", (3, 4, 6, 3)), "resnet101": ("bottleneck", (3, 4, 23, 3)),
            "resnet152": ("bottleneck", (3, 8, 36, 3)), "resnext50_32x4d": ("bottleneck", (3, 4, 6, 3))}


RATES = {"resnet50": 1e-6, "resnext50_32x4d": 1e-6, "resnet101": 5e-7, "resnet152": 1e-7, "ride_resnet32": 1e-4}


def conv(i, o, k, stride=1, groups=1):
    return nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False)


class ShortcutA(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.stride, self.before, self.after = stride, (o - i) // 2, o - i - (o - i) // 2

    def forward(self, x):
        return F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.before, self.after))


class Block(nn.Module):
    def __init__(self, kind, i, planes, stride, shortcut, inner=1, groups=1):
        super().__init__()
        out = planes if kind == "basic" else 4 * planes
        if kind == "basic":
            shapes = [(i, out, 3, stride, 1), (out, out, 3, 1, 1)]
        else:
            shapes = [(i, inner * planes, 1, 1, 1), (inner * planes, inner * planes, 3, stride, groups),
                      (inner * planes, out, 1, 1, 1)]
        self.count = len(shapes)
        for n, shape in enumerate(shapes, 1):
            setattr(self, f"conv{n}", conv(*shape))
            setattr(self, f"bn{n}", nn.BatchNorm2d(shape[1]))
        self.downsample = nn.Identity()
        if stride != 1 or i != out:
            self.downsample = (ShortcutA(i, out, stride) if shortcut == "a" else
                               nn.Sequential(conv(i, out, 1, stride), nn.BatchNorm2d(out)))

    def forward(self, x):
        y = x
        for n in range(1, self.count + 1):
            y = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(y))
            y = F.relu(y + self.downsample(x) if n == self.count else y)
        return y


def stage(kind, i, planes, blocks, stride, shortcut, **how):
    out = planes if kind == "basic" else 4 * planes
    return nn.Sequential(*[Block(kind, i if b == 0 else out, planes, stride if b == 0 else 1, shortcut, **how)
                           for b in range(blocks)])


class Cosine(nn.Module):
    def __init__(self, i, o, scale):
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.zeros(o, i)), scale

    def forward(self, x):
        return self.scale * F.linear(F.normalize(x), F.normalize(self.weight))


class ResNet(nn.Module):
    def __init__(self, a):
        super().__init__()
        w, name = a["width"], a["network"]
        self.small = name in CIFAR or a["stem"] == "small"
        self.conv1 = conv(3, w, 3) if self.small else conv(3, w, 7, 2)
        self.bn1 = nn.BatchNorm2d(w)
        if name in CIFAR:
            kind, depths, shortcut, how = "basic", (CIFAR[name],) * 3, "a", {}
        else:
            (kind, depths), shortcut = IMAGENET[name], "projection"
            how = {"inner": 2, "groups": w // 2} if name.startswith("resnext") else {}
        self.depth, i = len(depths), w
        for s, blocks in enumerate(depths):
            setattr(self, f"layer{s + 1}", stage(kind, i, w << s, blocks, 2 if s else 1, shortcut, **how))
            i = (w << s) * (1 if kind == "basic" else 4)
        head = Cosine(i, a["classes"], a["scale"]) if a["head"] == "cosine" else nn.Linear(i, a["classes"])
        self.last = "linear" if name in CIFAR else "fc"
        setattr(self, self.last, head)

    def experts(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = x if self.small else F.max_pool2d(x, 3, 2, 1)
        for s in range(self.depth):
            x = getattr(self, f"layer{s + 1}")(x)
        return [getattr(self, self.last)(x.mean((2, 3)))]


class Ride(nn.Module):
    def __init__(self, a):
        super().__init__()
        w, n = a["width"], a["experts"]
        middle, last = (2 * w * 3 // 4, 4 * w * 3 // 4) if a["reduces_width"] else (2 * w, 4 * w)
        self.conv1, self.bn1 = conv(3, w, 3), nn.BatchNorm2d(w)
        self.layer1 = stage("basic", w, w, 5, 1, "a")
        self.layer2s = nn.ModuleList([stage("basic", w, middle, 5, 2, "a") for _ in range(n)])
        self.layer3s = nn.ModuleList([stage("basic", middle, last, 5, 2, "a") for _ in range(n)])
        self.linears = nn.ModuleList([Cosine(last, a["classes"], a["scale"]) if a["head"] == "cosine" else
                                      nn.Linear(last, a["classes"]) for _ in range(n)])

    def experts(self, x):
        x = self.layer1(F.relu(self.bn1(self.conv1(x))))
        return [head(l3(l2(x)).mean((2, 3))) for l2, l3, head in zip(self.layer2s, self.layer3s, self.linears)]


def numbers(name, shape):
    """u of each element of the tensor `name`, f64."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.uint64(h) ^ (np.arange(1, np.prod(shape, dtype=np.int64) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) / 2**23 - 1).reshape(shape)


def fill(net):
    for name, t in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        shape = tuple(t.shape) if t.dim() < 4 else tuple(t.shape[i] for i in (0, 2, 3, 1))
        u = numbers(name, shape)
        if t.dim() > 1:
            u = u * np.sqrt(6 / np.prod(shape[1:]))
        elif name.endswith("running_var"):
            u = 1 + 0.5 * u
        elif name.endswith("weight"):
            u = 0.3 + 0.1 * u
        else:
            u = 0.1 * u
        u = u.astype(np.float32).astype(np.float64)
        t.copy_(torch.from_numpy(u if t.dim() < 4 else u.transpose(0, 3, 1, 2).copy()))


def run(attrs, dtype):
    net = (Ride if attrs["network"] == "ride_resnet32" else ResNet)(attrs).double()
    fill(net)
    net = net.to(dtype)
    x = numbers("x", (attrs["batch"], attrs["size"], attrs["size"], 3)).astype(np.float32).astype(np.float64)
    x = torch.from_numpy(x).to(dtype).permute(0, 3, 1, 2)
    if "steps" not in attrs:
        net.eval()
        with torch.no_grad():
            return {"logits": torch.stack(net.experts(x)).mean(0).double().numpy()}
    sgd = torch.optim.SGD(net.parameters(), attrs["lr"], attrs["momentum"], weight_decay=attrs["weight_decay"])
    labels, losses = torch.arange(attrs["batch"]) % attrs["classes"], []
    for _ in range(attrs["steps"]):
        loss = sum(F.cross_entropy(z, labels) for z in net.experts(x))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    return {"loss": np.array(losses)}


def cases():
    standard = {"stem": "imagenet", "experts": 1, "reduces_width": False, "head": "linear", "scale": 30.0, "classes": 10}
    steps = {"steps": 3, "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005, "nesterov": False}
    for name in IMAGENET:
        narrow = {**standard, "network": name, "width": 8, "batch": 8, "size": 64}
        yield "eval.narrow", narrow
        yield "train.narrow", {**narrow, **steps, "lr": RATES.get(name, 0.01)}
        yield "eval.full", {**standard, "network": name, "width": 64, "classes": 100, "batch": 1, "size": 64}
    yield "eval.small_stem", {**standard, "network": "resnet10", "width": 8, "batch": 2, "size": 32, "stem": "small"}
    yield "eval.cosine", {**standard, "network": "resnet10", "width": 8, "batch": 2, "size": 64, "head": "cosine"}
    for experts, reduces, head in ((1, True, "cosine"), (2, True, "linear"), (3, True, "cosine"), (4, False, "cosine")):
        ride = {**standard, "network": "ride_resnet32", "width": 16, "batch": 2, "size": 32, "experts": experts,
                "reduces_width": reduces, "head": head, "classes": 100}
        yield f"eval.{experts}_experts", ride
        yield f"train.{experts}_experts", {**ride, **steps, "width": 8, "batch": 4, "lr": RATES["ride_resnet32"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    torch.use_deterministic_algorithms(True)
    manifest, tensors = [], {}
    for label, attrs in cases():
        op = "network_train" if "steps" in attrs else "network_eval"
        name = f"{op}.{attrs['network']}.{label.split('.')[1]}.f32"
        result, plain = run(attrs, torch.float64), run(attrs, torch.float32)
        tolerances = {k: {"mtol": max(2e-5, 8 * np.abs(plain[k] - v).max() / np.abs(v).max())} for k, v in result.items()}
        print(name, {k: v.ravel()[:3].tolist() for k, v in result.items()}, tolerances, flush=True)
        manifest.append({"name": name, "op": op, "dtype": "f32", "attrs": attrs, "in": [], "up": [],
                         "out": tolerances, "grad": {}})
        tensors.update({f"{name}/out/{k}": v.astype(np.float32) for k, v in result.items()})
    save_file(tensors, out, {"golden": json.dumps({"format": "bkd-golden", "version": 1, "cases": manifest})})


main()
