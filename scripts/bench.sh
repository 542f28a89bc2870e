#!/bin/bash
# Builds Culvert for release and measures it against ssh -L, socat and no tunnel at all.
set -euo pipefail

usage="usage: $0 [--quick] [--keep] [OPTION...]

Installs what is missing, builds build/release, and runs bench/tunnel_bench.py, whose options it
passes on (--help shows them). The tables are printed and are in build/bench/results.md, every
figure is in build/bench/results.json, and a plot in build/bench/results.svg.
  --quick   two rounds, about two minutes; without it five, half an hour
  --keep    figures and plot go to docs/benchmarks, too: those that docs/benchmarks.md shows"

case ${1:-} in
  -h | --help) echo "$usage" && exit ;;
esac

keep= options=()
for option; do
  if [[ $option == --keep ]]; then keep=yes; else options+=("$option"); fi
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
install_packages "${culvert_build_packages[@]}" "${culvert_bench_packages[@]}"
unset "${!CULVERT_@}"

cmake --preset release >&2
cmake --build --preset release >&2
out=build/bench
mkdir -p "$out"
bench/tunnel_bench.py build/release --json "$out/results.json" "${options[@]}" |
  tee "$out/results.md"
bench/plot.py "$out/results.json" "$out/results.svg"
if [[ $keep ]]; then
  mkdir -p docs/benchmarks
  cp "$out/results.json" docs/benchmarks/tunnel.json
  cp "$out/results.svg" docs/benchmarks/tunnel.svg
fi
