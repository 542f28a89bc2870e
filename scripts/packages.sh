# The Debian packages that Culvert needs, and how the scripts install them. To be sourced by bash.

# To build the programs and their man pages.
culvert_build_packages=(
  g++ cmake ninja-build pkg-config scdoc python3
  libabsl-dev libboost-dev libcurl4-openssl-dev libcxxopts-dev libfmt-dev libgrpc++-dev libmbedtls-dev
  libprotobuf-dev libspdlog-dev libsqlite3-dev libsqlitecpp-dev libssl-dev libsystemd-dev
  libtomlplusplus-dev libuv1-dev libyaml-cpp-dev nlohmann-json3-dev libwslay-dev
  protobuf-compiler protobuf-compiler-grpc
)

# To build and run every test, beside those.
culvert_test_packages=(
  catch2 ccache clang-14 clang-format-14 clang-tidy-14 curl libclang-rt-14-dev
  dpkg-dev file git iproute2 man-db netcat-openbsd nftables openssh-client openssh-server
  openssh-sftp-server openssl postgresql postgresql-contrib procps python3-grpc-tools python3-grpcio
  python3-yaml socat systemd python3-websockets
)

# To measure it against other tunnels.
culvert_bench_packages=(openssh-client openssh-server socat)

# Prints those of its arguments that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      printf '%s\n' "$package"
  done
}

# Runs its arguments as root.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "$1 must run as root, and there is no sudo" >&2
    return 1
  fi
}

# Tells packages that bring a daemon (sshd, postgres) not to start it, until this shell ends, however
# that is: the tests run their own. Leaves a file alone that somebody else has put there.
deny_daemons() {
  local file=/usr/sbin/policy-rc.d mark='# by scripts/packages.sh of Culvert, for one installation'
  # One of ours is left only where this was killed.
  ! as_root test -e "$file" || as_root grep -qxF "$mark" "$file" || return 0
  trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | as_root tee "$file" >/dev/null
  as_root chmod 755 "$file"
}

# Installs those of its arguments that are missing. Does not touch apt when none is.
install_packages() (
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  as_root apt-get update || return
  deny_daemons || return
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}"
)
