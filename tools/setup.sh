#!/bin/sh
# Installs what building, testing and the demo need, from Debian's packages. Root, else sudo, else it says what to install.
# A second run finds everything there and does nothing.
set -eu

# ocl-icd-opencl-dev: what CMake reads to find oneDNN (libdnnl-dev) asks for OpenCL's headers; the package only recommends them.
packages="g++ cmake ninja-build
    libdnnl-dev ocl-icd-opencl-dev libfmt-dev zlib1g-dev liblzma-dev libstb-dev libjpeg62-turbo-dev
    doctest-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
    dataset-fashion-mnist"

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "setup: everything needed is installed"
    exit 0
fi

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    echo "setup: these packages are missing, and neither root nor sudo is at hand. Ask for:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
fi
echo "setup: installing$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
