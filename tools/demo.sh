#!/bin/sh
# From a fresh clone to a balanced student in minutes: builds, cuts Fashion-MNIST at ratio 100, trains ResNet-8 with
# cross-entropy (the teacher) and then with BKD (the student), and prints both beside each other.
#   tools/demo.sh [SEED] [key=value ...]
set -eu
cd "$(dirname "$0")/.."
seed=1
case ${1:-} in
    *=* | "") ;;
    *) seed=$1; shift ;;
esac

tools/setup.sh
cmake --preset release -DBKD_TESTS=OFF -B build/demo >build-demo.log 2>&1 || { cat build-demo.log; exit 1; }
cmake --build build/demo
exec build/demo/bkd demo --seed "$seed" "$@"
