#!/bin/bash
# Installs the Debian packages on this machine, uses them for one real transfer, and purges them. For
# a machine that may be changed, as root: test-deb.sh [FOLDER] (build/packages). Refuses to run where
# Culvert is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-build/packages}
packages=(culvert-broker culvert-agent culvert)
programs=(culvert-broker culvert-agent culvert)
work=
pids=()

fail() {
  echo "test-deb.sh: $*" >&2
  exit 1
}

stop_all() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
}

finish() {
  local status=$?
  trap - EXIT
  stop_all
  if ((status)) && [[ -n $work ]]; then
    tail -n 20 "$work"/*.log >&2 || true
    dpkg --purge "${packages[@]}" || true
  fi
  [[ -z $work ]] || rm -rf "$work"
  exit "$status"
}
trap finish EXIT

((EUID == 0)) || fail 'must run as root'
if dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
  grep -v ' not-installed$'; then
  fail 'Culvert is installed here, and purging it would take its configuration away'
fi
[[ ! -e /etc/culvert ]] || fail '/etc/culvert exists, and would not be left as it is'
debs=("$folder"/*.deb)
((${#debs[@]} == 3)) || fail "expected three packages in $folder, found: ${debs[*]}"
work=$(mktemp -d "${TMPDIR:-/tmp}/culvert-deb.XXXXXX")
chmod 755 "$work"

# What of ours is on the machine: files, users, groups.
traces() {
  find /etc /usr /lib /var/lib -xdev -path /var/lib/dpkg -prune -o -iname '*culvert*' -print
  find /etc/culvert /var/lib/culvert* 2>/dev/null || true
  grep -i culvert /etc/passwd /etc/group || true
}
before=$(traces)

echo '1. what is in the packages'
for deb in "${debs[@]}"; do
  echo "   $(basename "$deb"): $(dpkg-deb -f "$deb" Depends)"
  # Not by grep -q: it does not read to the end, and dpkg-deb would fail at its closed pipe.
  [[ $(dpkg-deb -f "$deb" Depends) == *libgrpc++* ]] ||
    fail "$deb: shared libraries are not in Depends"
  [[ -n $(dpkg-deb -f "$deb" Description) ]] || fail "$deb: no description"
  dpkg-deb -c "$deb" >"$work/contents"
  ! grep -v ' root/root ' "$work/contents" || fail "$deb: not all belongs to root"
  ! grep -E '^.......w.|^.....w' "$work/contents" || fail "$deb: writable by others"
  ! grep -vE ' \./(usr/(bin|lib/(systemd/system|sysusers\.d)|share/(man|doc|bash-completion))/|etc/culvert/|((usr|etc|lib|share|completions|bin|man[0-9]?)/)*$|usr/(lib|share)/([a-z-]+/)?$)' \
    "$work/contents" || fail "$deb: a file where none is expected"
done

echo '2. install'
dpkg -i "${debs[@]}" >"$work/dpkg.log" 2>&1 || fail 'dpkg -i failed'
for package in "${packages[@]}"; do
  [[ -z $(dpkg --verify "$package") ]] || fail "$package: dpkg --verify: $(dpkg --verify "$package")"
done
for program in "${programs[@]}"; do
  "$program" --version
  file -L "/usr/bin/$program" | grep -q 'pie executable.*, stripped' ||
    fail "$program is not a stripped PIE"
  [[ -e /usr/share/bash-completion/completions/$program ]] || fail "no completion of $program"
done
for page in culvert.1 culvert-broker.8 culvert-agent.8 culvert{,-broker,-agent}.toml.5; do
  [[ -e /usr/share/man/man${page##*.}/$page.gz ]] || fail "no manual page $page"
done
for unit in culvert-broker.service culvert-agent.service culvert-forward@.service; do
  said=$(systemd-analyze verify --man=no "/usr/lib/systemd/system/$unit" 2>&1) || fail "$unit: $said"
  [[ -z $said ]] || fail "$unit: $said"
done
for daemon in culvert-broker culvert-agent; do
  [[ $(getent passwd "$daemon") == *:/usr/sbin/nologin ]] || fail "no system user $daemon"
done

echo '3. run with the config files of the packages, set up for loopback, as the users of the units'
# Takes the "#" off a setting, and gives it a value.
configure() {
  local file=/etc/culvert/$1 setting
  shift
  for setting in "$@"; do
    grep -q "^#${setting%% *} = " "$file" || fail "$file has no ${setting%% *}"
    sed -i "0,/^#${setting%% *} = .*/s//${setting//\//\\/}/" "$file"
  done
}

# start NAME COMMAND...: in the background, its output in $work/NAME.log.
start() {
  local name=$1
  shift
  : >"$work/$name.log"
  "$@" >>"$work/$name.log" 2>&1 </dev/null &
  pids+=($!)
}

