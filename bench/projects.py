#!/usr/bin/python3
"""What projects cost a broker: how many are made in a second, how long a page of a list takes, and
how soon watches hear of a change, with as many projects as asked for. Prints Markdown tables;
bench/README.md says what is measured."""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from machine import machine  # noqa: E402
from tunnels import Bench, processor_seconds, resident  # noqa: E402

MIB = 1 << 20
ORDERS = ("name", "metadata.create_time desc", "metadata.update_time desc")


def commits_per_second(directory, seconds=2):
    """Of one row each by SQLite alone, beside the broker's store and as durable as it is."""
    path = os.path.join(directory, "reference.db")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
    count, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        database.execute("INSERT INTO t (body) VALUES (?)", (b"x" * 200,))
        count += 1
    database.close()
    return count / (time.monotonic() - begin)


class Projects:
    """A broker, and somebody who may do everything with its projects."""

    def __init__(self, bench, options):
        self.bench = bench
        self.options = options
        self.broker = bench.broker("--data-port", "off")
        self.state = bench.path(bench.enrol(self.broker, "user", "alice"))
        bench.admin(self.broker, "policy", "allow", "--user", "alice", "--role", "projects-admin")

    def ask(self, *words):
        """What the client measured, and the broker's processor seconds meanwhile."""
        before = processor_seconds([self.broker.pid])
        done = subprocess.run(
            [os.path.join(self.options.build, "bench", "projects"), self.broker.address,
             os.path.join(self.state, "identity.pem"), *map(str, words)],
            stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout) | {
            "broker_seconds": processor_seconds([self.broker.pid]) - before}


def table(title, rows):
    print(f"\n{title}\n")
    columns = list(rows[0][1])
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, row in rows:
        print(f"| {name} | " + " | ".join(row.values()) + " |")


def times(measured):
    return {f"{name} ms": f"{measured[key]:.2f}"
            for name, key in (("p50", "p50_ms"), ("p99", "p99_ms"), ("most", "most_ms"))}


def measure(options, bench):
    projects = Projects(bench, options)
    result = {"machine": machine(), "count": options.count}
    result["commits"] = commits_per_second(bench.path(projects.broker.directory))
    result["fill"] = projects.ask("fill", options.count, options.at_once)
    result["resident_mib"] = resident([projects.broker.pid]) / MIB
    store = bench.path(os.path.join(projects.broker.directory, "culvert.db"))
    result["store_mib"] = os.path.getsize(store) / MIB
    result["lists"] = {order: projects.ask("list", order, options.pages) for order in ORDERS}
    result["watches"] = {kind: projects.ask("watch", kind, options.watchers, options.changes)
                         for kind in ("stateless", "stateful")}
    return result


def show(result):
    fill = result["fill"]
    print(f"{result['machine']}; {result['count']:,} projects, {result['store_mib']:,.0f} MiB of "
          f"store, {result['resident_mib']:,.0f} MiB of the broker's memory")
    table("Creating:", [("CreateProject", {
        "a second": f"{fill['per_second']:,.0f}",
        "to one commit a row by SQLite": f"{fill['per_second'] / result['commits']:.2f}",
        **times(fill),
        "broker's processor µs": f"{fill['broker_seconds'] / fill['count'] * 1e6:.0f}"})])
    table("A page of 100:", [
        (f"by {order}", {**times(one),
                         "broker's processor µs":
                             f"{one['broker_seconds'] / one['pages'] * 1e6:.0f}"})
        for order, one in result["lists"].items()])
    table("From the call that changes a project to a watch that hears of it:", [
        (f"{one['watchers']:,} {kind}", {
            **times(one),
            "broker's processor ms a change": f"{one['broker_seconds'] / one['changes'] * 1000:.1f}"})
        for kind, one in result["watches"].items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="the build's directory")
    parser.add_argument("--count", type=int, default=1_000_000, help="projects (1,000,000)")
    parser.add_argument("--at-once", type=int, default=256, help="creations at any time (256)")
    parser.add_argument("--pages", type=int, default=2000, help="pages in each order (2,000)")
    parser.add_argument("--watchers", type=int, default=1000, help="watches at once (1,000)")
    parser.add_argument("--changes", type=int, default=100, help="changes they hear of (100)")
    parser.add_argument("--json", help="a file for the figures")
    options = parser.parse_args()
    os.environ["CULVERT_BIN_DIR"] = os.path.join(options.build, "bin")
    with Bench() as bench:
        result = measure(options, bench)
    show(result)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
