#!/bin/bash
# The chaos tests in their long form (tests/system/chaos_test.py): an hour and more. As root, with
# the programs built: it makes network namespaces, which are gone when it ends.
set -euo pipefail

usage="usage: $0 [TEST...]

Runs these tests, or all: Transfer (1 GiB each way through 60 faults), Ssh (two sessions through
them), Pgbench (10 kills of the broker), Losses (1,000 lost paths).

environment:
  CULVERT_CHAOS_SEED     run the faults of this seed, which a run before has printed
  CULVERT_CHAOS_FAULTS   how many faults (60)
  CULVERT_CHAOS_LONGEST  how long one may last, in seconds (30)
  CULVERT_CHAOS_KINDS    which kinds, separated by commas: cut, blackhole, lost packets, reset,
                         new address, link down, broker killed, program stopped,
                         descriptors used up (all)
  CULVERT_CHAOS_MIB      how much is transferred each way (1024)
  CULVERT_CHAOS_KILLS    how often the broker is killed under pgbench (10)
  CULVERT_CHAOS_LOSSES   how many paths are lost, twenty at a time (1000)
  CULVERT_CHAOS_PATH     what carries connections: auto, stream (what users have)
  CULVERT_BIN_DIR        where the programs are (build/release/bin)"

case ${1:-} in
  -h | --help) echo "$usage" && exit ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CULVERT_CHAOS_FAULTS=${CULVERT_CHAOS_FAULTS:-60}
export CULVERT_CHAOS_LONGEST=${CULVERT_CHAOS_LONGEST:-30}
export CULVERT_CHAOS_MIB=${CULVERT_CHAOS_MIB:-1024}
export CULVERT_CHAOS_KILLS=${CULVERT_CHAOS_KILLS:-10}
export CULVERT_CHAOS_LOSSES=${CULVERT_CHAOS_LOSSES:-1000}
CULVERT_BIN_DIR=$(realpath "${CULVERT_BIN_DIR:-build/release/bin}")
export CULVERT_BIN_DIR PYTHONDONTWRITEBYTECODE=1

tests=("$@")
((${#tests[@]})) || tests=(Transfer Ssh Pgbench Losses)
cd tests/system
exec /usr/bin/python3 -m unittest --verbose "${tests[@]/#/chaos_test.}"
