#!/usr/bin/env python3
"""The training step of `bkd bench step`, or the inference of `bkd bench infer`, in PyTorch: the same images, weights, loss
and optimizer, so that losses and logits agree.

    peer_torch.py --network resnet32 --steps 50 ce:f32:eager bkd:bf16:graph bkd:f32:graph:channels_last:tf32
    peer_torch.py --device cpu --threads 2 --batch 1 infer:f32:freeze:channels_last

A word is method, dtype and mode, then switches. Methods: ce, bkd; infer: logits alone. Modes: eager; graph: the step captured in a
CUDA graph and replayed; compile: torch.compile of the networks, then as eager; freeze, of infer: torch.jit's frozen trace, batch
norms folded. Switches: channels_last; tf32, products with 10 bits of mantissa.

Images and weights come from the same random numbers (engine/rng.h), so the first losses must be those of `bkd bench step`; a
time whose losses differ is of other work. Prints one line of JSON a word. Needs torch and numpy, and nothing of bkd.
"""
import argparse
import json
import math
import statistics
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MASK = np.uint64(0xFFFFFFFF)


def philox(counter, key):
    """kernels/philox.h over arrays: four words of 32 bits for a counter of four."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k = [np.uint64(key[0]), np.uint64(key[1])]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k[0], p1 & MASK, (p0 >> np.uint64(32)) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + np.uint64(0x9E3779B9)) & MASK, (k[1] + np.uint64(0xBB67AE85)) & MASK]
    return c


def philox_key(seed, name):
    value = 14695981039346656037
    for byte in name.encode():
        value = ((value ^ byte) * 1099511628211) % 2**64
    word = philox([value & 0xFFFFFFFF, value >> 32, len(name), 0], [seed & 0xFFFFFFFF, seed >> 32])
    return [int(word[0]), int(word[1])]


def draw(key, count):
    i = np.arange(count, dtype=np.uint64)
    zero = np.zeros(count, np.uint64)
    return philox([i & MASK, i >> np.uint64(32), zero, zero], key)


def normals(key, count, deviation):
    word = draw(key, count)
    radius = np.sqrt(-2 * np.log((word[0].astype(np.float64) + 1) * 2.0**-32))
    return deviation * radius * np.cos(2 * np.pi * word[1].astype(np.float64) * 2.0**-32)


def uniforms(key, count, low, high):
    return low + (high - low) * (draw(key, count)[0].astype(np.float64) * 2.0**-32)


class Block(nn.Module):
    def __init__(self, inside, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.more = stride, out - inside

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1 or self.more:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(y + x)


class ResNet(nn.Module):
    """models/resnet.cpp."""

    def __init__(self, depth, classes, channels, scope):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inside = 16
        for stage in (1, 2, 3):
            out = 16 << (stage - 1)
            blocks = []
            for k in range((depth - 2) // 6):
                blocks.append(Block(inside, out, 2 if stage > 1 and k == 0 else 1))
                inside = out
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(inside, classes)
        for name, parameter in self.named_parameters():
            key, count = philox_key(1, f"{scope}/init/{name}"), parameter.numel()
            if parameter.dim() == 4:  # drawn in memory order K R S C
                k, c, r, s = parameter.shape
                numbers = normals(key, count, math.sqrt(2 / (c * r * s))).reshape(k, r, s, c).transpose(0, 3, 1, 2)
            elif name == "linear.weight":
                numbers = normals(key, count, math.sqrt(2 / inside)).reshape(parameter.shape)
            elif name == "linear.bias":
                numbers = uniforms(key, count, -1 / math.sqrt(inside), 1 / math.sqrt(inside))
            else:
                continue
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(numbers)).float())

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def bkd_loss(z, teacher, labels, log_omega, temperature=2.0):
    """L = CE + T^2 KL(normalise(omega p_teacher) || p_student)."""
    target = F.softmax(teacher / temperature + log_omega, dim=1)
    distance = F.kl_div(F.log_softmax(z / temperature, dim=1), target, reduction="batchmean")
    return F.cross_entropy(z, labels) + temperature**2 * distance


def make_images(o, device):
    pixels = draw([1, 2], o.batch * o.size * o.size * o.channels)[0].astype(np.uint8)
    return torch.from_numpy(pixels.reshape(o.batch, o.size, o.size, o.channels)).to(device).permute(0, 3, 1, 2)


def normalised(images, memory):
    return ((images.float() / 255 - 0.5) / 0.25).contiguous(memory_format=memory)


def memory_format(o):
    return torch.channels_last if o.channels_last else torch.contiguous_format


def make_inference(o, device):
    depth, memory = int(o.network.removeprefix("resnet")), memory_format(o)
    network = ResNet(depth, o.classes, o.channels, "student").to(device, memory_format=memory).eval()
    images = make_images(o, device)
    if o.mode == "freeze":
        with torch.no_grad():
            network = torch.jit.optimize_for_inference(torch.jit.trace(network, normalised(images, memory)))
    if o.mode == "compile":
        network = torch.compile(network)

    def step():
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=o.dtype == "bf16"):
            return network(normalised(images, memory)).float()

    return step


def make_step(o, device):
    depth = int(o.network.removeprefix("resnet"))
    student, teacher = (ResNet(depth, o.classes, o.channels, scope).to(device) for scope in ("student", "teacher"))
    if o.channels_last:
        student, teacher = (n.to(memory_format=torch.channels_last) for n in (student, teacher))
    teacher.eval()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9, weight_decay=2e-4, foreach=True)
    images = make_images(o, device)
    labels = (torch.arange(o.batch) % o.classes).to(device)
    log_omega = torch.full((o.classes,), -0.5, device=device)
    run_student, run_teacher = student, teacher
    if o.mode == "compile":
        run_student, run_teacher = torch.compile(student), torch.compile(teacher)
    memory = memory_format(o)

    def step():
        optimizer.zero_grad(set_to_none=True)
        x = normalised(images, memory)
        with torch.autocast(device.type, torch.bfloat16, enabled=o.dtype == "bf16"):
            z = run_student(x).float()
            if o.method == "bkd":
                with torch.no_grad():
                    taught = run_teacher(x).float()
        loss = F.cross_entropy(z, labels) if o.method == "ce" else bkd_loss(z, taught, labels, log_omega)
        loss.backward()
        optimizer.step()
        return loss

    return step


def captured(step):
    """The step as a CUDA graph, and the losses of the three steps that run first, on a stream of their own as capture asks."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        losses = [step().item() for _ in range(3)]
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay, losses


