#!/usr/bin/env python3
"""Runs docs/tutorial.md from its first command to its last, in an empty folder, and holds what it says against what comes.

    tests/docs/tutorial.py --programs build/release [--folder DIR] [--threads N] [--quick | --write] [--break]

In the page
    ```console           "$ " starts a command, what follows is its output (standard output and error), compared as it is;
    ```console numbers   compared with every number replaced by #: what training gives differs in its digits from one
                         instruction set to the other; "decimals": those with a decimal point alone (times);
    ```console ... lines=0:3,-2:   which lines of the output are shown, as slices of it, with "..." where others are left out;
    ```cpp FILE          lines that stand in FILE as they are;
    <!-- claim: ... -->  an expression over accuracy(run), study(run), tape(recipe) that must be true;
    <!-- figure: NAME from PAGE "TITLE" -->  the figure of that title on a page of bkd report, docs/figures/NAME.svg;
    <!-- break: FILE | old | new -->  with --break: FILE is edited so ("\\n" ends a line), the program built anew, and
                         the commands up to <!-- mend --> are run with it; then FILE is put back. Without it they are not run.
--quick runs what needs no training, a second in all. --write puts outputs and figures into the page's place. Exit code 1 where something differs or took too long.
"""

import argparse
import html
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/tutorial.md"
FIGURES = ROOT / "docs/figures"
MOST_SECONDS = 180  # of all commands, on two cores

NUMBER = re.compile(r"[-+\u2212]?\d+(\.\d+)?(e[-+]?\d+)?")
# Of the report's style sheet, what figures need.
FIGURE_RULE = re.compile(r"(:root|svg|@media \(prefers-color-scheme|\.(e|m|grid-line|mark|line|dot|whisker|box|under|ink|heat"
                         r"|on|grey|s\d|d\d)\b)")


def without_numbers(text, which=NUMBER):
    return [re.sub(r"\s+", " ", which.sub("#", line)).strip() for line in text.splitlines()]


# What of an output is compared, by the word on its block.
COMPARED = {"numbers": without_numbers, "decimals": lambda text: without_numbers(text, re.compile(r"\d+\.\d+"))}


def rules_of(style):
    """Top-level rules of a style sheet."""
    depth, begin = 0, 0
    for at, c in enumerate(style):
        depth += (c == "{") - (c == "}")
        if c == "}" and depth == 0:
            yield style[begin:at + 1].strip()
            begin = at + 1


def figure_in(page, title):
    """The SVG of that title, as a file of its own."""
    text = page.read_text(encoding="utf-8")
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    for found in re.finditer(r"<figure><h3>(.*?)</h3>(<svg.*?</svg>)", text, re.S):
        if html.unescape(found.group(1)) != title:
            continue
        width, height = re.search(r'viewBox="0 0 (\d+) (\d+)"', found.group(2)).groups()
        kept = "\n".join(rule for rule in rules_of(style) if FIGURE_RULE.match(rule))
        own = "svg{background:var(--paper);font-family:system-ui,sans-serif}"
        return found.group(2).replace(
            "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" ', 1).replace(
                ">", f">\n<style>\n{kept}\n{own}\n</style>\n", 1) + "\n"
    raise SystemExit(f"tutorial: {page.name} has no figure \"{title}\"")


def texts_of(svg):
    """What a figure says in words: compared where its numbers may differ."""
    return sorted(without_numbers("\n".join(re.findall(r"<text[^>]*>([^<]*)", svg))))


