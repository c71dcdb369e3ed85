#!/usr/bin/env python3
"""The table "paper -> code" of docs/paper-and-code.md, made from comments in the sources, and held against what stands there.

    tests/docs/paper_table.py [--write]

A comment line ends in its reference, "paper: Eq. 5, 6, 8", "paper: Algorithm 1, lines 4, 6", "paper: section 3.1, Fig. 2b": it is of the
struct, function or key below it, in a comment that opens a file of the file, and above a TEST_CASE it names the test. Recipes are found by
their method, their first line ("# Table 2, ...") and their mention of a section. ROWS below is all that the paper has: each row has code,
or says what is not here. Exit code 1: the page differs, a row has neither, or a comment names what is no row.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/paper-and-code.md"
BEGIN, END = "<!-- made by tests/docs/paper_table.py --write -->", "<!-- end -->"
CODE = ("kernels", "engine", "models", "data", "train", "tools")

# what, in words, rows of the table of differences below it, what is not here
ROWS = [
    ("Eq. 1", "cross-entropy", "D5 D10", ""),
    ("Eq. 2", "class weights by the effective number", "D13 D14 D16", ""),
    ("Eq. 3", "class-balanced loss", "D16", ""),
    ("Eq. 4", "class-balanced loss, with Eq. 2 in it", "D16", ""),
    ("Eq. 5", "knowledge distillation", "D10 D11 D19 D54", ""),
    ("Eq. 6", "balanced distillation, target not normalised", "D16", ""),
    ("Eq. 7", "the same, weights inside the logarithm, too", "D16", ""),
    ("Eq. 8", "balanced distillation", "D10 D16 D19 D20", ""),
    ("Eq. 9", "section 4.3: the target approximates the balanced posterior", "", ""),
    ("Eq. 10", "section 4.3", "", ""),
    ("Algorithm 1", "lines 1 to 12: teacher by cross-entropy (4), a fresh student (6), mixup (9), the target (10), loss and step (11, 12)",
     "D1 D2 D3 D4 D5 D6 D7 D8 D9 D34", ""),
    ("section 3.1", "encouraging and discouraging gradients", "", ""),
    ("section 5.1", "data, long-tailed and step subsets, networks, training",
     "D21 D22 D23 D24 D25 D26 D27 D28 D29 D31 D33 D35 D36 D42 D43 D44 D47", "large image sets, text"),
    ("section 5.2", "T = 2, β = 0.9999", "D13 D14", ""),
    ("section 5.3", "", "", "no setting of its own is read from it"),
    ("section 5.4", "many, medium, few", "D40", ""),
    ("Table 1", "CIFAR-100", "D1 D11 D54", "BBN, SSP, TDE, DiVE, SSD, LADE, Mixup + LA, Mixup + VS"),
    ("Table 2", "CIFAR-10", "D1 D11 D13 D54", "BBN, SSP, TDE, Mixup + LA, Mixup + VS"),
    ("Table 3", "ImageNet-LT", "", "the data set"),
    ("Table 4", "iNaturalist 2018", "", "the data set"),
    ("Table 5", "Places-LT", "", "the data set"),
    ("Table 6", "AG's News", "", "text data; the network text_cnn is"),
    ("Table 7", "ablation", "D54", ""),
    ("Table 8", "ensembles on CIFAR-100-LT", "", "the losses of RIDE and RIDE-BKD"),
    ("Fig. 1", "", "", "not drawn"),
    ("Fig. 2", "discouraging gradient by class (2b)", "", "Fig. 2a is not drawn"),
    ("Fig. 3", "confusion matrices", "", ""),
    ("Fig. 4", "accuracy of each class over training counts", "", ""),
    ("Fig. 5", "temperature", "", ""),
    ("Fig. 6", "β, and inverse frequency", "", ""),
    ("Fig. 7", "KD and BKD by shot group", "", ""),
    ("Fig. 8", "", "", "not drawn"),
]
REQUIRED = ([f"Eq. {i}" for i in range(1, 11)] + ["Algorithm 1"] + [f"Table {i}" for i in range(1, 9)]
            + [f"Fig. {i}" for i in range(1, 9)] + [f"section 5.{i}" for i in range(1, 5)])

REFERENCE = re.compile(r"Algorithm 1, lines? (?P<lines>\d+(?:, \d+)*)|Algorithm 1|(?P<kind>Eq\.|Fig\.|Table|section) "
                       r"(?P<numbers>\d+(?:\.\d+)?[ab]?(?:, \d+(?:\.\d+)?[ab]?)*)")


class Fault(Exception):
    pass


def references(text):
    """[(row, lines of Algorithm 1)] of "Eq. 5, 8, Fig. 2b"; ValueError for what has another form."""
    found, at = [], 0
    while at < len(text):
        match = REFERENCE.match(text, at)
        if match is None:
            raise ValueError
        if match["kind"]:
            kind = match["kind"]
            found += [(f"{kind} {number.rstrip('ab')}", "") for number in match["numbers"].split(", ")]
        else:
            found.append(("Algorithm 1", match["lines"] or ""))
        at = match.end()
        if at < len(text):
            if text[at:at + 2] != ", ":
                raise ValueError
            at += 2
    return found


def named_below(lines, at):
    """What the first line of code after line `at` declares; a whole test case's name as ("test", name)."""
    for line in lines[at + 1:]:
        code = line.strip()
        if not code or code.startswith(("//", "#", "template")):
            continue
        if match := re.match(r'TEST_CASE\(\s*"?(.*)', code):
            return "test", match[1]
        for form in (r'\{\.name = "([\w.]+)"', r"(?:struct|class|enum class) (\w+)", r"([\w:]+)\(", r"(\w+)(?:\{\}|\[\]|;| =)"):
            if match := re.search(form, code):
                return "code", match[1]
        return "code", ""
    return "code", ""


