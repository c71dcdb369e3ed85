#!/bin/sh
# Builds everything and runs the tests of every change: tools/test.sh [PRESET], release unless said.
# Prints the minutes of each part.
set -eu
cd "$(dirname "$0")/.."
preset=${1:-release}

part() {  # part NAME COMMAND...
    name=$1
    shift
    began=$(date +%s)
    "$@"
    echo "test: $name took $(awk "BEGIN { printf \"%.1f\", ($(date +%s) - $began) / 60 }") minutes"
}

part setup tools/setup.sh
part configure cmake --preset "$preset"
part build cmake --build --preset "$preset"
part tests ctest --preset "$preset"
