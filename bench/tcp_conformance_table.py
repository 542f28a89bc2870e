#!/usr/bin/python3
"""Runs tcp-conformance against Culvert (identities, encryption, through a broker), ssh -L and socat,
all on loopback, and prints a Markdown table.

  tcp_conformance_table.py build/release
  tcp_conformance_table.py build/release start Culvert     for tcp-conformance --start
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from tunnels import Bench, start_ssh  # noqa: E402
from harness import AGENT, HOST, binary, need, reserved_port  # noqa: E402

# A killed program is not started again here: this is how long its channels wait for it.
RESUME_TIMEOUT = "3s"


def start_culvert(bench, target):
    helped = bench.run_to_end([binary("culvert"), "forward", "--help"]).stdout
    waits = ["--resume-timeout", RESUME_TIMEOUT] if b"--resume-timeout" in helped else []
    broker = bench.broker()
    agent = bench.agent(broker, *waits)
    forwarder = bench.forwarder(broker, *waits, forwards=[f"0:{AGENT}:{target}"])
    return forwarder.ports[0], {"broker": broker, "agent": agent, "forwarder": forwarder}


def start_culvert_streams(bench, target):
    bench.env["CULVERT_PATH"] = "stream"
    return start_culvert(bench, target)


def start_ssh_forward(bench, target):
    server, client, (port,) = start_ssh(bench, target)
    return port, {"client": client, "server": server}


def start_socat(bench, target):
    port = bench.enterContext(reserved_port())
    process = bench.start([need("socat", "socat"), "-d", "-d", f"TCP-LISTEN:{port},bind={HOST},"
                           "reuseaddr,fork,nodelay", f"TCP:{HOST}:{target},nodelay"])
    process.stderr.expect("listening on")
    return port, {"relay": process}


WAYS = {"Culvert": start_culvert, "Culvert, streams": start_culvert_streams,
        "ssh -L": start_ssh_forward, "socat": start_socat}


def start(way):
    """What --start of tcp-conformance wants."""
    target = int(os.environ["CONFORMANCE_BACKEND"].rpartition(":")[2])
    with Bench() as bench:
        port, programs = WAYS[way](bench, target)
        for name, process in programs.items():
            print(f"program {name} {process.pid}")
        print(f"listen {HOST}:{port}", flush=True)
        sys.stdin.read()


def measure(build, way):
    again = shlex.join([os.path.realpath(__file__), build, "start", way])
    done = subprocess.run([os.path.join(HERE, "tcp-conformance"), "--json", "--start", again],
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"tcp-conformance failed against {way}")
    return {row["name"]: row for row in json.loads(done.stdout)["rows"]}


def either(text, word):
    return re.sub(r"\bthe (client|server)\b", word, text)


def grouped(rows):
    """{title: [row]}: what both ends do is one row of the table, and so are all kills."""
    groups = {}
    for name, row in rows.items():
        title = either(name, "either end")
        if " killed while " in name:
            title = "any of its programs killed in mid-transfer"
        groups.setdefault(title, []).append(row)
    return groups


def cell(rows):
    """Of the first that differs."""
    bad = [row["detail"] for row in rows if not row["as_tcp"]]
    if not bad:
        return "yes"
    return either(bad[0], "the other end") if len(rows) > 1 else bad[0]


def table(results):
    groups = {way: grouped(rows) for way, rows in results.items()}
    lines = ["| as TCP does | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    lines += [f"| {title} | " + " | ".join(cell(groups[way][title]) for way in results) + " |"
              for title in groups["Culvert"]]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the build directory, such as build/release")
    parser.add_argument("start", nargs="*", metavar="start WAY", help=", ".join(WAYS))
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    os.environ["CULVERT_BIN_DIR"] = os.path.join(build, "bin")
    if options.start:
        if len(options.start) != 2 or options.start[0] != "start" or options.start[1] not in WAYS:
            parser.error("start takes one of " + ", ".join(WAYS))
        start(options.start[1])
        return
    results = {}
    for way in WAYS:
        results[way] = measure(build, way)
        for name, row in results[way].items():
            print(f"{way}: {'as TCP' if row['as_tcp'] else 'DIFFERS'}: {name} {row['detail']}",
                  file=sys.stderr, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
