"""What a stage of gpu-check works with: where the programs are, how one is run within a time box, what is written down."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time


class Absent(Exception):
    """What a stage needs is not on this machine: it is skipped and says so."""


class Failed(Exception):
    """A stage's answer is no."""


class Run:
    """How a command ended."""

    def __init__(self, command, code, out, err, seconds, is_late):
        self.command, self.code, self.out, self.err = command, code, out, err
        self.seconds, self.is_late = seconds, is_late

    def json(self):
        """The last line of its output that is JSON."""
        for line in reversed(self.out.splitlines()):
            if line.startswith("{"):
                return json.loads(line)
        raise Failed(f"{self.command} printed no JSON, exit code {self.code}: {self.err.strip()[-400:]}")


def unpacked():
    """The folder with the programs of tools/device-pack.sh, None where it did not run."""
    packed, folder = ".deps/programs.tar.xz", "build/gpu-programs"
    if not os.path.exists(packed):
        return None
    if not os.path.exists(f"{folder}/COMMIT") or os.path.getmtime(f"{folder}/COMMIT") < os.path.getmtime(packed):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        with tarfile.open(packed) as archive:
            archive.extractall(folder)
        os.utime(f"{folder}/COMMIT")
    return folder


class Machine:
    def __init__(self, options, log):
        self.options, self.log = options, log
        self.device = "cpu" if options.dry_run else "cuda"
        self.deadline = 0.0  # of the running stage
        self.programs = options.programs or unpacked() or ("build/device" if os.path.exists("build/device/bkd") else None)
        self.data = next((f for f in (".deps/data", os.environ.get("BKD_SHARED", "../shared") + "/data")
                          if os.path.exists(f"{f}/cifar10-lt100-train.res.xz")), None)
        self.environment = dict(os.environ)
        site = sysconfig.get_paths()["purelib"]
        folders = [f for f in (f"{site}/nvidia/cudnn/lib", f"{site}/nvidia/cu13/lib") if os.path.isdir(f)]
        before = self.environment.get("LD_LIBRARY_PATH")
        self.environment["LD_LIBRARY_PATH"] = ":".join(folders + ([before] if before else []))
        self.site = site

    def tool(self, name):
        """A tool of the toolkit, on the path or in its usual folder."""
        found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/local/cuda*/bin/{name}"))), None)
        if found is None:
            raise Absent(f"{name} is not here")
        return found

    def program(self, name):
        if self.programs is None:
            raise Absent("no programs: tools/device-pack.sh packs them, stage build makes them")
        path = f"{self.programs}/{name}"
        if not os.path.exists(path):
            found = glob.glob(f"{self.programs}/**/{name}", recursive=True)
            if not found:
                raise Absent(f"no {name} in {self.programs}")
            path = found[0]
        return os.path.abspath(path)

    def start(self, command, cwd=None):
        self.log(f"$ {' '.join(map(str, command))}")
        return subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                errors="replace", cwd=cwd, env=self.environment, start_new_session=True)

    def finish(self, process, command, began, limit=None):
        """Waits until the stage's box, or `limit` seconds if they are fewer, is used up; then ends it and its children."""
        left = max(0.5, self.deadline - time.monotonic())
        if limit is not None:
            left = min(left, limit)
        is_late = False
        try:
            out, err = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            is_late = True
            os.killpg(process.pid, signal.SIGTERM)
            try:
                out, err = process.communicate(timeout=3)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
        seconds = time.monotonic() - began
        self.log(f"  exit code {process.returncode}{', ended by its time box' if is_late else ''}, {seconds:.1f} s: "
                 f"{' '.join(map(str, command))[:120]}\n{out[-6000:]}{err[-3000:]}")
        return Run(" ".join(map(str, command)), process.returncode, out, err, round(seconds, 2), is_late)

    def run(self, command, limit=None, cwd=None):
        began = time.monotonic()
        return self.finish(self.start(command, cwd), command, began, limit)

    def run_all(self, commands, limit=None):
        """Side by side."""
        began = time.monotonic()
        started = [(self.start(c), c) for c in commands]
        # Each is read by communicate() in turn; a process whose pipe is full waits for its turn.
        return [self.finish(process, command, began, limit) for process, command in started]

    def bkd(self, *words):
        return [self.program("bkd"), *words]

    def knows(self, verb, option):
        """Whether the program's verb has an option."""
        return option in self.run(self.bkd(verb, "--help"), 20).out

    def python(self):
        return sys.executable
