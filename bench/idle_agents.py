#!/usr/bin/python3
"""What agents that are registered and have nothing to do cost a broker, with identities of their
own and mTLS: memory, processor time; and what each of the three programs occupies when it idles.
Prints Markdown tables; bench/README.md says what is measured."""

import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from machine import machine  # noqa: E402
from tunnels import Bench, processor_seconds, resident  # noqa: E402
from harness import PATIENCE, eventually  # noqa: E402

MIB = 1 << 20
PING_AFTER = 5  # seconds: each agent asks for a Pong after that


def written(pid):
    return resident([pid], "Private_Dirty")


class Agents:
    """idle_agents: so many agents in one process."""

    def __init__(self, options, state_dir, port, count):
        self._child = subprocess.Popen(
            [os.path.join(options.build, "bench", "idle_agents"), state_dir, str(port), str(count),
             str(options.at_once)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1)
        self.pid = self._child.pid
        self._answer("ready")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._child.stdin.close()
        self._child.wait(PATIENCE * 4)

    def _answer(self, what):
        words = self._child.stdout.readline().split()
        if words[:1] != [what]:
            raise SystemExit(f"idle_agents: {words} instead of {what}")
        return words[1:]

    def grow(self, count):
        """Seconds until so many were registered."""
        self._child.stdin.write(f"{count}\n")
        return float(self._answer("registered")[1])

    def check(self):
        """All of them have been answered."""
        self._child.stdin.write("silent\n")
        if (silent := self._answer("silent")[0]) != "0":
            raise SystemExit(f"{silent} agents have not been answered for 20 s")


def rest(agents, pid, seconds):
    """Processor seconds of `pid` in a minute in which all of the agents ping."""
    before, began = processor_seconds([pid]), time.monotonic()
    time.sleep(seconds)
    agents.check()
    return (processor_seconds([pid]) - before) * 60 / (time.monotonic() - began)


def left(pid, before):
    """Waits until the connections are gone: what the server occupies then."""
    def descriptors():
        return len(os.listdir(f"/proc/{pid}/fd"))

    if not eventually(lambda: descriptors() <= before, PATIENCE * 4, 0.5):
        raise SystemExit(f"{descriptors()} descriptors, {before} before: connections are left")
    time.sleep(15)  # what is remembered of them for a while
    return written(pid)


def crowd(options, state_dir, pid, port):
    """One server under agents that come, idle and leave."""
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    figures = {"empty": written(pid), "steps": []}
    most = options.agents[-1]
    with Agents(options, state_dir, port, most) as agents:
        for count in options.agents:
            before = processor_seconds([pid])
            seconds = agents.grow(count)
            spent = processor_seconds([pid]) - before
            idle = rest(agents, pid, options.rest if count == most else PING_AFTER * 5)
            figures["steps"].append({"agents": count, "resident": written(pid),
                                     "seconds": seconds, "spent": spent, "idle": idle})
            print(figures["steps"][-1], file=sys.stderr, flush=True)
    figures["left"] = left(pid, descriptors)
    print(f"empty {figures['empty']}, left {figures['left']}", file=sys.stderr, flush=True)
    return figures


def row(name, figures):
    last = figures["steps"][-1]
    each = (last["resident"] - figures["empty"]) / last["agents"] / 1024
    cells = [figures["empty"] / MIB, *(step["resident"] / MIB for step in figures["steps"]),
             figures["left"] / MIB, each]
    cells = [f"{cell:,.1f}" for cell in cells]
    sums = [sum(step[what] for step in figures["steps"]) for what in ("seconds", "spent")]
    cells += [f"{total:,.0f}" for total in sums] + [f"{last['idle']:.1f}"]
    return f"| {name} | " + " | ".join(cells) + " |"


def broker(bench, options):
    process = bench.broker("--log-level", "warning", "--data-port", "0",
                           "--max-connections-per-address", "30000",
                           "--max-streams-per-address", "30000", "--memory-limit", "2GiB")
    state_dir = bench.path(process.directory)
    return crowd(options, state_dir, process.pid, process.address.rpartition(":")[2])


def bare_server(bench, options):
    state_dir = bench.path(bench.broker().directory)
    server = bench.enterContext(
        subprocess.Popen([os.path.join(options.build, "bench", "bare_server"), state_dir],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    bench.addCleanup(server.stdin.close)
    port = server.stdout.readline().split()[1]
    return crowd(options, state_dir, server.pid, port)


def programs(bench):
    """MiB of each program when it has nothing to do: (private, all)"""
    process = bench.broker()
    agent = bench.agent(process)
    forwarder = bench.forwarder(process, forwards=["0:edge-1:9"])
    time.sleep(PING_AFTER)
    return {name: (written(program.pid) / MIB, program.resident() / MIB)
            for name, program in (("broker", process), ("agent", agent), ("forwarder", forwarder))}


def tables(options, servers, alone):
    heads = ["empty", *(f"{count:,} agents" for count in options.agents), "after they left",
             "KiB each", "registered, s", "CPU-s for it", "CPU-s a minute, idle"]
    lines = ["Private memory that was written, MiB", "", "| | " + " | ".join(heads) + " |",
             "|---" * (len(heads) + 1) + "|",
             *(row(name, figures) for name, figures in servers.items()), "",
             "| idle, MiB | private, written | resident |", "|---|---|---|",
             *(f"| {name} | {private:.1f} | {whole:.1f} |"
               for name, (private, whole) in alone.items())]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the build directory, such as build/release")
    parser.add_argument("--agents", default="1000,10000", help="how many, one step after the other "
                        "(1000,10000)")
    parser.add_argument("--at-once", type=int, default=32,
                        help="how many register at the same time (32)")
    parser.add_argument("--rest", type=float, default=60, metavar="SECONDS",
                        help="how long the last step idles (60)")
    parser.add_argument("--bare", action="store_true",
                        help="measure a gRPC server without a broker in it, too")
    parser.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = parser.parse_args()
    options.agents = [int(count) for count in options.agents.split(",")]
    os.environ["CULVERT_BIN_DIR"] = os.path.join(os.path.abspath(options.build), "bin")
    where = machine()
    with Bench() as bench:
        alone = programs(bench)
    servers = {}
    for name, measure in (("broker", broker), ("gRPC alone", bare_server))[:1 + options.bare]:
        with Bench() as bench:
            servers[name] = measure(bench, options)
    print("\n".join(tables(options, servers, alone)))
    print(f"\n{where}.")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": where, "servers": servers, "programs": alone}, file, indent=1)


if __name__ == "__main__":
    main()
