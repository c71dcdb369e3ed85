#!/bin/sh
# From a fresh clone to a balanced student in minutes: builds, cuts Debian's Fashion-MNIST at ratio 100 (14,886 images), trains
# ResNet-8 ten epochs with cross-entropy (the teacher), then ten with BKD (the student), and prints both beside each other.
#   tools/demo.sh [SEED] [key=value ...]
# BKD is shown without mixup: in ten epochs mixing costs more than it brings (docs/results/fashion_mnist_lt.md).
set -eu
cd "$(dirname "$0")/.."
seed=1
case ${1:-} in
    *=* | "") ;;
    *) seed=$1; shift ;;
esac

tools/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target bkd

began=$(date +%s)
run=$(build/release/bkd train fashion_mnist_lt_100_bkd --seed "$seed" eval.every=5 "$@")
took=$(($(date +%s) - began))
build/release/bkd eval "$run/models/teacher.last.safetensors" "$run/models/student.last.safetensors" --per-class
echo "teacher: cross-entropy; student: BKD from that teacher. Training took $((took / 60)) min $((took % 60)) s; everything is in $run"