def measure(o, device):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = o.tf32
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    step = make_inference(o, device) if o.method == "infer" else make_step(o, device)
    if o.method == "infer":
        run, losses = step, step()[0].tolist()[:5]
    elif o.mode == "graph":
        run, losses = captured(step)
    else:
        run, losses = step, [step().item() for _ in range(3)]
    for _ in range(3):
        run()
    synchronize()
    single, queued = [], []
    for _ in range(o.steps):
        began = time.perf_counter()
        run()
        synchronize()
        single.append(1000 * (time.perf_counter() - began))
    for _ in range(3 if device.type == "cuda" else 0):
        began = time.perf_counter()
        for _ in range(o.steps):
            run()
        synchronize()
        queued.append(1000 * (time.perf_counter() - began) / o.steps)
    single.sort()
    return {"program": f"PyTorch {torch.__version__}", "logits" if o.method == "infer" else "losses": losses,
            "min_ms": single[0], "quartile_ms": single[len(single) // 4], "median_ms": statistics.median(single),
            "queued_ms": min(queued, default=None)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="METHOD:DTYPE:MODE[:SWITCH...]")
    parser.add_argument("--network", default="resnet32")
    for name, value in (("batch", 128), ("size", 32), ("channels", 3), ("classes", 100), ("steps", 50)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, help="of the CPU")
    o = parser.parse_args()
    if o.threads:
        torch.set_num_threads(o.threads)
    torch.backends.cudnn.benchmark = True
    device = torch.device(o.device)
    for word in o.words:
        o.method, o.dtype, o.mode, *switches = word.split(":")
        o.channels_last, o.tf32 = "channels_last" in switches, "tf32" in switches
        result = {"schema": "bkd.peer-step/1", "word": word}
        try:
            result.update(measure(o, device))
        except Exception as error:  # the next word may work
            result["error"] = f"{type(error).__name__}: {str(error).strip()[-300:]}"
        print(json.dumps(result), flush=True)


main()
