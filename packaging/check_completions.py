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


# Values that a completion knows, by flag; of other flags it knows none.
WORDS = {
    "--log-level": ["trace", "debug", "info", "warning", "error", "off"],
    "--kind": ["enrol", "renew", "login", "register", "unregister", "open", "resume", "deny", "fail",
               "close", "policy", "token", "revoke", "kill", "rendezvous", "project", "gone",
               "admin"],
    "--e2e": ["required", "off"],
    "--path": ["auto", "stream"],
    "-o": ["table", "wide", "json", "yaml", "name"],
    "--output": ["table", "wide", "json", "yaml", "name"],
    "--permission": ["connect", "listen", "accept", "get", "batchGet", "list", "watch", "create",
                     "update", "delete"],
}
FILES = {"-f", "--filename", "--config", "--audit-log", "--ca-cert", "--ca-file", "--in", "--jwks",
         "--jwt-file", "--out", "--public-key", "--token-file"}
FOLDERS = {"--state-dir"}


def check_values(completion, words, valued):
    for flag in valued & WORDS.keys():
        completion.expect([*words, flag, ""], WORDS[flag])
    for flag in valued - WORDS.keys() - FILES - FOLDERS:
        completion.expect([*words, flag, ""], [])
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "a file.toml").touch()
        (root / "folder").mkdir()
        inside = [str(root / "a file.toml"), str(root / "folder")]
        for flag in valued & FILES:
            completion.expect([*words, flag, f"{root}/"], inside)
        for flag in valued & FOLDERS:
            completion.expect([*words, flag, f"{root}/"], inside[1:])


def check_command(completion, binary, command):
    words = [binary.name, *command.split()]
    flags, valued = flags_in_help(run(str(binary), *command.split(), "--help").stdout)
    # bash itself drops what does not begin with what was typed: all of these begin with "-".
    completion.expect([*words, "-"], flags)
    completion.expect([binary.name, "--log-level", "info", *command.split(), "-"], flags)
    if "--grace" in flags:
        completion.expect([*words, "--check-config", "--gr"], ["--grace"])
    completion.expect([*words, "--log-level", "de"], ["debug"])
    completion.expect([*words, "--log-level", "=", "wa"], ["warning"])
    completion.expect([*words, "--log-level", "="], WORDS["--log-level"])
    check_values(completion, words, valued)


def check_program(binary, file):
    text = run(str(binary), "--help").stdout
    commands = re.findall(r"^  ([\w-]+(?: \w+)?)  +\S", text.split("commands:\n")[1], re.MULTILINE)
    first = {command.split()[0] for command in commands}
    completion = Completion(file)
    completion.expect([binary.name, ""], first | {"-h", "--help", "--version"})
    completion.expect([binary.name, "help", ""], first - {"help", "version"})
    completion.expect([binary.name, "version", ""], [])
    for word in sorted(first):
        second = {c.split()[1] for c in commands if c.startswith(word + " ")}
        if second:
            completion.expect([binary.name, word, ""], second | {"-h", "--help", "--version"})
    for command in commands:
        if command in ("help", "version"):
            continue
        *before, last = command.split()
        beside = {c.split()[len(before)] for c in commands if c.split()[:len(before)] == before}
        completion.expect([binary.name, *before, last[:3]],
                          [word for word in beside if word.startswith(last[:3])])
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
