#!/usr/bin/env python3
"""Runs the postinst scripts of the packages with a systemctl that is none, and checks what they ask
of it at the first installation and at an upgrade.

usage: check_postinst.py BIN_DIR SCRIPT_DIR
"""

import os
import pathlib
import subprocess
import sys
import tempfile

# Where /run/systemd/system is there.
ENTER = ["unshare", "--mount", "--map-root-user", "sh", "-c",
         'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"', "sh"]

SYSTEMCTL = """#!/bin/sh
echo "$*" >>LOG
case $1 in
  show) cat PID ;;
  kill) echo AFTER >PID ;;
  list-units) echo 'culvert-forward@a.service loaded active running Culvert forwarder a'
              echo 'culvert-forward@b.service loaded active running Culvert forwarder b' ;;
esac
"""

KILL = "kill --signal SIGUSR2 --kill-whom main "


def run(script, before, after, *args):
    """What systemctl was asked to do, and what was said."""
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        log, pid = folder / "log", folder / "pid"
        log.touch()
        pid.write_text(f"{before}\n")
        fakes = {"systemctl": SYSTEMCTL.replace("LOG", str(log)).replace("PID", str(pid))
                                       .replace("AFTER", str(after)),
                 "systemd-sysusers": "#!/bin/sh\n", "sleep": "#!/bin/sh\n"}
        for name, text in fakes.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        done = subprocess.run([*ENTER, str(script), *args], capture_output=True, text=True,
                              timeout=60, check=False,
                              env=os.environ | {"PATH": f"{directory}:{os.environ['PATH']}"})
        if done.returncode != 0:
            sys.exit(f"{script} {args}: exit code {done.returncode}: {done.stderr}")
        asked = [line for line in log.read_text().splitlines() if not line.startswith("show")]
        return asked, done.stderr


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    scripts = pathlib.Path(sys.argv[2])
    upgrade = ("configure", "1.0")
    units = "list-units --plain --no-legend culvert-forward@*.service"
    kill_both = [KILL + f"culvert-forward@{name}.service" for name in "ab"]
    # Package, main process before and after the signal, arguments; what is asked, what is said.
    cases = [
        (package, 10, 20, ("configure", ""), ["daemon-reload"], "")
        for package in ("culvert-broker", "culvert-agent", "culvert")
    ] + [
        ("culvert-broker", 10, 20, upgrade,
         ["daemon-reload", "try-restart culvert-broker.service"], ""),
        ("culvert-agent", 10, 20, upgrade, ["daemon-reload", KILL + "culvert-agent.service"], ""),
        ("culvert-agent", 0, 0, upgrade, ["daemon-reload"], ""),
        ("culvert-agent", 10, 10, upgrade, ["daemon-reload", KILL + "culvert-agent.service"],
         "culvert-agent.service: the old program goes on; 'journalctl -u culvert-agent.service' "
         "says why\n"),
        ("culvert", 10, 20, upgrade, ["daemon-reload", units, kill_both[0], kill_both[1]],
         "culvert-forward@b.service: the old program goes on; "
         "'journalctl -u culvert-forward@b.service' says why\n"),  # its pid is 20 before, and after
    ]
    mistakes = 0
    for package, before, after, args, asked, said in cases:
        result = run(scripts / package / "postinst", before, after, *args)
        if result != (asked, said):
            print(f"{package} {before} {after} {args}: {result}, not {(asked, said)}")
            mistakes += 1
    if mistakes:
        sys.exit(f"check_postinst.py: {mistakes} mistakes")


if __name__ == "__main__":
    main()
