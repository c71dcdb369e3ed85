#!/usr/bin/env python3
"""The files of PyTorch's own writer in tests/fuzz/corpus/pth: tiny state dicts, checkpoints, and what is refused.

    pth_files.py FOLDER

Numbers are counted up, so that a test can name them. Needs PyTorch and NumPy.
"""
import collections
import pathlib
import sys

import numpy
import torch
from torch import nn


def counted(*shape, dtype=torch.float32):
    count = 1
    for extent in shape:
        count *= extent
    return torch.arange(count).reshape(shape).to(dtype)


def main():
    folder = pathlib.Path(sys.argv[1])
    save = lambda name, value, **options: torch.save(value, folder / name, **options)
    save("read_state_dict", collections.OrderedDict([
        ("conv1.weight", counted(2, 1, 2, 2)), ("bn1.bias", counted(2)), ("bn1.num_batches_tracked", torch.tensor(3))]))
    save("read_dtypes", {name: counted(3, dtype=getattr(torch, name)) for name in
                         "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8".split()}
         | {"bool": torch.tensor([True, False])})
    base = counted(2, 3)
    save("read_views", {"whole": base, "transposed": base.t(), "row": base[1], "column": base[:, 1],
                        "repeated": base[:1].expand(4, 3), "empty": base[:0], "scalar": base[1, 2]})
    network = nn.Sequential(nn.Linear(2, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        network[0].weight.copy_(counted(2, 2))
        network[0].bias.copy_(counted(2))
    checkpoint = {"epoch": 3, "arch": "resnet32", "state_dict": nn.DataParallel(network).state_dict(),
                  "best_acc1": torch.tensor(3.0), "accuracy": numpy.float64(46.5), "optimizer": optimizer.state_dict(),
                  "shape": torch.Size([1, 2]), "dtype": torch.float32, "device": torch.device("cpu"), "seen": {1, 2}}
    save("read_checkpoint", checkpoint)
    save("read_parameters", {"model": {"weight": nn.Parameter(counted(2, 2)), "epoch": 7}}, pickle_protocol=4)
    torch.serialization.set_crc32_options(False)
    save("read_without_checksums", {"weight": counted(2, 2)})
    torch.serialization.set_crc32_options(True)
    save("whole_model", network)
    save("legacy", {"weight": counted(2, 2)}, _use_new_zipfile_serialization=False)
    save("unknown_type", {"weight": counted(2).to(torch.float8_e4m3fn)})
    save("one_tensor", counted(2))
    torch.jit.save(torch.jit.script(nn.Sequential(nn.ReLU())), str(folder / "torchscript"))


main()
