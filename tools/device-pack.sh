#!/bin/bash
# Puts beside the tree, in the ignored folder .deps/, all that a machine with a GPU and without a network needs besides it:
# headers and archives of third parties, data, and the programs of preset `device`, stripped. tools/gpu-check.sh uses it there.
#
#   tools/device-pack.sh [--headers | --no-build] [--build FOLDER] [--data FOLDER]
#
#   --headers    only the headers and archives, which preset `device` is configured with
#   --no-build   packs what lies in the build folder already
#   --build      build folder; build/device unless said
#   --data       folder with the packed CIFAR-10-LT, the CIFAR-10 test images and the public ResNet-32 (data/README.md of the
#                shared folder); $BKD_SHARED/data or ../shared/data unless said
#
# A second run fetches only what is missing. At most 60 MiB in all.
set -eu
cd "$(dirname "$0")/.."

headers_only=no do_build=yes build=build/device data=${BKD_SHARED:-../shared}/data
fail() {
    echo "device-pack: $*" >&2
    exit 1
}
while [ $# -gt 0 ]; do
    case $1 in
        --headers) headers_only=yes ;;
        --no-build) do_build=no ;;
        --build | --data)
            [ $# -gt 1 ] || fail "$1 needs a folder"
            if [ "$1" = --build ]; then build=$2; else data=$2; fi
            shift
            ;;
        *) fail "unknown option $1; see the head of $0" ;;
    esac
    shift
done
pack=.deps
mkdir -p $pack

# 1. Headers, and zlib and xz as archives.
packages="doctest-dev libcli11-dev nlohmann-json3-dev libfmt-dev libtomlplusplus-dev libstb-dev zlib1g-dev liblzma-dev"
needed="include/doctest/doctest.h include/CLI/CLI.hpp include/nlohmann/json.hpp include/fmt/format.h include/toml++/toml.h
    include/stb/stb_image.h include/zlib.h include/lzma.h lib/x86_64-linux-gnu/libz.a lib/x86_64-linux-gnu/liblzma.a"
missing() {
    for file in $needed; do [ -e "$pack/usr/$file" ] || echo "usr/$file"; done
}
if [ -n "$(missing)" ]; then
    for tool in apt-get dpkg; do
        command -v $tool >/dev/null || fail "$tool is not here: run this on Debian 12, and carry $pack from there"
    done
    fetched=$(mktemp -d)
    trap 'rm -rf "$fetched"' EXIT
    # shellcheck disable=SC2086
    (cd "$fetched" && apt-get -q -o APT::Sandbox::User=root download $packages >/dev/null) ||
        fail "apt-get download $packages failed: is there a network, and has apt-get update run?"
    for file in "$fetched"/*.deb; do dpkg -x "$file" $pack; done
    rm -rf "${pack:?}/usr/share" $pack/usr/lib/cmake $pack/usr/lib/*/cmake $pack/usr/lib/*/pkgconfig $pack/usr/lib/*/*.so
fi
[ -z "$(missing)" ] || fail "the packages did not bring $(missing | tr '\n' ' ')"
if [ $headers_only = yes ]; then
    echo "device-pack: $(du -sh $pack/usr | cut -f1) of headers and archives in $pack/usr"
    exit 0
fi

# 2. Data.
mkdir -p $pack/data
for file in cifar10-lt100-train.res.xz cifar10-test.bin.xz cifar10-resnet32.safetensors cifar10-resnet32-test-predictions.bin; do
    [ -e $pack/data/$file ] && continue
    [ -e "$data/$file" ] || fail "no $file in $data (--data says where it is)"
    cp "$data/$file" $pack/data/
    chmod u+w $pack/data/$file
done

# 3. Programs: built here, where the packages are; they start wherever glibc is 2.36 or later.
if [ $do_build = yes ]; then
    cmake --preset device -B "$build" >/dev/null || fail "configuring preset device failed: it needs nvcc, cuBLASLt and cuDNN"
    cmake --build "$build"
fi
rm -rf "${pack:?}/bin"
mkdir -p $pack/bin
for file in bkd libbkd_cuda.so; do
    [ -e "$build/$file" ] || fail "no $file in $build: build preset device there, or leave out --no-build"
done
for file in bkd libbkd_cuda.so cuda_bench test_gpu; do
    at=$(find "$build" -name $file -type f | head -n 1)
    [ -z "$at" ] || strip --strip-unneeded -o $pack/bin/$file "$at"
done
cp kernels/cuda/plans.txt $pack/bin/cuda-plans.txt
# The compiler's own libraries come along: the folder of the program is searched first.
for file in libstdc++.so.6 libgcc_s.so.1 libgomp.so.1; do
    cp -L "$(g++ -print-file-name=$file)" $pack/bin/
done
(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown) >$pack/bin/COMMIT
[ -z "$(git status --porcelain 2>/dev/null)" ] || echo "with changes that are not committed" >>$pack/bin/COMMIT

lost=$(LD_LIBRARY_PATH='' ldd $pack/bin/bkd | grep "not found" || true)
[ -z "$lost" ] || fail "the packed program lacks $lost"
from_here=$(ldd $pack/bin/bkd | awk '$3 ~ /^\// { print $3 }' | grep -v "$pack/bin/" | grep -v -E '/lib(c|m|dl|pthread|rt)\.so' || true)
[ -z "$from_here" ] || fail "the packed program uses this machine's $from_here"
# Packed, they are a quarter of their size; gpu-check.sh unpacks them.
(cd $pack/bin && tar --create --xz --file ../programs.tar.xz --owner=0 --group=0 -- *)
rm -rf "${pack:?}/bin"
kib=$(du -sk $pack | cut -f1)
[ "$kib" -le $((60 * 1024)) ] || fail "$pack holds $((kib / 1024)) MiB, more than 60: what is in it that nothing needs?"
echo "device-pack: $((kib / 1024)) MiB in $pack: $(cd $pack && du -sh usr data programs.tar.xz | awk '{ printf "%s %s  ", $2, $1 }')"
