# hand_over UNIT: a new process takes the place of the one that runs, which keeps the connections
# that are open: an upgrade must not cut the one that it is made over. A program that does not work
# changes nothing.
hand_over() {
  before=$(systemctl show --property MainPID --value "$1") || return 0
  [ "${before:-0}" != 0 ] || return 0
  systemctl kill --signal SIGUSR2 --kill-whom main "$1" || return 0
  # Longer than the new process may take, and than a restart.
  for _ in $(seq 35); do
    sleep 1
    now=$(systemctl show --property MainPID --value "$1") || return 0
    if [ "${now:-0}" != 0 ] && [ "$now" != "$before" ]; then return 0; fi
  done
  echo "$1: the old program goes on; 'journalctl -u $1' says why" >&2
}
