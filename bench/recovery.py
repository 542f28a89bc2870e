#!/usr/bin/python3
"""How soon bytes go on after a network was away or the broker was killed. As root: it makes network
namespaces. Prints a Markdown table; bench/README.md says what is measured.

  recovery.py build/release              the network away, the broker killed
  recovery.py build/release --drain      the broker restarted in order, under load
"""

import argparse
import json
import math
import os
import random
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from machine import machine  # noqa: E402
from tunnels import bench_of  # noqa: E402
from harness import PATIENCE  # noqa: E402
from networked import NetworkedTest  # noqa: E402

INTERVAL = 0.005  # between the messages of a Ticker
GIVE_UP = 90.0  # seconds after which a connection counts as not recovered


class Ticker:
    """A connection whose two ends each send a few bytes every INTERVAL, and note what arrives."""

    def __init__(self, client, server):
        self._changed = threading.Condition()
        self._streams = (client, server)
        self.arrivals = [[], []]  # at the client, at the server: when something came
        self.ended = None
        for end, stream in enumerate(self._streams):
            for work in (self._send, self._receive):
                threading.Thread(target=work, args=(end, stream), daemon=True).start()

    def _end(self, why):
        with self._changed:
            self.ended = self.ended or why
            self._changed.notify_all()

    def _send(self, _, stream):
        try:
            while not self.ended:
                stream.sendall(b"tick")
                time.sleep(INTERVAL)
        except OSError as error:
            self._end(f"cannot send: {error}")

    def _receive(self, end, stream):
        try:
            while stream.recv(65536):
                with self._changed:
                    self.arrivals[end].append(time.monotonic())
                    self._changed.notify_all()
            self._end("end of file")
        except OSError as error:
            self._end(f"cannot receive: {error}")

    def first_after(self, moment, limit=GIVE_UP):
        """When the first byte after `moment` was there at both applications; None if never."""
        def all_have():
            return self.ended or all(times and times[-1] > moment for times in self.arrivals)

        with self._changed:
            self._changed.wait_for(all_have, limit)
            if self.ended or not all_have():
                return None
            return max(next(at for at in times if at > moment) for times in self.arrivals)

    def longest_pause(self, since):
        """Seconds without an arrival, the longer of the two directions."""
        longest = 0.0
        for times in self.arrivals:
            late = [at for at in times if at >= since] or [time.monotonic()]
            longest = max([longest, late[0] - since, *(b - a for a, b in zip(late, late[1:]))])
        return longest

    def forget(self):
        with self._changed:
            self.arrivals = [times[-1:] for times in self.arrivals]

    def close(self):
        self._end("closed")
        for stream in self._streams:
            stream.close()


Lane = bench_of(NetworkedTest)


class Tunnel:
    """A lane with its programs and connections, made anew when a trial has left it broken."""

    def __init__(self, connections):
        self._count = connections

    def __enter__(self):
        self.lane = Lane().__enter__()
        listener = self.lane.enterContext(self.lane.far.listen())
        port = self.lane.tunnel(listener.getsockname()[1]).port
        self.tickers = [Ticker(*self.lane.connection(port, listener))
                        for _ in range(self._count)]
        began = time.monotonic()
        for ticker in self.tickers:
            ticker.first_after(began)
        return self

    def __exit__(self, *unused):
        for ticker in self.tickers:
            ticker.close()
        self.lane.__exit__(*unused)

    def forget(self):
        for ticker in self.tickers:
            ticker.forget()


# --- what is done to a lane; each returns the moment from which the time is taken ---

def network_cut(lane, side, seconds):
    """Packets are lost both ways; no machine is told."""
    lane.links[side].cut()
    time.sleep(seconds)
    lane.links[side].mend()
    return time.monotonic()


def one_way(direction):
    """Packets are lost one way only."""
    def lose(lane, side, seconds):
        lane.links[side].cut(direction)
        time.sleep(seconds)
        lane.links[side].mend(direction)
        return time.monotonic()

    return lose


def link_down(lane, side, seconds):
    """The interface of the forwarder's or the agent's machine goes down, and up again."""
    lane.links[side].down()
    time.sleep(seconds)
    lane.links[side].up()
    return time.monotonic()


def new_address(lane, side, _):
    lane.links[side].new_address()
    return time.monotonic()


def broker_killed(lane, _, seconds):
    lane.the_broker.kill()
    time.sleep(seconds)
    start = threading.Thread(target=accepting, args=(lane, moments := []))
    start.start()
    lane.restart_broker()
    start.join()
    return moments[0]


def accepting(lane, moments):
    """Waits until the broker's port accepts."""
    deadline = time.monotonic() + PATIENCE
    with lane.middle.entered():
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", lane.broker_port), 1).close()
            except OSError:
                time.sleep(0.001)
            else:
                break
    moments.append(time.monotonic())


KINDS = {"network cut": network_cut, "nothing to the broker": one_way("a2b"),
         "nothing from the broker": one_way("b2a"), "link down": link_down,
         "new address": new_address, "broker killed": broker_killed}


def away(source, longest):
    """1 to `longest` seconds; twice as long is half as likely, so that it ends some day."""
    return math.exp(source.uniform(0, math.log(longest)))


