"""gpu-check --paper: the paper's runs on CIFAR-10-LT, ResNet-32, 200 epochs, as many as the time allows.

Runs lie in build/gpu-paper and are resumed where a call before was cut; what is done is evaluated again and listed. One table row
is one run: ratio, method, preset, seed, accuracy of the last epoch. OUT/runs.tar.gz takes home what is needed to go on elsewhere: laid
into .deps/ there, it is unpacked first.
"""
import glob
import json
import os
import tarfile
import time

from machine import Absent, Failed

RUNS = "build/gpu-paper"
# Where the presets give a method the same values (train/recipe_preset.cpp), one run is both.
PRESETS = {"bkd": ("paper", "code"), "mixup": ("paper",), "ce": ("code",), "kd": ("paper", "code"), "cb": ("code",)}


def is_done(folder):
    try:
        with open(f"{folder}/run.json", encoding="utf-8") as file:
            return json.load(file).get("state") == "done"
    except (OSError, ValueError):
        return False


def plan(options):
    """Every method of a ratio once before the next ratio, and all of them before the second seed of any."""
    for seed in options.seeds.split(","):
        for ratio in options.ratios.split(","):
            for method in options.methods.split(","):
                for preset in PRESETS.get(method, ("code",)):
                    yield ratio, method, preset, seed


def data_set(machine, ratio):
    """The set that has the images of this ratio, None if they are not here."""
    if glob.glob(f"{machine.data}/**/data_batch_5.bin*", recursive=True):
        return "cifar10"
    return "cifar10_lt100" if ratio == "100" else None


def command(machine, ratio, method, preset, seed, name, folder):
    if os.path.isdir(folder):
        return machine.bkd("train", "--resume", folder, "--device", machine.device, "--progress", "none")
    return machine.bkd("train", f"cifar10_lt_{ratio}_{method}", f"data.name={data_set(machine, ratio)}",
                       f"data.root={machine.data}", f"preset={preset}", "eval.every=20", f"compute.dtype={machine.options.dtype}",
                       f"run.dir={RUNS}", "--name", name, "--seed", seed, "--device", machine.device,
                       "--progress", "none")


def evaluate(machine, folder):
    models = sorted(glob.glob(f"{folder}/models/*.last.safetensors"))
    if not models:
        return {}
    # The student, or the only model, comes last.
    models.sort(key=lambda path: "student" in path)
    run = machine.run(machine.bkd("eval", models[-1], "--data-root", machine.data, "--device", machine.device, "--batch", "1000",
                                  "--json"), 60)
    if run.code != 0:
        return {"top-1": f"exit code {run.code}"}
    return accuracy(run.json())


def accuracy(document):
    """The numbers of the last model wherever the document has them."""
    found = {}

    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("top1", "balanced", "many", "medium", "few") and isinstance(inner, (int, float)):
                    found[key] = round(inner, 2)
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    return found


def unpack():
    if os.path.exists(".deps/runs.tar.gz") and not os.path.isdir(RUNS):
        with tarfile.open(".deps/runs.tar.gz") as packed:
            packed.extractall(RUNS)


def pack(machine):
    """Runs to go on with whole; of those that are done what says how they went."""
    if not os.path.isdir(RUNS):
        return
    with tarfile.open(f"{machine.options.out}/runs.tar.gz", "w:gz") as packed:
        for folder in sorted(glob.glob(f"{RUNS}/*")):
            name = os.path.basename(folder)
            if is_done(folder):
                for file in glob.glob(f"{folder}/*.json") + glob.glob(f"{folder}/*.csv") + glob.glob(f"{folder}/recipe.toml"):
                    packed.add(file, f"{name}/{os.path.basename(file)}")
            else:
                packed.add(folder, name)


def run(machine, found, table):
    try:
        unpack()
        train_all(machine, found, table)
    finally:
        if not machine.options.dry_run:
            pack(machine)


def train_all(machine, found, table):
    if machine.options.dry_run:
        machine.program("bkd")
        found["planned"] = [" ".join(p) for p in plan(machine.options)]
        return
    if machine.data is None:
        raise Absent("no packed CIFAR-10-LT in .deps/data: tools/device-pack.sh puts it there")
    cut, without_data = [], set()
    for ratio, method, preset, seed in plan(machine.options):
        if data_set(machine, ratio) is None:
            without_data.add(ratio)
            continue
        name = f"{ratio}-{method}-{preset}-{machine.options.dtype}-s{seed}"
        folder = f"{RUNS}/{name}"
        row = {"ratio": ratio, "method": method, "preset": preset, "seed": seed}
        if not is_done(folder):
            left = machine.deadline - time.monotonic()
            if left < 30:
                cut.append(name)
                continue
            trained = machine.run(command(machine, ratio, method, preset, seed, name, folder), left - 15)
            row["seconds"] = trained.seconds
            if trained.is_late or trained.code in (130, 143):
                cut.append(name)
                continue
            if trained.code != 0:
                raise Failed(f"{name}: exit code {trained.code}: {trained.err.strip()[-400:]}")
        result = f"{folder}/accuracy.json"  # kept, since a finished run comes home without its models
        if not os.path.exists(result):
            with open(result, "w", encoding="utf-8") as file:
                json.dump(evaluate(machine, folder), file)
        with open(result, encoding="utf-8") as file:
            table.append({**row, **json.load(file)})
    found["cut or not begun"] = cut or "none"
    found["ratios without images here"] = sorted(without_data) or "none"
