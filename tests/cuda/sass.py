#!/usr/bin/env python3
"""Holds the machine code of our kernels against kernels/cuda/sass.toml.

    sass.py FOLDER_OR_LIBRARY [--write]     FOLDER: a build folder with libbkd_cuda.so

For every kernel (all its instances together) and every target that the library holds: registers and shared bytes at most as in
the table; no stack, spills or local memory but what the table allows; as many instances with a 16-byte access as it promises; no
arithmetic in f64 but what it allows. --write makes the table anew from the library; read its difference before committing it.
Needs cuobjdump and nvdisasm (wheels nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm) and c++filt; ends with 77 without them.
"""
import os
import re
import shutil
import subprocess
import sys

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../kernels/cuda/sass.toml")
FIELDS = ("instances", "registers", "shared", "local", "wide", "doubles")
HEAD = """# What ptxas made of our kernels, per target: tests/cuda/sass.py checks it, and writes it anew with --write (nvcc {nvcc}).
#   instances  template instances of the kernel         registers, shared   the most of any of them, shared in bytes
#   local      instructions on local memory and bytes of stack: 0 but for a reason given in the kernel
#   wide       instances with a memory access of 16 bytes                    doubles  instructions of f64 arithmetic
"""


def tool(name):
    for place in (shutil.which(name), f"/usr/local/cuda/bin/{name}"):
        if place and os.path.exists(place):
            return place
    print(f"skipped: {name} is not here (the wheel nvidia-cuda-{name} has it)")
    sys.exit(77)


def output(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def demangled(names):
    """Mangled name -> kernel without namespace, template and argument lists."""
    plain = output(tool("c++filt"), text="\n".join(names)).splitlines()
    short = {}
    for name, long in zip(names, plain):
        long = long.replace("(anonymous namespace)::", "")
        short[name] = re.match(r"(?:void )?(?:\w+::)*(\w+)", long).group(1).removesuffix("_kernel")
    return short


def measure(library):
    """{target: {kernel: {field: number}}}"""
    cuobjdump = tool("cuobjdump")
    tool("nvdisasm")
    names, seen = set(), {}  # (target, mangled name) -> facts
    target = name = None
    for line in output(cuobjdump, "-res-usage", library).splitlines():
        if found := re.match(r"arch = (sm_\d+\w*)", line):
            target = found.group(1)
        elif found := re.match(r"\s*Function (\S+):", line):
            name = found.group(1)
        elif "REG:" in line and name:
            number = {key: int(value) for key, value in re.findall(r"(\w+):(\d+)", line)}
            seen[target, name] = {"registers": number["REG"], "shared": number.get("SHARED", 0),
                                  "local": number.get("STACK", 0), "wide": 0, "doubles": 0}
            names.add(name)
            name = None
    process = subprocess.Popen([cuobjdump, "-sass", library], stdout=subprocess.PIPE, text=True)
    facts = None
    for line in process.stdout:
        if "code for sm_" in line:
            target = line.split()[-1]
        elif "Function :" in line:
            facts = seen.get((target, line.split()[-1]))
        elif facts is not None and line.startswith("        /*"):
            instruction = line.split("*/", 1)[1].split("/*")[0].strip()
            op = instruction.split(" ", 2)[1] if instruction.startswith("@") else instruction.split(" ", 1)[0]
            facts["local"] += op.startswith(("LDL", "STL"))
            facts["wide"] += re.match(r"(LD|ST)[GS]?\.(\w+\.)*128", op) is not None  # not LDC: constants
            facts["doubles"] += op.startswith(("DFMA", "DADD", "DMUL", "DSETP"))
    if process.wait() != 0:
        sys.exit("sass: cuobjdump -sass failed")
    short = demangled(sorted(names))
    kernels = {}
    for (target, name), f in seen.items():
        k = kernels.setdefault(target, {}).setdefault(short[name], dict.fromkeys(FIELDS, 0))
        k["instances"] += 1
        k["registers"], k["shared"] = max(k["registers"], f["registers"]), max(k["shared"], f["shared"])
        k["local"] += f["local"]
        k["wide"] += f["wide"] > 0
        k["doubles"] += f["doubles"]
    return kernels


def read_table():
    table, target = {}, None
    if not os.path.exists(TABLE):
        return table
    with open(TABLE, encoding="utf-8") as file:
        for line in file:
            if found := re.match(r"\[(\w+)\]", line):
                target = table.setdefault(found.group(1), {})
            elif found := re.match(r"(\w+) *= *\{(.*)\}", line):
                target[found.group(1)] = {k: int(v) for k, v in re.findall(r"(\w+) = (\d+)", found.group(2))}
    return table


def write_table(kernels, nvcc):
    table = {**read_table(), **kernels}
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(HEAD.format(nvcc=nvcc))
        for target in sorted(table, key=lambda t: int(re.sub(r"\D", "", t))):
            file.write(f"\n[{target}]\n")
            for kernel in sorted(table[target]):
                facts = ", ".join(f"{field} = {table[target][kernel][field]}" for field in FIELDS)
                file.write(f"{kernel} = {{ {facts} }}\n")


def complaints(target, found, wanted):
    for kernel in sorted(found.keys() | wanted.keys()):
        if kernel not in wanted or kernel not in found:
            yield f"{target} {kernel}: {'not in the table' if kernel in found else 'in the table alone'}"
            continue
        for field in FIELDS:
            got, limit = found[kernel][field], wanted[kernel][field]
            if field in ("instances", "wide"):
                bad = got != limit if field == "instances" else got < limit
            else:
                bad = got > limit
            if bad:
                yield f"{target} {kernel}: {field} {got}, the table has {limit}"


def main():
    words = [w for w in sys.argv[1:] if w != "--write"]
    if len(words) != 1:
        sys.exit(__doc__)
    library = os.path.join(words[0], "libbkd_cuda.so") if os.path.isdir(words[0]) else words[0]
    kernels = measure(library)
    if not kernels:
        sys.exit(f"sass: {library} holds no machine code")
    if "--write" in sys.argv:
        try:
            nvcc = re.search(r"V([\d.]+)", output(tool("nvcc"), "--version")).group(1)
        except subprocess.CalledProcessError:
            nvcc = "unknown"
        write_table(kernels, nvcc)
    table, bad = read_table(), []
    for target, found in kernels.items():
        bad += complaints(target, found, table.get(target, {}))
    for line in bad[:40]:
        print(line)
    print(f"{sum(len(k) for k in kernels.values())} kernels of {', '.join(kernels)}: {len(bad)} complaints")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