class Tutorial:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.programs = pathlib.Path(options.programs).resolve()
        self.faults, self.seconds, self.commands = [], 0.0, 0
        self.broken = None  # (path, its text) between break and mend
        self.is_skipping = False

    def is_left_out(self, text):
        """Of --quick: what trains or asks about a run."""
        return self.options.quick and re.search(r"bkd train|runs/|accuracy\(|study\(", text) is not None

    def fault(self, text):
        self.faults.append(text)
        print(f"tutorial: {text}", file=sys.stderr)

    def environment(self):
        return {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8", "COLUMNS": "100",
                "OMP_NUM_THREADS": str(self.options.threads)}

    def run(self, command):
        began = time.monotonic()
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.environment(), text=True,
                              encoding="utf-8", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        took = time.monotonic() - began
        self.seconds += took
        self.commands += 1
        print(f"{took:6.1f} s  {command}")
        if done.returncode > (1 if self.broken else 0):
            self.fault(f"exit code {done.returncode} of: {command}\n{done.stdout}")
        return done.stdout

    # What claims may ask.
    def accuracy(self, run):
        evaluations = self.folder / "runs" / run / "eval"
        files = [evaluations / f"{stage}.last.test.json" for stage in ("student", "train")]
        return json.loads(next(file for file in files if file.exists()).read_text())["models"][0]

    def study(self, run):
        return json.loads(self.quiet("inspect", f"runs/{run}", "--omega", "--teacher-probs", "--gradients-by-class",
                                     "--json"))["stages"][-1]

    def tape(self, recipe):
        return json.loads(self.quiet("inspect", recipe, "--tape", "--json"))["stages"][-1]

    def quiet(self, *words):
        return subprocess.run([self.programs / "bkd", *words], cwd=self.folder, env=self.environment(), check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def claim(self, expression):
        names = {"accuracy": self.accuracy, "study": self.study, "tape": self.tape, "max": max, "min": min, "sum": sum,
                 "abs": abs, "all": all, "range": range}
        if not eval(expression, {"__builtins__": {}, **names}):  # the page is ours, as this script is
            self.fault(f"not true here: {expression}")

    def figure(self, name, page, title):
        path = FIGURES / f"{name}.svg"
        if self.options.quick:
            if not path.exists():
                self.fault(f"docs/figures/{name}.svg is not there")
            return
        svg = figure_in(self.folder / page, title)
        if self.options.write:
            FIGURES.mkdir(exist_ok=True)
            path.write_text(svg, encoding="utf-8")
        elif not path.exists() or texts_of(path.read_text(encoding="utf-8")) != texts_of(svg):
            self.fault(f"docs/figures/{name}.svg says other words than \"{title}\" on {page}: --write")

    def source(self, name, lines):
        """Code that the page shows stands in the sources as it is, but for its indentation."""
        def plain(text):
            return "\n".join(line.strip() for line in text.splitlines())
        if plain("\n".join(lines)) not in plain((ROOT / name).read_text(encoding="utf-8")):
            self.fault(f"{name} has not these lines:\n" + "\n".join(lines))

    def console(self, words, lines):
        """The block as it would be written now."""
        shown = next((word[len("lines="):] for word in words if word.startswith("lines=")), ":")
        written, command, old = [], None, []
        for line in [*lines, "$ "]:
            if not line.startswith("$ "):
                old.append(line)
                continue
            if command is not None:
                new = old if self.is_skipping or self.is_left_out(command) else self.output(command, shown)
                compared = next((COMPARED[word] for word in words if word in COMPARED), str.splitlines)
                if compared("\n".join(new)) != compared("\n".join(old)) and not self.options.write:
                    self.fault("another output of: {}\n--- the page\n{}\n--- here\n{}".format(
                        command, "\n".join(old), "\n".join(new)))
                # Of numbers that may differ, those on the page stay.
                written += ["$ " + command, *(new if self.options.write else old)]
            command, old = line[2:], []
        return written

    def output(self, command, shown):
        lines = [line.rstrip() for line in self.run(command).replace(str(self.folder) + "/", "").splitlines()]
        kept, reached = [], 0
        for part in shown.split(","):
            begin, end, _ = slice(*(int(n) if n else None for n in part.split(":"))).indices(len(lines))
            kept += [*(["..."] if begin > reached else []), *lines[begin:end]]
            reached = end
        if reached < len(lines):
            kept.append("...")
        return kept

    def build(self):
        subprocess.run(["cmake", "--build", str(self.programs), "--target", "bkd", "-j1"], check=True,
                       stdout=subprocess.DEVNULL)

    def note(self, text):
        kind, _, rest = text.partition(":")
        rest = html.unescape(rest.strip())
        if kind == "claim":
            if not self.is_left_out(rest):
                self.claim(rest)
        elif kind == "figure":
            self.figure(*re.fullmatch(r'(\S+) from (\S+) "(.*)"', rest).groups())
        elif kind == "break":
            name, old, new = (part.strip().replace("\\n", "\n") for part in rest.split(" | "))
            text = (ROOT / name).read_text(encoding="utf-8")
            if text.count(old) != 1:
                self.fault(f"{name} has not once: {old}")
            elif self.options.break_:
                self.broken = (ROOT / name, text)
                (ROOT / name).write_text(text.replace(old, new), encoding="utf-8")
                self.build()
            self.is_skipping = self.broken is None
        elif kind == "mend":
            self.mend()

    def mend(self):
        self.is_skipping = False
        if self.broken:
            path, text = self.broken
            self.broken = None
            path.write_text(text, encoding="utf-8")
            self.build()

    def read(self):
        page, block, words = [], None, []
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            if line.startswith("```") and block is None:
                block, words = [], line[3:].split()
                page.append(line)
            elif line == "```":
                if words[:1] == ["console"]:
                    block = self.console(words, block)
                if words[:1] == ["cpp"] and len(words) > 1:
                    self.source(words[1], block)
                page += [*block, line]
                block = None
            elif block is not None:
                block.append(line)
            else:
                if note := re.fullmatch(r"<!-- ((claim|figure|break|mend)\b.*) -->", line):
                    self.note(note.group(1))
                page.append(line)
        if self.options.write:
            PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")
        if self.seconds > MOST_SECONDS:
            self.fault(f"the commands took {self.seconds:.0f} s of {MOST_SECONDS}")
        print(f"tutorial: {self.commands} commands, {self.seconds:.1f} s, {len(self.faults)} faults")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="folder of the program bkd")
    parser.add_argument("--folder", help="an empty folder to work in; default: one that vanishes")
    parser.add_argument("--threads", type=int, default=1, help="of every command; default 1, as the page says")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="only what needs no training")
    how.add_argument("--write", action="store_true", help="puts outputs and figures into their places")
    parser.add_argument("--break", dest="break_", action="store_true", help="edits this checkout's sources, and back")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = pathlib.Path(options.folder or own).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SystemExit(f"tutorial: {folder} is not empty")
        (folder / "tests").symlink_to(ROOT / "tests")  # the page's commands are given in a checkout
        tutorial = Tutorial(options, folder)
        try:
            tutorial.read()
        finally:
            tutorial.mend()
    sys.exit(1 if tutorial.faults else 0)


if __name__ == "__main__":
    main()
