#!/usr/bin/python3
"""What a new connection costs: straight, through ssh -L, and through Culvert without and with
encryption. Prints a table; bench/README.md says what its columns are."""

import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from tunnels import Bench, processor_seconds, start_ssh  # noqa: E402
from harness import AGENT, Process  # noqa: E402


class Secure(Bench):
    secure = True


class Insecure(Bench):
    secure = False


def dial(program, port, count, at_once):
    done = subprocess.run([program, "dial", str(port), str(count), str(at_once)],
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise SystemExit(f"connections dial: {done.stderr}")
    return json.loads(done.stdout)


class Tunnelled:
    """A port that leads to the server for a whole round."""

    def __init__(self, port, pids):
        self.port, self.pids = port, pids

    def measure(self, options):
        dial(options.program, self.port, 20, 1)  # the connection to the broker, the first handshake
        began = processor_seconds(self.pids)
        one = dial(options.program, self.port, options.count, 1)
        many = dial(options.program, self.port, options.count * 2, options.at_once)
        spent = processor_seconds(self.pids) - began
        return {"in sequence /s": one["per_second"], "p50 µs": one["p50_us"],
                "p99 µs": one["p99_us"], "at once /s": many["per_second"],
                "processor µs": spent / (options.count * 3) * 1e6}


class First:
    """Forwarders that have just been started: what their first connection takes."""

    def __init__(self, bench, broker, target):
        self.bench, self.broker, self.target = bench, broker, target

    def measure(self, options):
        setups = []
        for _ in range(options.first):
            forwarder = self.bench.forwarder(self.broker, forwards=[f"0:{AGENT}:{self.target}"])
            setups.append(dial(options.program, forwarder.ports[0], 1, 1)["p50_us"])
            forwarder.kill()
        setups.sort()
        return {"p50 µs": statistics.median(setups), "p99 µs": setups[-1]}


def start_ssh_forward(bench, target):
    server, client, (port,) = start_ssh(bench, target)
    return Tunnelled(port, [server.pid, client.pid])


def start_culvert(bench, target):
    """(with a forwarder that stays, first connections)"""
    broker = bench.broker("--log-level", "warning")
    agent = bench.agent(broker)
    forwarder = bench.forwarder(broker, "-q", forwards=[f"0:{AGENT}:{target}"])
    return (Tunnelled(forwarder.ports[0], [broker.pid, agent.pid, forwarder.pid]),
            First(bench, broker, target))


def table(rounds):
    """Medians over the rounds; in brackets, the median of each round's ratio to ssh -L."""
    columns = ["in sequence /s", "p50 µs", "p99 µs", "at once /s", "processor µs"]
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in rounds[0]:
        cells = []
        for column in columns:
            values = [one[name].get(column) for one in rounds]
            if None in values:
                cells.append("–")
                continue
            cell = f"{statistics.median(values):,.0f}"
            base = [one["ssh -L"][column] for one in rounds]
            if all(base):
                ratio = statistics.median(a / b for a, b in zip(values, base))
                cell += f" ({ratio:.2f})"
            cells.append(cell)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="the build directory, such as build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=1000, help="connections one after the other; "
                        "twice as many are opened at once")
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--first", type=int, default=10, help="fresh forwarders in a round")
    options = parser.parse_args()
    options.program = os.path.join(options.build, "bench", "connections")
    os.environ["CULVERT_BIN_DIR"] = os.path.join(os.path.abspath(options.build), "bin")

    with (Process([options.program, "serve"]) as server, Insecure() as plain_bench,
          Secure() as secure_bench):
        target = int(server.stdout.expect(r"^port (\d+)$")[1])
        plain, plain_first = start_culvert(plain_bench, target)
        secure, secure_first = start_culvert(secure_bench, target)
        variants = {"direct": Tunnelled(target, [server.pid]),
                    "ssh -L": start_ssh_forward(plain_bench, target),
                    "Culvert, --insecure": plain,
                    "Culvert": secure,
                    "Culvert, --insecure, first of a forwarder": plain_first,
                    "Culvert, first of a forwarder": secure_first}
        rounds = []
        for number in range(options.rounds):
            load = os.getloadavg()[0]
            rounds.append({name: one.measure(options) for name, one in variants.items()})
            print(f"round {number + 1} of {options.rounds}, load before it {load:.1f}",
                  file=sys.stderr, flush=True)
    print(table(rounds))


if __name__ == "__main__":
    main()