# as USER COMMAND...: as the unit would.
as() {
  local user=$1
  shift
  exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --no-new-privs \
    env -i PATH="$PATH" STATE_DIRECTORY="/var/lib/$user" "$@"
}

# said NAME REGEX: waits until the log of NAME has it; prints its first group.
said() {
  local line deadline=$((SECONDS + 15))
  while ((SECONDS < deadline)); do
    while IFS= read -r line; do
      if [[ $line =~ $2 ]]; then
        printf '%s\n' "${BASH_REMATCH[1]:-}"
        return
      fi
    done <"$work/$1.log"
    sleep 0.05
  done
  fail "$1 did not say $2"
}

install -d -m 700 -o culvert-broker -g culvert-broker /var/lib/culvert-broker
install -d -m 700 -o culvert-agent -g culvert-agent /var/lib/culvert-agent
touch /var/lib/culvert-broker/state /var/lib/culvert-agent/state
mkdir "$work/www"
head -c $((16 << 20)) /dev/urandom >"$work/www/data"
start service python3 -u -m http.server --bind 127.0.0.1 --directory "$work/www" 0
port=$(said service 'port ([0-9]+)')
configure broker.toml 'listen = "127.0.0.1:0"'
start broker as culvert-broker culvert-broker serve --config /etc/culvert/broker.toml
broker=$(said broker '^listening on (.*)')
said broker '^CA fingerprint (.*)' >/dev/null
# As README says, by root: what it makes belongs to the users of the units.
broker_state=(--state-dir /var/lib/culvert-broker)
culvert-broker token create --agent edge-1 "${broker_state[@]}" |
  culvert-agent enroll --broker "$broker" --token-file - --state-dir /var/lib/culvert-agent
culvert-broker token create --user alice "${broker_state[@]}" >"$work/alice.token"
culvert-broker policy allow --user alice --agent 'edge-*' --service tcp \
  --target "127.0.0.1:$port" "${broker_state[@]}"
install -d -m 700 -o nobody -g "$(id -g nobody)" /var/lib/nobody
culvert enroll --broker "$broker" --token-file "$work/alice.token" --state-dir /var/lib/nobody
for file in /var/lib/culvert-agent/identity.pem /var/lib/nobody/identity.pem; do
  [[ $(stat -c '%a %U' "$file") == "600 $(basename "$(dirname "$file")")" ]] ||
    fail "$file is $(stat -c '%a %U' "$file")"
done
configure agent.toml "allow = [\"127.0.0.1:$port\"]"
start agent as culvert-agent culvert-agent run --config /etc/culvert/agent.toml
said agent 'registered as' >/dev/null
# The config of culvert-forward@test.service, which runs as a user that exists only then.
cp /etc/culvert/forward.toml /etc/culvert/forward-test.toml
printf '[[forward]]\nlocal = 0\nagent = "edge-1"\ntarget = %s\n' "$port" >>/etc/culvert/forward-test.toml
start forward as nobody culvert forward --config /etc/culvert/forward-test.toml
address=$(said forward '^forwarding ([^ ]+) -> ')
python3 -c 'import shutil, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(sys.argv[1], timeout=60) as source, open(sys.argv[2], "wb") as sink:
    shutil.copyfileobj(source, sink)' "http://$address/data" "$work/copy"
cmp "$work/www/data" "$work/copy" || fail 'the transfer is not what was sent'
echo "   16 MiB through $address, sha256 $(sha256sum <"$work/copy" | cut -c1-64)"
[[ $(culvert-broker audit --kind open --user alice --json "${broker_state[@]}") == *'"agent":"edge-1"'* ]] ||
  fail 'the tunnel is not in the audit log'
stop_all
rm -rf /var/lib/nobody

echo '4. install again over it: what was configured stays'
dpkg -i "${debs[@]}" >"$work/dpkg.log" 2>&1 </dev/null || fail 'dpkg -i failed the second time'
grep -q '^allow = ' /etc/culvert/agent.toml || fail 'agent.toml was overwritten'

echo '5. remove: config stays, programs go'
dpkg --remove "${packages[@]}" >"$work/dpkg.log" 2>&1 || fail 'dpkg --remove failed'
for program in "${programs[@]}"; do
  [[ ! -e /usr/bin/$program ]] || fail "$program is still there"
done
for file in broker.toml agent.toml forward.toml; do
  [[ -e /etc/culvert/$file ]] || fail "$file is gone before the purge"
done

echo '6. purge: nothing stays'
dpkg --purge "${packages[@]}" >"$work/dpkg.log" 2>&1 || fail 'dpkg --purge failed'
after=$(traces)
[[ $after == "$before" ]] || fail "the purge has left: $(diff <(echo "$before") <(echo "$after"))"
! dpkg-query -W "${packages[@]}" 2>/dev/null | grep . || fail 'dpkg still knows the packages'
echo 'test-deb.sh: installed, used, purged'
