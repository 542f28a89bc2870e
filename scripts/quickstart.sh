#!/bin/bash
# Builds Culvert and proves it: a broker with an authority of its own, an agent and a user that enrol
# with it, one rule that lets the user reach one port, and one real download through all three,
# encrypted from end to end and compared byte by byte. Leaves nothing running, unless --keep is given.
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
source scripts/fresh_tree.sh
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
  local options
  # A tree that was never configured needs nothing of the tests.
  mapfile -t options < <(fresh_options release -DCULVERT_BUILD_TESTS=OFF)
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

echo "Culvert quickstart: everything on loopback, with identities and encryption, no flags needed."
do_step 'install the packages that the build needs' install_packages "${culvert_build_packages[@]}"
do_step 'build the three programs and their man pages (some minutes the first time)' build

mkdir "$work/www"
head -c $((16 << 20)) /dev/urandom >"$work/www/data"
start service python3 -u -m http.server --bind 127.0.0.1 --directory "$work/www" 0
service_port=$(said service 'port ([0-9]+)')

# An empty config file, so that none of this machine's is read.
: >"$work/empty.toml"
config=(--config "$work/empty.toml")
as_broker=("${config[@]}" --state-dir "$work/broker")
as_agent=("${config[@]}" --state-dir "$work/agent")
as_alice=("${config[@]}" --state-dir "$work/alice")

start broker "$bin/culvert-broker" serve "${as_broker[@]}" --listen 127.0.0.1:0
broker=$(said broker '^listening on (.*)')
step=$((step + 1))
echo "$step. started: broker $broker, which has made its authority"

enrol_agent() {
  "$bin/culvert-broker" token create "${as_broker[@]}" --agent edge-1 >"$work/agent.token" &&
    "$bin/culvert-agent" enroll "${as_agent[@]}" --broker "$broker" --token-file "$work/agent.token"
}
enrol_alice() {
  "$bin/culvert-broker" token create "${as_broker[@]}" --user alice >"$work/alice.token" &&
    "$bin/culvert" enroll "${as_alice[@]}" --broker "$broker" --token-file "$work/alice.token"
}
do_step 'enrol agent edge-1 with a one-time token' enrol_agent
do_step 'enrol user alice with another one' enrol_alice
alice_key=$(sed -n 's/^key id: //p' "$work/step$step.log")
echo "   alice's key id, for the agent's list of users: $alice_key"
do_step "allow alice 127.0.0.1:$service_port at edge-1" \
  "$bin/culvert-broker" policy allow "${as_broker[@]}" --user alice --agent edge-1 --service tcp \
  --target "127.0.0.1:$service_port"

# Allowed by key: then not even the broker can let somebody else in.
start agent "$bin/culvert-agent" run "${as_agent[@]}" --allow "127.0.0.1:$service_port" \
  --user "key:$alice_key"
said agent 'registered as' >/dev/null
start forward "$bin/culvert" forward "${as_alice[@]}" -L "0:edge-1:$service_port"
local_address=$(said forward '^forwarding ([^ ]+) -> ')
step=$((step + 1))
echo "$step. started: agent edge-1 (allows only alice's key and 127.0.0.1:$service_port)," \
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
  $bin/culvert-broker serve
  $bin/culvert-broker token create --agent edge-1 > agent.token
  $bin/culvert-agent enroll --broker 127.0.0.1:7400 --token-file agent.token
  $bin/culvert-agent run --allow 127.0.0.1:22
  $bin/culvert-broker token create --user alice > alice.token
  $bin/culvert enroll --broker 127.0.0.1:7400 --token-file alice.token
  $bin/culvert-broker policy allow --user alice --agent edge-1 --service tcp --target 127.0.0.1:22
  $bin/culvert forward -L 2222:edge-1:22
  ssh -p 2222 USER@127.0.0.1
or, in place of the last two:
  ssh -o ProxyCommand='$bin/culvert connect %h:%p' USER@edge-1
Every option: $bin/culvert forward --help. Every test: scripts/test.sh
END
if [[ $keep == yes ]]; then
  printf '\nStill running: http://%s/ is the tunnel. Ctrl-C stops everything.\n' "$local_address"
  trap 'exit 0' INT TERM
  sleep infinity &
  pids+=($!)
  wait $!
fi
