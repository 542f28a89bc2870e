#!/bin/bash
# Builds Culvert and proves it: broker, agent and forwarder on loopback, one real download through
# all three, compared byte by byte. Leaves nothing running, unless --keep is given.
set -euo pipefail

usage="usage: $0 [--keep]
  --keep  leave broker, agent and forwarder running until Ctrl-C"
case "${*:-}" in
  '') keep=no ;;
  --keep) keep=yes ;;
  -h | --help) echo "$usage" && exit ;;
  *) echo "$usage" >&2 && exit 2 ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
# What the caller has set for Culvert is not meant for these.
unset "${!CULVERT_@}"

bin=build/release/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/culvert-quickstart.XXXXXX")
pids=()
step=0
began=$SECONDS

stop_all() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
}

finish() {
  local status=$?
  trap - EXIT INT TERM
  stop_all
  if ((status == 0)); then rm -rf "$work"; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The one line of a failure, after what the log says.
fail() {
  local log=$1 message=$2
  [[ ! -s $log ]] || tail -n 20 "$log" >&2
  echo "quickstart: $message (log: $log)" >&2
  exit 1
}

# do_step TITLE COMMAND...: runs it quietly and tells how long it took.
do_step() {
  local title=$1 log start=$SECONDS
  step=$((step + 1))
  log=$work/step$step.log
  printf '%d. %s ... ' "$step" "$title"
  shift
  "$@" >"$log" 2>&1 </dev/null || { echo failed; fail "$log" "step $step failed: $title"; }
  printf 'done (%d s)\n' $((SECONDS - start))
}

build() {
  local options=()
  # A tree that was never configured needs nothing of the tests. One that was is left as it is.
  [[ -e build/release/CMakeCache.txt ]] || options=(-DCULVERT_BUILD_TESTS=OFF)
  cmake --preset release "${options[@]}" &&
    cmake --build --preset release --target culvert culvert-agent culvert-broker man
}

# start NAME COMMAND...: in the background, its output in $work/NAME.log.
start() {
  local name=$1
  shift
  : >"$work/$name.log"
  "$@" >>"$work/$name.log" 2>&1 </dev/null &
  pids+=($!)
}

# said NAME REGEX: waits until the program that was started last says REGEX; prints its first group.
said() {
  local log=$work/$1.log line deadline=$((SECONDS + 15))
  while ((SECONDS < deadline)); do
    while IFS= read -r line; do
      if [[ $line =~ $2 ]]; then
        printf '%s\n' "${BASH_REMATCH[1]:-}"
        return
      fi
    done <"$log"
    kill -0 "${pids[-1]}" 2>/dev/null || break
    sleep 0.05
  done
  fail "$log" "$1 did not start"
}

echo "Culvert quickstart: everything on loopback, without identities (--insecure)."
do_step 'install the packages that the build needs' install_packages "${culvert_build_packages[@]}"
do_step 'build the three programs and their man pages (some minutes the first time)' build

mkdir "$work/www"
head -c $((16 << 20)) /dev/urandom >"$work/www/data"
start service python3 -u -m http.server --bind 127.0.0.1 --directory "$work/www" 0
service_port=$(said service 'port ([0-9]+)')

# An empty config file, so that none of this machine's is read.
: >"$work/empty.toml"
common=(--insecure --config "$work/empty.toml")
start broker "$bin/culvert-broker" serve "${common[@]}" --state-dir "$work/broker" \
  --listen 127.0.0.1:0
broker=$(said broker '^listening on (.*)')
start agent "$bin/culvert-agent" run "${common[@]}" --state-dir "$work/agent" \
  --broker "$broker" --name edge-1 --allow "127.0.0.1:$service_port"
said agent 'registered as' >/dev/null
start forward "$bin/culvert" forward "${common[@]}" --state-dir "$work/forward" \
  --broker "$broker" -L "0:edge-1:$service_port"
local_address=$(said forward '^forwarding ([^ ]+) -> ')
step=$((step + 1))
echo "$step. started: broker $broker, agent edge-1 (allows only 127.0.0.1:$service_port)," \
  "forwarder $local_address"

download() {
  python3 -c 'import shutil, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(sys.argv[1], timeout=60) as source, open(sys.argv[2], "wb") as sink:
    shutil.copyfileobj(source, sink)' "http://$local_address/data" "$work/copy"
  cmp "$work/www/data" "$work/copy"
}
do_step 'download 16 MiB: client, forwarder, broker, agent, HTTP server' download
echo "   sha256 $(sha256sum <"$work/copy" | cut -c1-64), the same at both ends"

echo "It works ($((SECONDS - began)) s)."
cat <<END

Try next, with an ssh server on this machine, each line in its own terminal, in $PWD:
  $bin/culvert-broker serve --insecure
  $bin/culvert-agent run --insecure --broker 127.0.0.1:7400 --name edge-1 --allow 127.0.0.1:22
  $bin/culvert forward --insecure --broker 127.0.0.1:7400 -L 2222:edge-1:22
  ssh -p 2222 USER@127.0.0.1
or, in place of the last two:
  ssh -o ProxyCommand='$bin/culvert connect --insecure %h:%p' USER@edge-1
Every option: $bin/culvert forward --help. Every test: scripts/test.sh
END
if [[ $keep == yes ]]; then
  printf '\nStill running: http://%s/ is the tunnel. Ctrl-C stops everything.\n' "$local_address"
  trap 'exit 0' INT TERM
  sleep infinity &
  pids+=($!)
  wait $!
fi
