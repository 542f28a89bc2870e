#!/usr/bin/env python3
"""Runs the bash completions in bash, and compares what they offer with --help: every flag of every
command, and no other. usage: check_completions.py BIN_DIR [COMPLETIONS_DIR]"""

import pathlib
import re
import subprocess
import sys
import tempfile

# COMP_WORDS as bash makes them of the line; what is offered for the last one.
SCRIPT = """
source "$1"; shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; }
words=$(complete -p "$1"); words=${words#*-F }
"${words%% *}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
exit 0
"""

mistakes = []


def run(*args):
    return subprocess.run(args, capture_output=True, text=True, timeout=30, check=False)


class Completion:
    def __init__(self, file):
        self.file = file

    def offers(self, *words):
        done = run("bash", "--norc", "-uc", SCRIPT, "bash", str(self.file), *words)
        if done.returncode != 0 or done.stderr:
            mistakes.append(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.split("\n")[:-1]

    def expect(self, words, expected):
        got = set(self.offers(*words))
        if got != set(expected):
            mistakes.append(f"{' '.join(words)!r}: offers {sorted(got)}, not {sorted(expected)}")


def flags_in_help(text):
    """(all flags, those that take a value)"""
    flags, valued = set(), set()
    for line in text.split("options:\n")[1].splitlines():
        if line.startswith("  -"):
            names = re.findall(r"(?<!\S)--?[\w-]+", line)
            flags.update(names)
            if not line.rstrip().endswith(names[-1]):
                valued.update(names)
    return flags, valued


def check_command(completion, binary, command):
    flags, valued = flags_in_help(run(str(binary), command, "--help").stdout)
    name = binary.name
    # bash itself drops what does not begin with what was typed: all of these begin with "-".
    completion.expect([name, command, "-"], flags)
    completion.expect([name, "--log-level", "info", command, "-"], flags)
    completion.expect([name, command, "--check-config", "--state"], ["--state-dir"])
    completion.expect([name, command, "--log-level", "de"], ["debug"])
    completion.expect([name, command, "--log-level", "=", "wa"], ["warning"])
    completion.expect([name, command, "--log-level", "="],
                      ["trace", "debug", "info", "warning", "error", "off"])
    files = valued & {"--config", "--token-file"}
    for flag in valued - files - {"--log-level", "--state-dir"}:
        completion.expect([name, command, flag, ""], [])
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "a file.toml").touch()
        (root / "folder").mkdir()
        inside = [str(root / "a file.toml"), str(root / "folder")]
        for flag in files:
            completion.expect([name, command, flag, f"{root}/"], inside)
        completion.expect([name, command, "--state-dir", f"{root}/"], inside[1:])


def check_program(binary, file):
    text = run(str(binary), "--help").stdout
    commands = set(re.findall(r"^  ([\w-]+) +\S", text.split("commands:\n")[1], re.MULTILINE))
    completion = Completion(file)
    completion.expect([binary.name, ""], commands | {"-h", "--help", "--version"})
    working = commands - {"help", "version"}
    completion.expect([binary.name, "help", ""], working)
    completion.expect([binary.name, "version", ""], [])
    for command in sorted(working):
        completion.expect([binary.name, command[:3]], [command])
        check_command(completion, binary, command)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    here = pathlib.Path(__file__).parent
    files = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else here / "completions"
    for program in ("culvert", "culvert-agent", "culvert-broker"):
        check_program(pathlib.Path(sys.argv[1]) / program, files / program)
    for text in mistakes:
        print(text)
    if mistakes:
        sys.exit(f"check_completions.py: {len(mistakes)} mistakes")
    print("check_completions.py: every flag is offered, and nothing else")


if __name__ == "__main__":
    main()
