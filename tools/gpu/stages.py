"""The stages of gpu-check. Each fills what it found and a table, and raises Absent or Failed."""
import glob
import hashlib
import importlib.metadata
import json
import os
import re
import shutil

from machine import Absent, Failed

GOLDEN = "tests/golden/ops.safetensors"
TAUGHT = ["data.name=cifar10_lt100", "log.every=10"]


def has_device(machine):
    try:
        return machine_list(machine).code == 0
    except Absent:
        return False


def machine_list(machine):
    machine.deadline = float("inf")
    return machine.run([machine.tool("nvidia-smi"), "-L"], 20)


def versions():
    found = {}
    for package in ("torch", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cuda-runtime", "triton"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def facts(machine, found, table):
    found.update({"cores": len(os.sched_getaffinity(0)), "programs": machine.programs or "none", "data": machine.data or "none"})
    if machine.device == "cuda":
        wanted = "name,driver_version,memory.total,compute_cap,clocks.sm,clocks.mem,clocks.max.sm,temperature.gpu"
        asked = machine.run([machine.tool("nvidia-smi"), f"--query-gpu={wanted}", "--format=csv,noheader"], 10)
        found.update(zip(wanted.split(","), [v.strip() for v in asked.out.split("\n")[0].split(",")]))
    try:
        found["nvcc"] = machine.run([machine.tool("nvcc"), "--version"], 5).out.strip().splitlines()[-1]
    except Absent:
        found["nvcc"] = "none"
    found.update(versions())
    commit = f"{machine.programs}/COMMIT"
    if os.path.exists(commit):
        found["programs' commit"] = open(commit, encoding="utf-8").read().strip().replace("\n", " ")
    if machine.programs:
        doctor = machine.run(machine.bkd("doctor", "--json"), 15)
        if doctor.code in (0, 1):
            found["doctor"] = doctor.json()
        for fact in found.get("doctor", {}).get("facts", []):
            table.append({"what": fact["name"], "found": fact["value"], "state": fact["state"]})


def build(machine, found, table):
    if machine.programs:
        raise Absent(f"not needed: the programs of {machine.programs} are used")
    if not os.path.exists(".deps/usr/include/fmt/format.h"):
        raise Failed("no .deps/usr: tools/device-pack.sh, where there is a network, fills it")
    hints = [f"-DCUDNN_ROOT={machine.site}/nvidia/cudnn", "-DBKD_TESTS=OFF",
             f"-DCMAKE_CUDA_COMPILER={machine.tool('nvcc')}"]
    configured = machine.run(["cmake", "--preset", "device", *hints], 60)
    if configured.code != 0:
        raise Failed(f"configuring failed: {configured.err.strip()[-600:]}")
    built = machine.run(["cmake", "--build", "build/device", "--target", "bkd", "bkd_cuda", "cuda_bench"])
    if built.code != 0:
        raise Failed(f"building failed: {built.out.strip()[-600:]}")
    machine.programs = "build/device"
    warnings = len(re.findall(r"warning:", built.out + built.err))
    found.update({"configure_s": configured.seconds, "build_s": built.seconds, "warnings": warnings})


def op_words(machine):
    """What narrows check-ops: the user's patterns; two ops in a dry run."""
    patterns = machine.options.ops or ("relu*,shortcut_a*" if machine.options.dry_run else "")
    return ["--op", patterns] if patterns else []


def cases_by_op(machine):
    words = op_words(machine)
    listed = machine.run(machine.bkd("check-ops", "list", "--json", *words), 20).json()["cases"]
    counts = {}
    for case in listed:
        counts[case.split("/")[0]] = counts.get(case.split("/")[0], 0) + 1
    return counts


def shares(counts, most):
    """Ops dealt to at most so many shares, the largest first, so that all end together."""
    dealt = [([], [0]) for _ in range(min(most, len(counts)))]
    for op in sorted(counts, key=counts.get, reverse=True):
        share = min(dealt, key=lambda s: s[1][0])
        share[0].append(op)
        share[1][0] += counts[op]
    return [",".join(names) for names, _ in dealt]


def ops(machine, found, table):
    counts = cases_by_op(machine)
    cores = len(os.sched_getaffinity(0))
    common = ["--device", machine.device, "--json", "--threads", "1"]
    # A case waits for the device or for `reference` most of its time, so shares of the ops run side by side.
    tests = [machine.bkd("check-ops", "--op", s, "--require-all", *common) for s in shares(counts, max(1, cores // 2))]
    same = [machine.bkd("check-ops", "same", "--op", s, *common[:3]) for s in shares(counts, max(1, cores // 4))]
    golden = [machine.bkd("check-ops", "golden", GOLDEN, "--device", machine.device, "--json", *op_words(machine))]
    runs = machine.run_all(tests + same + golden)
    found["cases listed"] = sum(counts.values())
    failures = []
    for kind, of in (("agrees with reference", runs[:len(tests)]), ("same bits again", runs[len(tests):-1]),
                     ("golden", runs[-1:])):
        passed = failed = skipped = 0
        for run in of:
            if run.is_late:
                failures.append(f"{kind}: a share was ended by the time box")
                continue
            if run.code not in (0, 1):
                failures.append(f"{kind}: exit code {run.code}: {run.err.strip()[-300:]}")
                continue
            result = run.json()
            passed += result["passed"]
            failed += result["failed"]
            if run.code == 1 and not result["failed"] and machine.device == "cuda":
                failures.append(f"{kind}: cases were left out")
            skipped += result.get("unsupported", 0) + result.get("skipped", 0) + result.get("left_out", 0)
            for op in result.get("ops", []):
                if kind.startswith("agrees"):
                    table.append({"op": op["op"], "passed": op["passed"], "failed": op["failed"],
                                  "worst over limit": op["worst_over_limit"], "worst case": op["worst_case"]})
        found[kind] = f"{passed} passed, {failed} failed, {skipped} skipped"
        if failed:
            failures.append(f"{kind}: {failed} failed")
    table.sort(key=lambda row: (-row["failed"], -row["worst over limit"]))
    found["slowest share s"] = max(r.seconds for r in runs)
    if failures:
        raise Failed("; ".join(failures))


def tests(machine, found, table):
    gpu_tests = [machine.program("test_gpu")]
    if machine.device != "cuda":
        raise Absent("a dry run has no device")
    machine.environment["REQUIRE_DEVICE"] = "cuda"
    run = machine.run(gpu_tests)
    if run.code != 0:
        raise Failed(f"exit code {run.code}: {run.out[-800:]}")
    found["said"] = run.out.strip().splitlines()[-1] if run.out.strip() else "nothing"


def digest(folder):
    """SHA-256 over a run's models."""
    value = hashlib.sha256()
    for path in sorted(glob.glob(f"{folder}/models/*.last.safetensors")):
        with open(path, "rb") as file:
            value.update(file.read())
    return value.hexdigest()[:16]


def losses(folder):
    found = []
    with open(f"{folder}/log.jsonl", encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            if isinstance(entry.get("loss"), (int, float)) and entry.get("type", "step") == "step":
                found.append(entry["loss"])
    return found


def train(machine, name, device, words, limit):
    """One short run of the paper's recipe; the run's folder and how it ended."""
    root = f"build/gpu-runs/{os.getpid()}-{name}"
    command = machine.bkd("train", "cifar10_lt_100_bkd", *TAUGHT, f"data.root={machine.data}", f"run.dir={root}",
                          "--device", device, "--progress", "none", *words)
    run = machine.run(command, limit)
    return run, run.out.strip().splitlines()[-1] if run.code == 0 else None


def compare_with_cpu(machine, table):
    """The first losses of a training step on both devices, and ResNet-8's losses over an epoch."""
    step = ["bench", "step", "--json", "--steps", "1"]
    # A quarter of the batch: plain loops take about a second a step of 128 on 16 cores.
    step += ["--network", "resnet8", "--batch", "4", "--size", "8"] if machine.options.dry_run else ["--batch", "32"]
    worst = 0.0
    for method in ("ce", "bkd"):
        of = [machine.run(machine.bkd(*step, "--method", method, "--device", device), 40) for device in ("cpu", machine.device)]
        ours, theirs = (run.json()["losses"] for run in of)
        difference = max(abs(a - b) / abs(a) for a, b in zip(ours, theirs))
        table.append({"what": f"three steps, {method}, cpu and {machine.device}", "losses": theirs,
                      "difference": difference})
        worst = max(worst, difference)
    if not worst <= 1e-3:
        raise Failed(f"losses of cpu and {machine.device} differ by {worst:.2e}, more than 1e-3")
    return worst


def check_public_model(machine, table):
    """The public ResNet-32 must predict what PyTorch says of all 10,000 test images."""
    model = f"{machine.data}/cifar10-resnet32.safetensors"
    wanted = f"{machine.data}/cifar10-resnet32-test-predictions.bin"
    if not os.path.exists(model) or not os.path.exists(wanted):
        return "not available"
    got = os.path.join(machine.options.out, "predictions.bin")
    run = machine.run(machine.bkd("eval", model, "--network", "resnet32", "--data", "cifar10", "--data-root", machine.data,
                                  "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--device", machine.device,
                                  "--batch", "1000", "--predictions", got), 40)
    if run.code != 0:
        raise Failed(f"eval: exit code {run.code}: {run.err.strip()[-300:]}")
    with open(wanted, "rb") as a, open(got, "rb") as b:
        differ = sum(x != y for x, y in zip(a.read(), b.read()))
    os.remove(got)
    table.append({"what": "public ResNet-32, 10,000 images", "difference": differ, "seconds": run.seconds})
    if differ:
        raise Failed(f"{differ} of 10,000 predictions of the public ResNet-32 differ from PyTorch's")
    return "all 10,000 predictions equal"


def training(machine, found, table):
    found["largest difference of losses from the cpu"] = compare_with_cpu(machine, table)
    if machine.options.dry_run:
        return
    if machine.data is None:
        raise Absent("no packed CIFAR-10-LT in .deps/data: tools/device-pack.sh puts it there")
    found["public model"] = check_public_model(machine, table)
    for dtype in ("f32", "bf16"):
        hashes, curve = [], []
        for again in (1, 2):
            run, folder = train(machine, f"{dtype}-{again}", machine.device,
                                ["train.epochs=2", "schedule.milestones=[1]", f"compute.dtype={dtype}"], 40)
            if run.code == 3 and dtype == "bf16":
                table.append({"what": "bf16", "losses": "this version refuses compute.dtype = \"bf16\""})
                break
            if folder is None:
                raise Failed(f"training in {dtype}: exit code {run.code}: {run.err.strip()[-400:]}")
            hashes.append(digest(folder))
            curve = losses(folder)
            table.append({"what": f"resnet32, bkd, 2 + 2 epochs, {dtype}, run {again}", "seconds": run.seconds,
                          "losses": curve[-1] if curve else "", "sha256": hashes[-1]})
        if not hashes:
            continue
        found[f"{dtype}: loss curve"] = curve[:: max(1, len(curve) // 12)]
        if len(set(hashes)) != 1:
            raise Failed(f"two equal runs in {dtype} ended with other weights: {hashes}")
        if not all(abs(x) < 1e4 for x in curve):
            raise Failed(f"a loss in {dtype} is not finite")


def step_words(machine):
    if machine.options.dry_run:
        return ["--network", "resnet8", "--batch", "4", "--size", "8", "--steps", "1"]
    return ["--network", "resnet32", "--batch", "128", "--size", "32", "--steps", "50"]


def peer(machine, words):
    """What peer_torch.py says of each word, {word: result}; empty where PyTorch is not."""
    command = [machine.python(), "tools/peer_torch.py", "--device", machine.device, *step_words(machine), *words]
    run = machine.run(command)
    if "No module named" in run.err:
        return {}
    found = {}
    for line in run.out.splitlines():
        if line.startswith("{"):
            result = json.loads(line)
            found[result["word"]] = result
    for word in words:
        found.setdefault(word, {"error": f"exit code {run.code}: {run.err.strip()[-200:]}"})
    return found


def is_same_work(ours, theirs, dtype):
    """Losses of the first three steps: f32 differs by the order of sums, bf16 by where each side rounds."""
    bound = 1e-3 if dtype == "f32" else 3e-2
    return len(ours) == len(theirs) and all(abs(a - b) <= bound * abs(a) for a, b in zip(ours, theirs))


# By the name of a step's arithmetic: what `bkd bench step` is told, and what peer_torch.py.
ARITHMETIC = {"f32": ([], "f32:{}"), "tf32": (["--tf32"], "f32:{}:tf32"), "bf16": (["--dtype", "bf16"], "bf16:{}")}


def own_step(machine, method, arithmetic, *words):
    run = machine.run(machine.bkd("bench", "step", "--json", "--device", machine.device, *step_words(machine), "--method", method,
                                  *ARITHMETIC[arithmetic][0], *words), 120)
    if run.code != 0:
        raise Failed(f"bench step: exit code {run.code}: {run.err.strip()[-300:]}")
    return run.json()


def own_steps(machine, table):
    """Our steps, {(method, arithmetic): losses}."""
    found = {}
    for method in ("ce", "bkd"):
        for arithmetic in ARITHMETIC:
            if arithmetic == "tf32" and machine.device != "cuda":
                continue
            ours = own_step(machine, method, arithmetic)
            found[method, arithmetic] = ours["losses"]
            row = {"step": f"{method} {arithmetic}", "program": "bkd", "losses": ours["losses"],
                   "launches": sum(op["calls"] for op in ours["ops"])}
            table.append({**row, "mode": "eager", "ms": ours["queued_ms"]})
            if ours.get("replayed_ms"):
                table.append({**row, "mode": "recorded", "ms": ours["replayed_ms"]})
    return found


def tune(machine, found, table):
    """Times cuDNN's engines for the step's convolutions; the programs find the table beside the backend from then on."""
    plans = os.path.join(os.path.dirname(machine.program("bkd")), "cuda-plans.txt")
    on_device = machine.device == "cuda"
    for arithmetic in ARITHMETIC if on_device else ["f32"]:
        ours = own_step(machine, "ce", arithmetic, *(["--tune", plans] if on_device else []))
        table.append({"step": f"ce {arithmetic}", "program": "bkd", "ms": ours["queued_ms"], "losses": ours["losses"]})
    if os.path.exists(plans):
        shutil.copy(plans, machine.options.out)
        with open(plans, encoding="utf-8") as lines:
            found["choices"] = sum(not line.startswith("#") for line in lines)


def steps_beside_torch(machine, table, modes):
    """Our step and PyTorch's; a time of other work is void."""
    ours = own_steps(machine, table)
    words = {f"{method}:{ARITHMETIC[arithmetic][1].format(mode)}": (method, arithmetic, mode)
             for method, arithmetic in ours for mode in modes}
    theirs = peer(machine, list(words))
    void = 0
    for word, result in theirs.items():
        method, arithmetic, mode = words[word]
        row = {"step": f"{method} {arithmetic}", "program": result.get("program", "PyTorch"), "mode": mode,
               "losses": result.get("losses", result.get("error"))}
        if "losses" in result:
            good = is_same_work(ours[method, arithmetic], result["losses"], arithmetic)
            void += not good
            row.update({"ms": result["queued_ms"] if good else "void: other losses"})
        table.append(row)
    if void:
        raise Failed(f"{void} steps of PyTorch compute other losses: their times are void")
    return "measured" if theirs else "not available"


def bench(machine, found, table):
    found["PyTorch"] = steps_beside_torch(machine, table, ["eager"] if machine.options.dry_run else ["eager", "graph"])
    if machine.device == "cuda":
        try:
            found["kernels"] = machine.run([machine.program("cuda_bench")], 45).out
        except Absent as absent:
            found["kernels"] = str(absent)
        if machine.options.ops:
            words = ["--op", machine.options.ops, "--device", "cuda"]
            found["ops"] = machine.run(machine.bkd("bench", "ops", *words), 20).out


def peers(machine, found, table):
    more = ["graph", "graph:channels_last", "compile"]
    found["PyTorch"] = steps_beside_torch(machine, table, ["eager"] + ([] if machine.options.dry_run else more))


def sanitizer(machine, found, table):
    if machine.device != "cuda":
        raise Absent("a dry run has no device")
    tool = machine.tool("compute-sanitizer")
    # Our own kernels on their smallest cases; the libraries' kernels are not ours to check and slow it down.
    cases = machine.run(machine.bkd("check-ops", "list", "--json"), 20).json()["cases"]
    smallest = {}
    for case in cases:
        op, shape, dtype = case.split("/")[:3]
        if not op.startswith(("conv2d", "gemm", "cosine_linear")) and "0x" not in shape:
            size = sum(len(n) for n in re.findall(r"\d+", shape))
            if (op, dtype) not in smallest or size < smallest[op, dtype][0]:
                smallest[op, dtype] = (size, case)
    regex = "^(" + "|".join(re.escape(case) for _, case in smallest.values()) + ")$"
    found["kernels"], failures = len(smallest), []
    for check in ("memcheck", "racecheck", "synccheck"):
        run = machine.run([tool, "--tool", check, *machine.bkd("check-ops", "--no-isolate", "--device", "cuda", "--case", regex)], 20)
        said = [line for line in run.out.splitlines() if "SUMMARY" in line]
        found[check] = said[-1].strip("= ") if said else f"exit code {run.code}, {'cut by the time box' if run.is_late else 'no summary'}"
        if "not supported" in run.out + run.err:
            raise Absent("compute-sanitizer refuses this device")
        if not said or not re.search(r"\b0 errors|\b0 hazards", said[-1]):
            failures.append(f"{check}: {found[check]}")
    if failures:
        raise Failed("; ".join(failures))


def profile(machine, found, table):
    if machine.device != "cuda":
        raise Absent("a dry run has no device")
    own = "regex:batch_norm|distill|sgd|load_images|global_avg|cross_entropy|shortcut"
    run = machine.run([machine.tool("ncu"), "--set", "basic", "--clock-control", "none", "--csv", "-k", own, "-c", "10",
                       *machine.bkd("bench", "step", "--device", "cuda", "--steps", "1", "--method", "bkd")])
    rows = [line for line in run.out.splitlines() if line.startswith('"')]
    if not rows:
        raise Absent(f"ncu measured nothing: {(run.err + run.out).strip()[-200:]}")
    found["ncu"] = "\n".join(rows) + "\n"


FUNCTIONS = {f.__name__: f for f in (facts, build, ops, tests, training, bench, peers, sanitizer, profile, tune)}
