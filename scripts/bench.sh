#!/bin/bash
# Builds Culvert for release and measures it against ssh -L, socat and no tunnel at all.
set -euo pipefail

usage="usage: $0 [--quick] [OPTION...]

Installs what is missing, builds build/release, and runs bench/tunnel_bench.py, whose options it
passes on (--help shows them). The tables are printed and are in build/bench/results.md, every
figure is in build/bench/results.json, and a plot in build/bench/results.svg.
  --quick   two rounds, about two minutes; without it five, half an hour"

case ${1:-} in
  -h | --help) echo "$usage" && exit ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
install_packages "${culvert_build_packages[@]}" "${culvert_bench_packages[@]}"
unset "${!CULVERT_@}"

cmake --preset release >&2
cmake --build --preset release >&2
out=build/bench
mkdir -p "$out"
bench/tunnel_bench.py build/release --json "$out/results.json" "$@" | tee "$out/results.md"
bench/plot.py "$out/results.json" "$out/results.svg"