class Trials:
    """Hands the trials of one kind out to the lanes and keeps what they took."""

    def __init__(self, kind, options):
        source = random.Random(f"{options.seed} {kind}")
        self._waiting = [(("near", "far")[number % 2],
                          0 if kind == "new address" else away(source, options.longest))
                         for number in range(options.trials)]
        self._kind, self._lock = kind, threading.Lock()
        self.seconds, self.failed, self.away = [], [], []

    def _next(self):
        with self._lock:
            return self._waiting.pop() if self._waiting else None

    def _keep(self, side, gone, took, why):
        with self._lock:
            self.away.append(gone)
            if took is None:
                self.failed.append(why)
            else:
                self.seconds.append(took)
            print(f"{self._kind}, {side}, {gone:.1f} s away: "
                  + (why if took is None else f"{took * 1000:.0f} ms"), file=sys.stderr,
                  flush=True)

    def run_lane(self):
        trial = self._next()
        while trial:
            with Tunnel(1) as tunnel:
                ticker = tunnel.tickers[0]
                while trial and not ticker.ended:
                    back = KINDS[self._kind](tunnel.lane, *trial)
                    first = ticker.first_after(back)
                    self._keep(*trial, None if first is None else first - back,
                               ticker.ended or f"nothing for {GIVE_UP:.0f} s")
                    if first is None:
                        trial = self._next()
                        break
                    time.sleep(3)  # a path that is lost right after it came is not tried at once
                    ticker.forget()
                    trial = self._next()

    def run(self, lanes):
        threads = [threading.Thread(target=self.run_lane) for _ in range(lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def rank(values, share):
    """The nearest rank: a value that was measured."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else math.nan


def recovery(options):
    lines = ["| | trials | away, s | p50 ms | p99 ms | longest ms | not recovered |",
             "|---|---|---|---|---|---|---|"]
    results = {}
    for kind in options.kinds.split(","):
        trials = Trials(kind, options)
        trials.run(options.lanes)
        gone = f"{min(trials.away):.0f} to {max(trials.away):.0f}" if any(trials.away) else "–"
        figures = [rank(trials.seconds, share) * 1000 for share in (0.5, 0.99, 1)]
        lines.append(f"| {kind} | {len(trials.away)} | {gone} | "
                     + " | ".join(f"{figure:,.0f}" for figure in figures)
                     + f" | {len(trials.failed)} |")
        results[kind] = {"seconds": trials.seconds, "away": trials.away, "failed": trials.failed}
    return lines, results


def drain(options):
    """SIGTERM, and a new process when the old one has ended, as systemctl restart does."""
    pauses, lost = [], 0
    with Tunnel(options.connections) as tunnel:
        lane = tunnel.lane
        for number in range(options.restarts):
            tunnel.forget()
            began = time.monotonic()
            lane.the_broker.signal(signal.SIGTERM)
            lane.the_broker.wait(PATIENCE * 3)
            ended = time.monotonic()
            lane.restart_broker()
            back = time.monotonic()
            round_pauses = []
            for ticker in tunnel.tickers:
                if ticker.first_after(back) is not None:
                    round_pauses.append(ticker.longest_pause(began))
            print(f"restart {number + 1} of {options.restarts}: the old one took "
                  f"{ended - began:.2f} s to end, pauses "
                  f"{rank(round_pauses, 0.5) * 1000:.0f} to {rank(round_pauses, 1) * 1000:.0f} ms",
                  file=sys.stderr, flush=True)
            pauses += round_pauses
            time.sleep(3)
        lost = sum(ticker.ended is not None for ticker in tunnel.tickers)
    figures = " | ".join(f"{rank(pauses, share) * 1000:,.0f}" for share in (0.5, 0.99, 1))
    return ["| | connections | lost | p50 ms | p99 ms | longest ms |", "|---|---|---|---|---|---|",
            f"| {options.restarts} restarts of the broker | {options.connections} | {lost} | "
            f"{figures} |"], {"pauses": pauses, "lost": lost}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the build directory, such as build/release")
    parser.add_argument("--trials", type=int, default=100, help="of each kind (100)")
    parser.add_argument("--lanes", type=int, default=4,
                        help="how many tunnels, on hosts of their own, at the same time (4)")
    parser.add_argument("--longest", type=float, default=30, metavar="SECONDS",
                        help="how long network or broker are away at most (30)")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which kinds, separated by commas "
                        f"({','.join(KINDS)})")
    parser.add_argument("--path", choices=("auto", "stream"),
                        help="what carries the connection (what users have without --path)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drain", action="store_true", help="restart the broker in order instead")
    parser.add_argument("--restarts", type=int, default=20, help="with --drain (20)")
    parser.add_argument("--connections", type=int, default=8, help="with --drain (8)")
    parser.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = parser.parse_args()
    if unknown := set(options.kinds.split(",")) - set(KINDS):
        parser.error(f"--kinds: {', '.join(unknown)}: there are {', '.join(KINDS)}")
    os.environ["CULVERT_BIN_DIR"] = os.path.join(os.path.abspath(options.build), "bin")
    Lane.carried_by = options.path
    where = machine()
    lines, results = drain(options) if options.drain else recovery(options)
    print("\n".join(lines))
    print(f"\n{where}; {1 if options.drain else options.lanes} tunnels at a time; "
          f"path: {options.path or 'as users have it'}.")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": where, "path": options.path, "results": results}, file)


if __name__ == "__main__":
    main()
