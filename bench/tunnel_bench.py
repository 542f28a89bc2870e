#!/usr/bin/python3
"""What a tunnel costs: throughput, processor time, round trips, new connections, memory; straight,
through socat, ssh -L and Culvert, in turns. scripts/bench.sh runs it; bench/README.md says what is
measured and how to add another tunnel."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from tunnels import Bench, processor_seconds, resident, start_ssh  # noqa: E402
from harness import AGENT, HOST, Process, eventually, need, reserved_port  # noqa: E402
from machine import machine  # noqa: E402

GIB = 1 << 30
BASE = "ssh -L"  # what the ratios are against
NAMED = ("broker", "agent", "forwarder")  # whose memory is told by itself


class Secure(Bench):
    secure = True


class Insecure(Bench):
    secure = False


class Tunnel:
    """Two local ports, which lead to the traffic server and to the server of connections. Programs
    are given by name."""

    def __init__(self, ports, programs):
        self.traffic, self.connections = ports
        self.programs = {name: program.pid for name, program in programs.items()}
        self.pids = list(self.programs.values())


# --- the ways; to add one, write a function that starts it and put it into WAYS ---


def direct(_, targets):
    return Tunnel(targets, {})


def socat(bench, targets):
    """One process, and a child for each connection, on one hop: the least that a relay can be."""
    ports = [bench.enterContext(reserved_port()) for _ in targets]
    programs = [bench.start([need("socat", "socat"), "-b", "262144",
                             f"TCP-LISTEN:{port},bind={HOST},reuseaddr,fork,nodelay,backlog=4096",
                             f"TCP:{HOST}:{target},nodelay"])
                for port, target in zip(ports, targets)]
    for port in ports:
        eventually(lambda port=port: is_listening(port))
    return Tunnel(ports, dict(enumerate(programs)))


def is_listening(port):
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(f":{port:04X} " in line and " 0A " in line for line in table)


def ssh(bench, targets):
    server, client, ports = start_ssh(bench, *targets)
    return Tunnel(ports, {"server": server, "client": client})


def culvert(bench, targets):
    """On stitched connections, for there are some parked by the time that it is measured."""
    return start_culvert(bench, targets, "--data-port", "0")


def culvert_streams(bench, targets):
    """On gRPC streams alone, as where the data port cannot be reached."""
    return start_culvert(bench, targets, "--data-port", "off")


def start_culvert(bench, targets, *broker_flags):
    broker = bench.broker("--log-level", "warning", *broker_flags)
    agent = bench.agent(broker)
    forwarder = bench.forwarder(broker, "-q",
                                forwards=[f"0:{AGENT}:{target}" for target in targets])
    return Tunnel(forwarder.ports, {"broker": broker, "agent": agent, "forwarder": forwarder})


WAYS = {"direct": (Insecure, direct), "socat, one hop": (Insecure, socat),
        BASE: (Insecure, ssh), "Culvert, `--insecure`": (Insecure, culvert),
        "Culvert, streams, `--insecure`": (Insecure, culvert_streams),
        "Culvert": (Secure, culvert), "Culvert, streams": (Secure, culvert_streams)}


# --- what is measured of each ---


class Measure:
    def __init__(self, options):
        self._traffic = os.path.join(options.build, "bench", "traffic")
        self._connections = os.path.join(options.build, "bench", "connections")
        self._options = options

    def _run(self, *argv):
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                              timeout=600, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, argv))}: {done.stderr}")
        return json.loads(done.stdout)

    def warm_up(self, tunnel):
        """What only the first connections cost: the handshake with the other end, and parked
        connections, of which Culvert keeps more the more are used."""
        if not tunnel.pids:
            return
        for at_once in (1, 8, 32):
            self._run(self._connections, "dial", tunnel.connections, 64, at_once)
            time.sleep(0.2)

    def move(self, tunnel, what, connections):
        before = processor_seconds(tunnel.pids)
        moved = self._run(self._traffic, "move", tunnel.traffic, what, connections,
                          self._options.seconds)
        spent = processor_seconds(tunnel.pids) - before
        self.await_rest(tunnel)
        return {"MB/s": moved["mb_per_second"], "CPU-s/GiB": spent / (moved["total"] / GIB)}

    @staticmethod
    def await_rest(tunnel):
        """What was under way when the bytes were counted goes on to its end, for seconds where
        many connections hold much, and is no part of what is measured next."""
        for _ in range(50):
            before = processor_seconds(tunnel.pids)
            time.sleep(0.2)
            if processor_seconds(tunnel.pids) - before <= 0.02:
                return

    def ping_pong(self, tunnel, beside):
        trips = self._run(self._traffic, "pingpong", tunnel.traffic, self._options.seconds, beside)
        return {"p50 µs": trips["p50_us"], "p99 µs": trips["p99_us"], "p99.9 µs": trips["p999_us"]}

    def dial(self, tunnel, count, at_once):
        return {"/s": self._run(self._connections, "dial", tunnel.connections, count,
                                at_once)["per_second"]}

    def hold(self, tunnel, count):
        """Memory of connections that say nothing."""
        if not tunnel.pids:
            return {}
        before = self._occupied(tunnel)
        with subprocess.Popen([self._traffic, "hold", str(tunnel.traffic), str(count)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            if holder.stdout.readline() != b"holding %d\n" % count:
                raise SystemExit("traffic hold: it cannot")
            grown = {name: (now - before[name]) / count / 1024
                     for name, now in self._occupied(tunnel).items()}
            holder.stdin.close()
        return {"KiB each": sum(grown.values()),
                **{f"{name}, KiB each": size for name, size in grown.items() if name in NAMED}}

    @staticmethod
    def _occupied(tunnel):
        return {name: resident([pid]) for name, pid in tunnel.programs.items()}

    def all_of(self, tunnel):
        options = self._options
        results = {}
        self.warm_up(tunnel)
        rows = {}
        for connections in (1, 8, 64):
            for what, name in (("d", "down"), ("u", "up"), ("b", "both")):
                if options.quick and (connections == 64 or what == "b"):
                    continue
                rows[f"{name}, {connections}"] = (self.move, what, connections)
        rows["1 byte"] = (self.ping_pong, 0)
        rows["1 byte beside 8"] = (self.ping_pong, 8)
        rows["new, in sequence"] = (self.dial, options.count, 1)
        rows["new, 32 at once"] = (self.dial, options.count * 2, 32)
        rows["idle"] = (self.hold, options.idle)
        for name, (measure_row, *arguments) in rows.items():
            if not options.rows or name in options.rows:
                results[name] = measure_row(tunnel, *arguments)
        return results


# --- the tables ---


def median_of(rounds, way, name, figure):
    values = [one[way][name][figure] for one in rounds if figure in one[way].get(name, {})]
    return statistics.median(values) if values else None


def ratio_of(rounds, way, name, figure):
    """The median of each round's ratio to BASE."""
    pairs = [(one[way].get(name, {}).get(figure), one.get(BASE, {}).get(name, {}).get(figure))
             for one in rounds]
    ratios = [value / base for value, base in pairs if value and base]
    return statistics.median(ratios) if ratios else None


