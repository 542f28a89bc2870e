#!/usr/bin/python3
"""Throughput of one connection where round trips are long: straight, and through Culvert on either
path, over the same network. As root: it makes network namespaces. Prints a Markdown table;
bench/README.md says what is measured."""

import argparse
import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from machine import machine  # noqa: E402
from tunnels import bench_of  # noqa: E402
from harness import PATIENCE, Task  # noqa: E402
from netlab import run  # noqa: E402
from networked import NetworkedTest  # noqa: E402

DIRECT = "direct"
# Whose way to the broker is long: the words for it, and which links.
WHERE = {"user": ("the user's way to the broker", ("near",)),
         "both": ("half each", ("near", "far"))}
WAYS = {DIRECT: None, "Culvert": "auto", "Culvert, streams": "stream"}
PATHS = {None: None, "auto": "stitched", "stream": "stream"}


def lane_of(carried):
    class Lane(NetworkedTest):
        carried_by = carried

    return bench_of(Lane)


def make_bad(lane, options, where, rate):
    """The delay, half of it each way, on the links of `where`; the rate on all. A queue has room
    for two round trips, as that of a router."""
    for name, link in lane.links.items():
        link.set("queue", rate * 125 * 2 * options.round_trip // 1024 + 256)
        link.set("rate", rate)
        if name in WHERE[where][1]:
            link.set("delay", options.round_trip / 2 / len(WHERE[where][1]))


def route(lane):
    """The two outer hosts reach each other through the broker's."""
    run(lane.middle.command("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"))
    lane.near.ip("route", "add", "default", "via", lane.near_link.far_address)
    lane.far.ip("route", "add", "default", "via", lane.far_link.far_address)


class Way:
    """A way from the user's host to the traffic server on the agent's."""

    def __init__(self, lane, options, carried):
        self._lane, self._options, self._carried = lane, options, carried
        self._traffic = os.path.join(options.build, "bench", "traffic")
        with lane.on(lane.far):
            server = lane.start([self._traffic, "serve", "0.0.0.0:0"])
        port = int(server.stdout.expect(r"^port (\d+)$")[1])
        if carried is None:
            route(lane)
            self._place = f"{lane.far_link.near_address}:{port}"
        else:
            self._place = str(lane.tunnel(port).port)

    def warm_up(self):
        """A first connection has others parked."""
        self._move("d", 1)

    def measure(self, what):
        """MB a second, of a connection that has had time to find its pace."""
        moving = Task(lambda: self._move(what, self._options.seconds))
        path = self._path_halfway()
        rate = moving.result(self._options.seconds + self._options.warm_up + PATIENCE)
        if path != PATHS[self._carried]:
            raise SystemExit(f"the connection was {path}, not {PATHS[self._carried]}")
        return rate

    def _move(self, what, seconds):
        argv = self._lane.near.command(self._traffic, "move", self._place, what, "1", str(seconds),
                                       str(self._options.warm_up))
        return json.loads(run(argv))["mb_per_second"]

    def _path_halfway(self):
        """What carries the connection while it is measured."""
        if self._carried is None:
            return None
        time.sleep(self._options.warm_up + self._options.seconds / 2)
        listed = self._lane.admin(self._lane.the_broker, "channels", "list", "--json").splitlines()
        return json.loads(listed[-1])["path"] if listed else "not there"


def measure(options, where, rate):
    """{way: {direction: MB/s}}"""
    results = {}
    for name, carried in WAYS.items():
        with lane_of(carried)() as lane:
            way = Way(lane, options, carried)
            make_bad(lane, options, where, rate)
            way.warm_up()
            results[name] = {what: way.measure(what) for what in "du"}
            print(f"{where}, {rate} Mbit/s, {name}: {results[name]}", file=sys.stderr, flush=True)
    return results


def table(options, results):
    """Medians over the rounds; in brackets, the median of each round's ratio to the direct way."""
    lines = ["| round trip of | Mbit/s | | download MB/s | upload MB/s |", "|---|---|---|---|---|"]
    for (where, rate), rounds in results.items():
        for name in WAYS:
            cells = []
            for what in "du":
                value = statistics.median(one[name][what] for one in rounds)
                ratio = statistics.median(one[name][what] / one[DIRECT][what] for one in rounds)
                cells.append(f"{value:.1f} ({ratio:.2f})")
            lines.append(f"| {WHERE[where][0]} | {rate} | {name} | " + " | ".join(cells) + " |")
    return lines


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the build directory, such as build/release")
    parser.add_argument("--round-trip", type=int, default=50, metavar="MS",
                        help="between the user's host and the agent's (50)")
    parser.add_argument("--where", default=",".join(WHERE), help="whose way to the broker is long, "
                        f"separated by commas: {', '.join(WHERE)} (all)")
    parser.add_argument("--rates", default="100,400", metavar="MBIT",
                        help="of the network, separated by commas (100,400)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (5)")
    parser.add_argument("--warm-up", type=float, default=3, metavar="SECONDS",
                        help="before it, in which windows grow (3)")
    parser.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = parser.parse_args()
    options.where = options.where.split(",")
    options.rates = [int(rate) for rate in options.rates.split(",")]
    if unknown := set(options.where) - set(WHERE):
        parser.error(f"--where: {', '.join(unknown)}: there are {', '.join(WHERE)}")
    return options


def main():
    options = parse()
    os.environ["CULVERT_BIN_DIR"] = os.path.join(os.path.abspath(options.build), "bin")
    place = machine()
    results = {(where, rate): [] for where in options.where for rate in options.rates}
    for _ in range(options.rounds):
        for (where, rate), rounds in results.items():
            rounds.append(measure(options, where, rate))
    print("\n".join(table(options, results)))
    print(f"\n{options.round_trip} ms; medians of {options.rounds} rounds; {place}.")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": place, "rounds": [
                {"where": where, "rate": rate, "ways": rounds}
                for (where, rate), rounds in results.items()]}, file, indent=1)


if __name__ == "__main__":
    main()
