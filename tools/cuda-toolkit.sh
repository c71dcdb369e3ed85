#!/bin/bash
# Lays NVIDIA's CUDA 13.0 compiler and, with --full, cuBLASLt and cuDNN into PREFIX, from the wheels NVIDIA publishes on PyPI: for
# a machine without a toolkit. Nothing outside PREFIX changes; a second run does nothing.
#
#   tools/cuda-toolkit.sh PREFIX            105 MB: compiles our kernels
#   tools/cuda-toolkit.sh PREFIX --full     894 MB: builds the whole backend
#   tools/cuda-toolkit.sh PREFIX --tools    24 MB: cuobjdump, nvdisasm and compute-sanitizer alone
#
# It ends by printing the options that CMake is configured with. docs/cuda.md says more.
set -eu
fail() {
    echo "cuda-toolkit: $*" >&2
    exit 1
}
if [ $# -lt 1 ] || [ "${1#-}" != "$1" ]; then fail "needs a folder; see the head of $0"; fi
prefix=$1 extent=${2:-}
command -v python3 >/dev/null || fail "python3 is not here"
python3 -m pip --version >/dev/null 2>&1 || fail "pip is not here (Debian: python3-pip)"

# Pinned, and without what they depend on: nvidia-cuda-nvcc asks for its parts without a version and would mix in later ones.
compiler="nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96
    nvidia-cuda-cccl==13.0.85"
libraries="nvidia-cublas==13.1.0.3 nvidia-cudnn-cu13==9.19.0.56"
tools="nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37 nvidia-cuda-sanitizer-api"
case $extent in
    "") wheels=$compiler ;;
    --full) wheels="$compiler $libraries" ;;
    --tools) wheels=$tools ;;
    *) fail "unknown option $extent; see the head of $0" ;;
esac
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
for wheel in $wheels; do
    name=${wheel%%==*}
    [ -z "$(find "$prefix" -maxdepth 1 -iname "$(echo "$name" | tr - _)-*.dist-info" -print -quit)" ] || continue
    echo "cuda-toolkit: $wheel"
    fetched=$(mktemp -d)
    python3 -m pip download -q --no-deps --only-binary=:all: -d "$fetched" "$wheel" || fail "pip could not fetch $wheel"
    python3 -m zipfile -e "$fetched"/*.whl "$prefix"  # which keeps no permissions: set below
    rm -rf "$fetched"
done

# Wheels hold libX.so.N alone; the linker and CMake look for libX.so, and CMake for lib64.
cu=$prefix/nvidia/cu13
for folder in "$cu/lib" "$prefix/nvidia/cudnn/lib"; do
    [ -d "$folder" ] || continue
    for file in "$folder"/lib*.so.*; do
        short=${file%%.so.*}.so
        [ -e "$short" ] || ln -s "$(basename "$file")" "$short"
    done
done
[ ! -d "$cu/lib" ] || [ -e "$cu/lib64" ] || ln -s lib "$cu/lib64"
for folder in "$cu/bin" "$cu/nvvm/bin"; do
    [ ! -d "$folder" ] || chmod +x "$folder"/*
done

if [ "$extent" = --tools ]; then
    echo "cuda-toolkit: PATH=\$PATH:$cu/bin"
else
    "$cu/bin/nvcc" --version | tail -n 1
    echo "cuda-toolkit: cmake --preset release -DWITH_CUDA=ON -DCMAKE_CUDA_COMPILER=$cu/bin/nvcc -DCUDNN_ROOT=$prefix/nvidia/cudnn"
fi
