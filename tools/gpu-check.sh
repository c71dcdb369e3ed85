#!/bin/bash
# Proves and times the CUDA backend on a machine with a GPU: one command, ends by itself within eight minutes.
#
#   tools/gpu-check.sh OUT [--only STAGES] [--ops PATTERNS] [--programs FOLDER]
#   tools/gpu-check.sh OUT --tune        times cuDNN's engines: OUT/cuda-plans.txt; with --only, in front of those stages
#   tools/gpu-check.sh OUT --peers       more of PyTorch beside it: torch.compile, channels last, TF32
#   tools/gpu-check.sh OUT --paper       runs of 200 epochs on CIFAR-10-LT; a second call goes on where the first was cut
#   tools/gpu-check.sh OUT --dry-run     the same script on the CPU in seconds, so that it never breaks where time is dear
#
# Writes OUT/report.json, OUT/report.md and OUT/log.txt. A stage that fails or overruns does not stop the next. Exit code 0: all
# passed; 1: one failed or overran; 3: no device. Stages: facts build ops tests training bench sanitizer profile (or 0 to 7).
# The programs are those of tools/device-pack.sh; where it did not run, stage build makes them. docs/cuda.md says more.
set -eu
cd "$(dirname "$0")/.."
if ! command -v python3 >/dev/null; then
    echo "gpu-check: python3 is not here" >&2
    exit 2
fi
exec python3 tools/gpu/check.py "$@"
