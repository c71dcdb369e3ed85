#!/usr/bin/env python3
"""A model file of ours in PyTorch: the same network, load_state_dict without conversion, the same logits.

    torch_interop.py MODEL IMAGES LOGITS     images u8 [n, h, w, c] and logits f32 [n, classes], raw, from the program
    torch_interop.py --convert BKD FOLDER    files of torch.save's through `bkd convert`, and back: equal tensors

Exit code 0: equal (logits to 1e-4); 1: not; 77: PyTorch is not here.
"""
import json
import pathlib
import subprocess
import sys

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    print("skipped: no PyTorch")
    sys.exit(77)

DTYPES = {"F32": torch.float32, "I64": torch.int64}


def load(path):
    raw = open(path, "rb").read()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + length])
    metadata = header.pop("__metadata__")
    data = bytearray(raw[8 + length:])
    state = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        state[name] = torch.frombuffer(data[begin:end], dtype=DTYPES[t["dtype"]]).reshape(t["shape"])
    return state, metadata


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if y.shape != x.shape:
            pad = (y.shape[1] - x.shape[1]) // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, pad, pad))
        return F.relu(y + x)


class ResNet(nn.Module):
    def __init__(self, depth, channels, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        n, inputs = (depth - 2) // 6, width
        for stage in (1, 2, 3):
            blocks = []
            for k in range(n):
                blocks.append(Block(inputs, width << (stage - 1), 2 if stage > 1 and k == 0 else 1))
                inputs = width << (stage - 1)
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class Bottlenecks(nn.Module):
    """The tensors of torchvision's ResNet-152, under its names, narrow."""

    def __init__(self, width, classes, blocks=(3, 8, 36, 3)):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for stage, count in enumerate(blocks):
            planes, layers = width << stage, []
            for k in range(count):
                block = nn.Module()
                for i, (a, b, taps) in enumerate([(inputs, planes, 1), (planes, planes, 3), (planes, 4 * planes, 1)]):
                    setattr(block, f"conv{i + 1}", nn.Conv2d(a, b, taps, bias=False))
                    setattr(block, f"bn{i + 1}", nn.BatchNorm2d(b))
                if k == 0:
                    block.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * planes, 1, bias=False),
                                                     nn.BatchNorm2d(4 * planes))
                layers.append(block)
                inputs = 4 * planes
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)


def convert(program, folder):
    torch.manual_seed(1)
    small, large = ResNet(20, 3, 16, 10).state_dict(), Bottlenecks(4, 365).state_dict()
    wrapped = nn.DataParallel(ResNet(20, 3, 16, 10)).state_dict()
    half = {name: t.half() if t.is_floating_point() else t for name, t in small.items()}
    bf16 = {name: t.bfloat16() if t.is_floating_point() else t for name, t in small.items()}
    views = {name: t.t().contiguous().t() if t.dim() == 2 else t for name, t in small.items()}
    cases = [("resnet20", small, small, {}), ("resnet152", large, large, {}), ("resnet20", half, half, {}),
             ("resnet20", bf16, bf16, {}), ("resnet20", views, small, {}),
             ("resnet20", {"epoch": 1, "state_dict": wrapped, "best_acc1": torch.tensor(1.0)},
              {name[len("module."):]: t for name, t in wrapped.items()}, {}),
             ("resnet20", small, small, {"pickle_protocol": 4})]
    for i, (network, saved, expected, options) in enumerate(cases):
        torch.save(saved, folder / "in.pth", **options)
        subprocess.run([program, "convert", folder / "in.pth", folder / "out", "--network", network, "--force"],
                       check=True, stdout=subprocess.DEVNULL)
        state, _ = load(folder / "out")
        assert state.keys() == expected.keys(), f"case {i}: other names"
        for name, t in expected.items():
            wanted = t.float() if t.is_floating_point() else t
            assert torch.equal(state[name], wanted), f"case {i}: {name}"
    print(f"{len(cases)} files of PyTorch {torch.__version__} converted")
    return 0


def main():
    if sys.argv[1] == "--convert":
        return convert(sys.argv[2], pathlib.Path(sys.argv[3]))
    state, metadata = load(sys.argv[1])
    network, facts = json.loads(metadata["bkd.network"]), json.loads(metadata["bkd.preprocess"])
    model = ResNet(int(network["name"][6:]), network["channels"], network["width"], network["classes"])
    print(model.load_state_dict(state))
    model.eval()
    h, w, c = facts["height"], facts["width"], facts["channels"]
    images = torch.frombuffer(bytearray(open(sys.argv[2], "rb").read()), dtype=torch.uint8).reshape(-1, h, w, c)
    expected = torch.frombuffer(bytearray(open(sys.argv[3], "rb").read()), dtype=torch.float32).reshape(len(images), -1)
    x = (images.permute(0, 3, 1, 2).float() / 255 - torch.tensor(facts["mean"]).view(1, c, 1, 1)) / torch.tensor(facts["std"]).view(1, c, 1, 1)
    with torch.no_grad():
        logits = model(x)
    error = (logits - expected).abs().max().item()
    same = (logits.argmax(1) == expected.argmax(1)).all().item()
    print(f"{len(images)} images, largest difference {error:.3g}, predictions {'equal' if same else 'differ'}")
    return 0 if same and error < 1e-4 else 1


sys.exit(main())
