#!/usr/bin/env python3
"""Checks the systemd units and the config files of the packages:

- systemd-analyze finds no mistake in a unit, and its exposure is at most 2.0;
- a unit's user is made by its sysusers.d file, or is dynamic;
- the program and command that a unit runs take the config file that the package brings, also with
  every commented setting switched on.

usage: check_units.py BIN_DIR [PACKAGING_DIR]
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MAX_EXPOSURE = 2.0

# Unit, its config file here, and what that file lacks to be used as it is (None: nothing).
UNITS = [
    ("culvert-broker.service", "broker.toml", None),
    ("culvert-agent.service", "agent.toml", "no identity"),
    ("culvert-forward@.service", "forward.toml", "nothing to forward"),
]

mistakes = []


def run(*args):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CULVERT_")}
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False, env=environment)
    return done.returncode, done.stdout.strip()


def check_unit(name, text, bin_dir):
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / name
        # The programs need not be installed.
        file.write_text(re.sub(r"^ExecStart=", f"ExecStart={bin_dir}/", text, flags=re.MULTILINE))
        # Warnings do not make it fail, but it has nothing else to say.
        code, said = run("systemd-analyze", "verify", "--man=no", str(file))
        if code != 0 or said:
            mistakes.append(f"{name}: systemd-analyze verify: {said}")
        _, said = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(file))
        level = re.search(r"Overall exposure level for .*: ([\d.]+)", said)
        if not level:
            mistakes.append(f"{name}: systemd-analyze security: {said[-300:]}")
        elif float(level.group(1)) > MAX_EXPOSURE:
            mistakes.append(f"{name}: exposure {level.group(1)} is more than {MAX_EXPOSURE}")
        else:
            print(f"{name}: exposure {level.group(1)}")


def check_user(name, text, folder):
    user = re.search(r"^User=(.*)", text, re.MULTILINE)
    if not user:
        if "DynamicUser=yes" not in text:
            mistakes.append(f"{name}: runs as root")
        return
    sysusers = folder / f"{pathlib.Path(name).stem}.conf"
    if not re.search(rf"^u {re.escape(user.group(1))} ", sysusers.read_text(), re.MULTILINE):
        mistakes.append(f"{name}: {sysusers.name} does not make {user.group(1)}")


def check_config(name, text, bin_dir, config, lacks):
    program, command, path = re.search(
        r"^ExecStart=(\S+) (\S+) --config (\S+)$", text, re.MULTILINE).groups()
    expected = "/etc/culvert/" + (f"{config.stem}-%i.toml" if "@" in name else config.name)
    if path != expected:
        mistakes.append(f"{name}: reads {path}, not {expected}")

    def check(file):
        return run(f"{bin_dir}/{program}", command, "--config", str(file), "--check-config")

    code, said = check(config)
    if lacks is None and code != 0:
        mistakes.append(f"{config.name}: {said}")
    if lacks is not None and (code != 2 or lacks not in said):
        mistakes.append(f"{config.name}: exit code {code}, not 2 with {lacks!r}: {said}")
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        # "#key = value" is a setting, "# text" is text.
        file.write(re.sub(r"^#(?=[^ \n])", "", config.read_text(), flags=re.MULTILINE))
        file.flush()
        code, said = check(file.name)
    if code != 0:
        mistakes.append(f"{config.name} with every setting switched on: {said}")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    if not shutil.which("systemd-analyze"):
        sys.exit("check_units.py: systemd-analyze not found: install the Debian package systemd")
    here = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent)
    for name, config, lacks in UNITS:
        text = (here / "systemd" / name).read_text()
        check_unit(name, text, sys.argv[1])
        check_user(name, text, here / "systemd")
        check_config(name, text, sys.argv[1], here / "config" / config, lacks)
    for text in mistakes:
        print(text)
    if mistakes:
        sys.exit(f"check_units.py: {len(mistakes)} mistakes")


if __name__ == "__main__":
    main()
