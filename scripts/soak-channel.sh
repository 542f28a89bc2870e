#!/bin/sh
# Runs the property tests of the channel (tests/unit/tunnel/channel_property_test.cc) with many
# seeds on an optimised build.
#
# usage: scripts/soak-channel.sh [SEEDS]
#
# SEEDS is 100,000 unless given. Each test says which seed fails; CULVERT_SEED=n runs that one
# alone. CULVERT_SOAK_BUILD=0 uses the build that is there.
set -eu

cd "$(dirname "$0")/.."
seeds=${1:-100000}
program=build/release/bin/unit_tunnel
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if [ "${CULVERT_SOAK_BUILD:-1}" != 0 ]; then
  cmake --preset release >"$log" || { cat "$log"; exit 1; }
  cmake --build --preset release --target unit_tunnel
fi

start=$(date +%s)
status=0
CULVERT_SEEDS=$seeds "$program" "Two Channels*" >"$log" 2>&1 || status=$?
cat "$log"
echo "$seeds seeds in $(($(date +%s) - start)) s"

if [ "$status" != 0 ]; then
  # One line per failing test: "seed 17: what was wrong".
  sed -n 's/^ *\(seed \([0-9][0-9]*\).*\)/\1\n  run it again: CULVERT_SEED=\2 '"$(
    echo "$program" | sed 's/[\/&]/\\&/g')"' "Two Channels*"/p' "$log"
  exit 1
fi