def cell(rounds, way, name, figure):
    value = median_of(rounds, way, name, figure)
    if value is None:
        return "–"
    text = f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    ratio = ratio_of(rounds, way, name, figure)
    return text if ratio is None else f"{text} ({ratio:.2f})"


def table(rounds, figures):
    """A line for each way, a column for each (heading, name, figure)."""
    lines = ["| | " + " | ".join(heading for heading, _, _ in figures) + " |",
             "|---" * (len(figures) + 1) + "|"]
    for way in rounds[0]:
        cells = [cell(rounds, way, name, figure) for _, name, figure in figures]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return lines


def tables(rounds, names):
    moves = [name for name in names if "," in name and not name.startswith("new")]
    lines = ["### Throughput, MB/s", ""]
    lines += table(rounds, [(name, name, "MB/s") for name in moves])
    lines += ["", "### Processor time of the tunnel's programs, CPU-s per GiB", ""]
    lines += table(rounds, [(name, name, "CPU-s/GiB") for name in moves])
    lines += ["", "### A byte there and back, µs", ""]
    lines += table(rounds, [(f"{words} {figure.split()[0]}", name, figure)
                            for name, words in (("1 byte", "alone"),
                                                ("1 byte beside 8", "beside 8 downloads"))
                            for figure in ("p50 µs", "p99 µs", "p99.9 µs")])
    lines += ["", "### New connections a second, and memory of one that says nothing", ""]
    lines += table(rounds, [("in sequence", "new, in sequence", "/s"),
                            ("32 at once", "new, 32 at once", "/s"),
                            ("KiB each", "idle", "KiB each"),
                            *((f"of it {name}", "idle", f"{name}, KiB each") for name in NAMED)])
    return lines


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the build directory, such as build/release")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and rows")
    parser.add_argument("--rounds", type=int, help="5, with --quick 2")
    parser.add_argument("--seconds", type=float, help="of each measurement: 3, with --quick 1")
    parser.add_argument("--count", type=int, help="new connections: 1,000, with --quick 300")
    parser.add_argument("--idle", type=int, default=500, help="connections that say nothing (500)")
    parser.add_argument("--ways", help="which, separated by semicolons: " + "; ".join(WAYS))
    parser.add_argument("--rows", help="which, separated by semicolons: down, 1; new, 32 at once; "
                        "idle; …")
    parser.add_argument("--json", metavar="FILE", help="write every single figure there")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    options.count = options.count or (300 if options.quick else 1000)
    options.rows = options.rows.split(";") if options.rows else []
    options.ways = options.ways.split(";") if options.ways else list(WAYS)
    if unknown := set(options.ways) - set(WAYS):
        parser.error(f"--ways: {', '.join(unknown)}: there are {'; '.join(WAYS)}")
    return options


def measure(options):
    measures = Measure(options)
    rounds = []
    with (Process([os.path.join(options.build, "bench", "traffic"), "serve"]) as traffic,
          Process([os.path.join(options.build, "bench", "connections"), "serve"]) as connections):
        targets = [int(server.stdout.expect(r"^port (\d+)$")[1])
                   for server in (traffic, connections)]
        # In every round all ways are started anew, so that none carries what it did before, and
        # each has the machine to itself.
        for number in range(options.rounds):
            results = {}
            for way in options.ways:
                bench_class, start = WAYS[way]
                with bench_class() as bench:
                    tunnel = start(bench, targets)
                    results[way] = measures.all_of(tunnel)
            rounds.append(results)
            print(f"round {number + 1} of {options.rounds}, load {os.getloadavg()[0]:.1f}",
                  file=sys.stderr, flush=True)
    return rounds


def main():
    options = parse()
    os.environ["CULVERT_BIN_DIR"] = os.path.join(os.path.abspath(options.build), "bin")
    where = machine()
    rounds = measure(options)
    names = [name for name in rounds[0][options.ways[0]] if name != "idle"]
    if BASE in options.ways:
        print(f"Medians of {options.rounds} rounds; in brackets the median of each round's ratio "
              f"to `{BASE}`. {where}.\n")
    print("\n".join(tables(rounds, names)))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": where, "rounds": rounds}, file, indent=1)


if __name__ == "__main__":
    main()