def comments():
    """(path, what is below, lines of Algorithm 1, row) of every comment."""
    for folder in (*CODE, "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".cu", ".cuh"):
                continue
            lines = path.read_text(encoding="utf-8").splitlines()
            in_head = True
            for at, line in enumerate(lines):
                code = line.strip()
                in_head = in_head and (not code or code.startswith("//") or code == "#pragma once")
                match = re.match(r"//.*\bpaper: (.*)$", code)
                if match is None:
                    continue
                name = path.relative_to(ROOT).as_posix()
                try:
                    rows = references(match[1])
                except ValueError:
                    raise Fault(f"{name}:{at + 1}: a comment ends in its reference (\"paper: Eq. 5, 8\"), not in \"{match[1]}\"")
                kind, below = named_below(lines, at)
                for row, of_algorithm in rows:
                    yield name, ("code", "") if in_head and kind != "test" else (kind, below), of_algorithm, row


def recipes():
    """{row or method: [recipe]}"""
    found = {}
    for path in sorted((ROOT / "train/recipes").glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        keys = [match[1] for match in re.finditer(r"\b(section 5\.\d)", text)]
        if match := re.match(r"# ((?:Table|Fig\.) \d)", text):
            keys.append(match[1])
        if match := re.search(r'\[method\]\nname = "(\w+)"', text):
            keys.append(match[1])
        for key in dict.fromkeys(keys):
            found.setdefault(key, []).append(path.stem)
    return found


def listed(names, most=2):
    names = list(dict.fromkeys(names))
    if len(names) <= most:
        return ", ".join(f"`{name}`" for name in names)
    cells = [name for name in names if name.startswith("cifar10_lt_100")]
    shown = min(cells or names, key=lambda name: (len(name), name))
    return f"`{shown}` and {len(names) - 1} more"


def table():
    by_row = {row[0]: {"code": [], "test": []} for row in ROWS}
    for name, (kind, below), of_algorithm, row in comments():
        if row not in by_row:
            raise Fault(f"{name}: {row} is no row of the table")
        if kind == "test" or name.startswith("tests/"):
            by_row[row]["test"].append(f"`{name}`")
        else:
            text = f"`{name}`" + (f": {below}" if below else "")
            by_row[row]["code"].append(text + (f" ({of_algorithm})" if of_algorithm else ""))
    by_key = recipes()
    out = ["| paper | what | file: function | test | recipe | differs | not here |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for row, words, differs, missing in ROWS:
        code = list(dict.fromkeys(by_row[row]["code"]))
        methods = [re.search(r"train/methods/(\w+)\.cpp", text) for text in code]
        own = by_key.get(row, []) or [name for match in methods if match for name in by_key.get(match[1], [])]
        if not code and not missing:
            raise Fault(f"{row} has no code, and ROWS does not say that it is not here")
        if code and not by_row[row]["test"]:
            raise Fault(f"{row} has code and no test")
        out.append("| " + " | ".join([row, words, ", ".join(code), ", ".join(dict.fromkeys(by_row[row]["test"])), listed(own),
                                      differs.replace(" ", ", "), missing]) + " |")
    return out


def check_rows(page):
    names = [row[0] for row in ROWS]
    if lacking := [name for name in REQUIRED if name not in names]:
        raise Fault(f"no row for {', '.join(lacking)}")
    known = set(re.findall(r"\bD\d+\b", " ".join(re.findall(r"^\| (D\d+[^|]*)\|", page, re.M))))
    for first, last in re.findall(r"\b(D\d+)-(D\d+)\b", page):
        known |= {f"D{i}" for i in range(int(first[1:]), int(last[1:]) + 1)}
    used = {difference for row in ROWS for difference in row[2].split()}
    if used - known:
        raise Fault(f"rows name {', '.join(sorted(used - known))}, which the page does not have")
    if known - used:
        raise Fault(f"no row names {', '.join(sorted(known - used))}")


def main():
    page = PAGE.read_text(encoding="utf-8")
    try:
        check_rows(page)
        before, rest = page.split(BEGIN + "\n", 1)
        old, after = rest.split(END, 1)
        new = "\n".join(table()) + "\n"
    except (Fault, ValueError) as fault:
        sys.exit(f"paper_table: {fault}")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(before + BEGIN + "\n" + new + END + after, encoding="utf-8")
    elif old != new:
        lines = [line for line in new.splitlines() if line not in old.splitlines()]
        sys.exit("paper_table: docs/paper-and-code.md is stale (--write); new or changed:\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
