#!/bin/bash
# Installs what the tests need, builds Culvert in every way that counts, and runs every test.
# Stops at the first step that fails. The last line is "N passed, N failed": all tests of all steps.
set -euo pipefail

# Together up to 45 minutes on two cores, of a tree that was never built.
known=(install release includes package tidy asan tsan fuzz)
usage="usage: $0 [STEP...]

Runs these steps, or only those named:
  install   the Debian packages, by apt, if any is missing
  release   hardened build, and all tests of it
  includes  which folder may include which
  package   the .deb packages: build, install here, use, purge (as root)
  tidy      clang with thread-safety analysis, and clang-tidy
  asan      AddressSanitizer and UBSan: all tests but the system tests, of those CULVERT_ASAN_SYSTEM
  tsan      ThreadSanitizer: the unit tests of what links no gRPC
  fuzz      each fuzz target, CULVERT_FUZZ_SECONDS long, two at a time

environment:
  CULVERT_FUZZ_SECONDS  how long to run each fuzz target (10)
  CULVERT_ASAN_SYSTEM   which system tests to run under ASan, a regular expression (tcp_exact)
Logs are in build/test-logs."

for argument in "$@"; do
  case $argument in
    -h | --help) echo "$usage" && exit ;;
    *) [[ " ${known[*]} " == *" $argument "* ]] || { echo "$usage" >&2 && exit 2; } ;;
  esac
done
steps=("$@")
(($# > 0)) || steps=("${known[@]}")

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
source scripts/fresh_tree.sh
fuzz_seconds=${CULVERT_FUZZ_SECONDS:-10}
asan_system=${CULVERT_ASAN_SYSTEM:-tcp_exact}
# What the caller has set for Culvert is not meant for the programs under test.
unset "${!CULVERT_@}"

jobs=$(nproc)
logs=build/test-logs
mkdir -p "$logs"
passed=0
failed=0
began=$SECONDS

# Adds up what ctest said in the log. A test that skipped itself has not passed.
count_tests() {
  local line
  while IFS= read -r line; do
    if [[ $line =~ tests\ passed,\ ([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+) ]]; then
      failed=$((failed + BASH_REMATCH[1]))
      passed=$((passed + BASH_REMATCH[2] - BASH_REMATCH[1]))
    elif [[ $line =~ \*\*\*Skipped ]]; then
      failed=$((failed + 1))
      passed=$((passed - 1))
    fi
  done <"$1"
}

# Shows what follows each failure in the log and how the log ends, says what went wrong, and ends.
stop() {
  local name=$1 log=$2 why=$3
  awk '/^FAILED:|error:|ERROR: |\*\*\*/ { left = 30 } left > 0 { print; left-- }' "$log" | head -n 300 || true
  echo "--- the end of $log:"
  tail -n 15 "$log"
  echo "test.sh: $name: $why (log: $log)"
  # A step that is no test counts as one, so that nobody reads "0 failed" and believes it.
  ((failed)) || failed=1
  echo "$passed passed, $failed failed"
  exit 1
}

# run NAME COMMAND...: one part of a step, its output in a log.
run() {
  local name=$1 start=$SECONDS before=$failed status=0
  local log=$logs/${name// /-}.log
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  count_tests "$log"
  ((failed == before)) || stop "$name" "$log" "$((failed - before)) tests failed or were skipped"
  ((status == 0)) || stop "$name" "$log" "failed with status $status"
  printf '%-24s %5d s\n' "$name" $((SECONDS - start))
}

build() {
  local preset=$1 fresh
  shift
  mapfile -t fresh < <(fresh_options "$preset")
  cmake --preset "$preset" "${fresh[@]}" "$@" && cmake --build --preset "$preset" -- -k 0
}

test_preset() {
  ctest --preset "$@" --no-tests=error
}

step_install() {
  run 'install' install_packages "${culvert_build_packages[@]}" "${culvert_test_packages[@]}"
}

step_release() {
  run 'release build' build release -DCULVERT_BUILD_TESTS=ON
  run 'release unit' test_preset release -L '^unit$' -j "$jobs"
  run 'release others' test_preset release -LE '^(unit|system)$' -j "$jobs"
  # Two at a time: they wait more than they compute. Those that watch the memory, or fill the
  # machine, say so, and run alone.
  run 'release system' test_preset release -L '^system$' -j 2
}

step_includes() {
  run 'includes' scripts/check_includes.py
}

step_package() {
  run 'package build' scripts/package.sh
  run 'package test' as_root packaging/test-deb.sh build/packages
}

step_asan() {
  run 'asan build' build asan -DCULVERT_BUILD_BENCH=OFF
  run 'asan unit' test_preset asan -L '^unit$' -j "$jobs"
  run 'asan others' ctest --preset asan -L '^(integration|interop)$' --no-tests=ignore -j "$jobs"
  run 'asan system' ctest --preset asan -L '^system$' -R "$asan_system" --no-tests=ignore
}

step_tsan() {
  run 'tsan build' build tsan -DCULVERT_BUILD_BENCH=OFF
  run 'tsan unit' test_preset tsan -L '^unit$' -j "$jobs"
}

# Only the fuzz targets, whose tests have their names.
build_fuzzers() {
  local targets fresh
  mapfile -t fresh < <(fresh_options fuzz)
  cmake --preset fuzz "${fresh[@]}" -DCULVERT_FUZZ_SECONDS="$fuzz_seconds" -DCULVERT_BUILD_BENCH=OFF ||
    return
  mapfile -t targets < <(ctest --preset fuzz -N -L '^fuzz$' | sed -n 's/^ *Test *#[0-9]*: //p')
  ((${#targets[@]})) || { echo 'no fuzz targets' && return 1; }
  cmake --build --preset fuzz --target "${targets[@]}"
}

step_fuzz() {
  run 'fuzz build' build_fuzzers
  run 'fuzz run' test_preset fuzz -L '^fuzz$' -j 2
}

# clang-tidy says what the compiler says too, so that nothing needs to be compiled but the protocol's
# generated sources. The tests are left out: it is slow. So is the analyzer's walk through gRPC's and
# protobuf's headers, half of the time: it is for what includes neither. Of a unity build each header
# is walked through once for many sources, which it takes for headers, and so for all of them.
run_tidy() {
  local fresh
  mapfile -t fresh < <(fresh_options tidy)
  cmake --preset tidy "${fresh[@]}" -DCULVERT_BUILD_TESTS=OFF || return
  cmake --build --preset tidy --target culvert_proto culvert_proto_grpc || return
  local core='src/(base|net|crypto|tunnel|store|resource)'
  local others='(src/(agent|broker|config|forwarder|rpc|sdk|stitch)|examples|bench)'
  tidy_sources "$core" '-bugprone-suspicious-include' || return
  tidy_sources "$others" '-bugprone-suspicious-include,-clang-analyzer-*'
}

# tidy_sources FOLDERS CHECKS: those of a unity build, or those themselves.
tidy_sources() {
  run-clang-tidy-14 -quiet -p build/tidy -j "$jobs" -checks="$2" \
    -header-filter='(src|include|examples|bench)/.*\.(h|cc)$' "^$PWD/(build/tidy/)?$1/"
}

step_tidy() {
  run 'tidy' run_tidy
}

for step in "${steps[@]}"; do "step_$step"; done
echo "all steps passed in $((SECONDS - began)) s: ${steps[*]}"
echo "$passed passed, $failed failed"
