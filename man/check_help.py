#!/usr/bin/env python3
"""Compares what the programs say with what the man pages (scdoc sources) say, both ways:

- each flag of a command's --help, with its letter, argument, default, environment variable and key of
  the config file, is under the page's OPTIONS for that command, and the page has no other;
- each key of a config file, with its default, is in culvert.toml(5), and it has no other;
- the commands of the synopsis are those of the program;
- the examples in culvert.toml(5) pass --check-config, but for the identity that it wants too.

usage: check_help.py BIN_DIR [MAN_DIR]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Program, its page, the heading of its keys in culvert.toml(5), the example file there.
PROGRAMS = [
    ("culvert-broker", "culvert-broker.8.scd", "KEYS OF CULVERT-BROKER", "broker.toml"),
    ("culvert-agent", "culvert-agent.8.scd", "KEYS OF CULVERT-AGENT", "agent.toml"),
    ("culvert", "culvert.1.scd", "KEYS OF CULVERT", "forward.toml"),
]
CONFIG_PAGE = "culvert.toml.5.scd"
SOURCES = ("Default", "Environment", "File")

mistakes = []


def mistake(text):
    mistakes.append(text)


def output(binary, *args):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CULVERT_")}
    done = subprocess.run([binary, *args], capture_output=True, text=True, timeout=30,
                          check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


def commands_in_help(text):
    """"serve", "token create", …"""
    return re.findall(r"^  ([\w-]+(?: \w+)?)  +\S", text.split("commands:\n")[1], re.MULTILINE)


def options_in_help(text):
    """{"--flag": {"names": "-L, --local-forward SPEC ...", "Default": ..., ...}}"""
    options = {}
    current = None
    for line in text.split("options:\n")[1].split("\n\n")[0].splitlines():
        if re.match(r"^  -", line):
            names = line.strip()
            flag = re.search(r"--[\w-]+", names).group()
            current = options[flag] = {"names": names}
            continue
        found = re.match(r"^ +\((.*)\)$", line)
        if found:
            # "default: 30s; environment: CULVERT_GRACE; file: grace"
            for part in re.split("; (?=environment: |file: )", found.group(1)):
                key, value = part.split(": ", 1)
                current[key.capitalize()] = value
    return options


def plain(text):
    """scdoc's markup taken away."""
    text = re.sub(r"(?<![\\\w])[*_](.+?)(?<!\\)[*_](?!\w)", r"\1", text)
    return re.sub(r"\\(.)", r"\1", text)


def sections(page):
    """[(heading, text)] of a page, "#" and "##" alike."""
    parts = re.split(r"^#{1,2} +(.*)\n", page, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


def entries(text):
    """[(head, body)]: a line that begins with "*", and the lines below that begin with a tab."""
    found = []
    for line in text.splitlines():
        if line.startswith("*"):
            found.append([line, ""])
        elif found and line.startswith("\t"):
            found[-1][1] += line.strip() + " "
        elif found and line:
            found.append(["", ""])  # text that belongs to no entry
    return [(head, body) for head, body in found if head]


def sources_in(body):
    return {name: value.replace("\\", "")
            for name, value in re.findall(r"\b(%s): \*(.+?)\*\.(?=\s|$)" % "|".join(SOURCES), body)}


def commands_in_heading(heading):
    """Of "Options of serve, token list and audit" those three."""
    return re.split(r", | and ", heading.removeprefix("Options of "))


def options_in_page(page, command, commands):
    """As options_in_help. A section that names commands is about those only."""
    options = {}
    in_options = False
    for heading, text in sections(page):
        if heading.isupper():
            in_options = heading == "OPTIONS"
        if not in_options:
            continue
        named = [c for c in commands if c in commands_in_heading(heading)]
        if named and command not in named:
            continue
        for head, body in entries(text):
            names = plain(head)
            flag = re.search(r"--[\w-]+", names)
            if flag:
                options[flag.group()] = {"names": names, **sources_in(body)}
    return options


def compare(what, in_help, in_page):
    for flag in sorted(in_help.keys() - in_page.keys()):
        mistake(f"{what}: {flag} is in --help and not in the page")
    for flag in sorted(in_page.keys() - in_help.keys()):
        mistake(f"{what}: {flag} is in the page and not in --help")
    for flag in sorted(in_help.keys() & in_page.keys()):
        for key in ("names", *SOURCES):
            here, there = in_help[flag].get(key), in_page[flag].get(key)
            if here != there:
                mistake(f"{what}: {flag}: {key}: --help has {here!r}, the page {there!r}")


def keys_in_section(page, wanted):
    """{key: default} of a section of culvert.toml(5)."""
    for heading, text in sections(page):
        if heading == wanted:
            return {plain(head).split(" = ")[0]: sources_in(body).get("Default")
                    for head, body in entries(text)}
    mistake(f"{CONFIG_PAGE}: no section {wanted}")
    return {}


def compare_keys(program, options, page, wanted):
    in_page = {**keys_in_section(page, "ALL PROGRAMS"), **keys_in_section(page, wanted)}
    in_help = {o["File"]: o.get("Default") for o in options.values() if "File" in o}
    # Differs between the programs, and is on their pages.
    in_help["state_dir"] = None
    what = f"{CONFIG_PAGE}: {program}"
    for key in sorted(in_help.keys() - in_page.keys()):
        mistake(f"{what}: no key {key}")
    for key in sorted(in_page.keys() - in_help.keys()):
        mistake(f"{what}: {key} is no key of it")
    for key in sorted(in_help.keys() & in_page.keys()):
        if in_help[key] != in_page[key]:
            mistake(f"{what}: {key}: default is {in_help[key]!r}, the page has {in_page[key]!r}")


def check_example(binary, command, page, name):
    found = re.search(r"^%s, for [^`]*?:\n\n```\n(.*?)```" % re.escape(name), page,
                      re.MULTILINE | re.DOTALL)
    if not found:
        mistake(f"{CONFIG_PAGE}: no example of {name}")
        return
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / name
        file.write_text(found.group(1))
        code, _, error = output(binary, command, "--config", str(file), "--state-dir", directory,
                                "--check-config")
    # The last thing that is checked.
    if code != 0 and "no identity in " not in error:
        mistake(f"{CONFIG_PAGE}: the example of {name}: {error.strip()}")


def check_program(bin_dir, man_dir, config_page, program, page_name, wanted, example):
    binary = str(bin_dir / program)
    page = (man_dir / page_name).read_text()
    commands = commands_in_help(output(binary, "--help")[1])
    synopsis = set(re.findall(r"^\*%s ([\w-]+(?: \w+)?)\*" % program, dict(sections(page))["SYNOPSIS"],
                              re.MULTILINE))
    if synopsis != set(commands):
        mistake(f"{page_name}: SYNOPSIS has {sorted(synopsis)}, --help {sorted(commands)}")
    working = [c for c in commands if c not in ("help", "version")]
    everything = {}
    for command in working:
        in_help = options_in_help(output(binary, *command.split(), "--help")[1])
        if not in_help:
            mistake(f"{program} {command} --help tells no options")
        # A flag of the same name may be another one in another command.
        everything.update({(flag, option.get("File")): option for flag, option in in_help.items()})
        compare(f"{program} {command}", in_help, options_in_page(page, command, working))
    compare_keys(program, everything, config_page, wanted)
    check_example(binary, working[0], config_page, example)
    return len(everything)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    bin_dir = pathlib.Path(sys.argv[1])
    man_dir = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent)
    config_page = (man_dir / CONFIG_PAGE).read_text()
    count = sum(check_program(bin_dir, man_dir, config_page, *row) for row in PROGRAMS)
    for text in mistakes:
        print(text)
    if mistakes:
        sys.exit(f"check_help.py: {len(mistakes)} differences between --help and the man pages")
    print(f"check_help.py: {count} options, no difference between --help and the man pages")


if __name__ == "__main__":
    main()
