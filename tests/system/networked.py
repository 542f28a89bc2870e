"""The three programs on three hosts of their own, with networks between them that can be broken:
the forwarder's host and the agent's each have a link to the broker's."""

import contextlib
import os
import random
import re
import resource
import signal
import time
import types

from harness import AGENT, PATIENCE, SystemTest, need, note
from netlab import Host, Link, ends_with_the_test


class NetworkedTest(SystemTest):
    """`near` is the user's host, `middle` the broker's, `far` the agent's and its targets'."""

    def setUp(self):
        # Before what other classes set up: they may want to start something on a host.
        self._host = None
        self.near, self.middle, self.far = (Host(self, name) for name in ("near", "middle", "far"))
        self.near_link = Link(self, self.near, self.middle, 1)
        self.far_link = Link(self, self.far, self.middle, 2, seed=2)
        self.links = {"near": self.near_link, "far": self.far_link}
        super().setUp()

    @contextlib.contextmanager
    def on(self, host):
        """What the block starts runs on that host."""
        before, self._host = self._host, host
        try:
            yield
        finally:
            self._host = before

    def _placed(self, argv, account):
        if self._host is None:
            return argv
        if "user" in account:  # entering a host takes root
            argv = [need("setpriv", "util-linux"), f"--reuid={account['user']}",
                    f"--regid={account['group']}", "--clear-groups", *argv]
        return [*ends_with_the_test(), *self._host.command(*argv)]

    def _account(self, options):
        names = ("user", "group", "extra_groups") if self._host else ()
        return {name: options.pop(name) for name in names if name in options}

    def start(self, argv, **options):
        account = self._account(options)
        options.setdefault("name", os.path.basename(argv[0]))
        return super().start(self._placed(argv, account), **options)

    def run_to_end(self, argv, *args, **options):
        account = self._account(options)
        return super().run_to_end(self._placed(argv, account), *args, **options)

    # --- the programs ---

    def start_broker(self, *args, port=0):
        """The state is the same each time. The last one started is `self.the_broker`."""
        with self.on(self.middle):
            self.the_broker = self.broker(*args, listen=f"0.0.0.0:{port}")
        self.broker_args = args
        self.broker_port = int(self.the_broker.address.rpartition(":")[2])
        return self.the_broker

    def restart_broker(self):
        return self.start_broker(*self.broker_args, port=self.broker_port)

    def seen_over(self, link):
        """The broker as a program at the near end of the link dials it."""
        return types.SimpleNamespace(address=f"{link.far_address}:{self.broker_port}",
                                     directory=self.the_broker.directory)

    def tunnel(self, *targets, broker=(), agent=(), forwarder=()):
        tunnel = types.SimpleNamespace(broker=self.start_broker(*broker))
        with self.on(self.far):
            tunnel.agent = self.agent(self.seen_over(self.far_link), *agent)
        with self.on(self.near):
            forwards = [f"0:{AGENT}:{target}" for target in targets]
            tunnel.forwarder = self.forwarder(self.seen_over(self.near_link), *forwarder,
                                              forwards=forwards)
        tunnel.ports = tunnel.forwarder.ports
        tunnel.port = tunnel.ports[0] if targets else None
        self.programs = {"agent": tunnel.agent, "forwarder": tunnel.forwarder}
        return tunnel

    def program(self, name):
        return self.the_broker if name == "broker" else self.programs[name]

    def connection(self, port, listener):
        """(client, server) of a new connection through the tunnel to a listener on the far host."""
        client = self.enterContext(self.near.dial(port))
        listener.settimeout(PATIENCE)
        server = self.enterContext(listener.accept()[0])
        for stream in (client, server):
            stream.settimeout(None)
        return client, server

    def count_logged(self, pattern):
        return {name: program.stderr.count(pattern) for name, program in self.programs.items()}


class Faults:
    """Faults of a NetworkedTest's, drawn from a seed: `draw` gives the next one, to be called with
    no arguments. A call returns when the fault is over."""

    KINDS = ("cut", "blackhole", "lost packets", "reset", "new address", "link down", "broker killed",
             "program stopped", "descriptors used up")

    def __init__(self, test, seed, longest, kinds=KINDS):
        self.seed = seed
        self._test, self._random, self._longest = test, random.Random(seed), longest
        self._kinds, self._left = kinds, []
        if unknown := set(kinds) - set(self.KINDS):
            raise AssertionError(f"no faults of the kind {unknown}: there are {self.KINDS}")
        print(f"  CULVERT_CHAOS_SEED={seed}", flush=True)

    def draw(self):
        """(what it is, the fault)"""
        if not self._left:  # every kind in each round
            self._left = list(self._kinds)
            self._random.shuffle(self._left)
        kind = self._left.pop()
        method = getattr(self, "_" + kind.replace(" ", "_"))
        return method()

    def _seconds(self):
        """From 0.1 to the longest; a second is as likely to be below 1 as above it is to be."""
        return round(0.1 * (self._longest / 0.1) ** self._random.random(), 2)

    def _link(self):
        name = self._random.choice(sorted(self._test.links))
        return name, self._test.links[name]

    def _cut(self):
        (name, link), seconds = self._link(), self._seconds()

        def fault():
            link.cut()
            time.sleep(seconds)
            link.mend()

        return f"{name} link cut for {seconds} s", fault

    def _blackhole(self):
        (name, link), seconds = self._link(), self._seconds()
        direction = self._random.choice(("a2b", "b2a"))

        def fault():
            link.cut(direction)
            time.sleep(seconds)
            link.mend(direction)

        words = "to" if direction == "a2b" else "from"
        return f"{name} link loses what goes {words} the broker for {seconds} s", fault

    def _lost_packets(self):
        hook, seconds = self._random.choice(("input", "output")), self._seconds()

        def fault():
            with self._test.middle.losing(self._test.broker_port, hook):
                time.sleep(seconds)

        return f"the broker's {hook} is lost for {seconds} s", fault

    def _reset(self):
        seconds = round(self._random.uniform(0.1, 1), 2)

        def fault():
            with self._test.middle.resetting(self._test.broker_port):
                time.sleep(seconds)

        return f"connections are reset for {seconds} s", fault

    def _new_address(self):
        name, link = self._link()
        return f"new address of the {name} host", link.new_address

    def _link_down(self):
        (name, link), seconds = self._link(), self._seconds()

        def fault():
            link.down()
            time.sleep(seconds)
            link.up()

        return f"{name} link down for {seconds} s", fault

    def _broker_killed(self):
        seconds = round(min(self._seconds(), 5), 2)

        def fault():
            self._test.the_broker.kill()
            time.sleep(seconds)
            self._test.restart_broker()

        return f"broker killed, started again after {seconds} s", fault

    def _program_stopped(self):
        name = self._random.choice(("broker", "agent", "forwarder"))
        seconds = min(self._seconds(), 25)

        def fault():
            program = self._test.program(name)
            program.signal(signal.SIGSTOP)
            time.sleep(seconds)
            program.signal(signal.SIGCONT)

        return f"{name} stopped for {seconds} s", fault

    def _descriptors_used_up(self):
        """Just when new connections are needed."""
        name = self._random.choice(("broker", "agent", "forwarder"))
        # The broker takes who closed and is away for more than 5 s for gone.
        seconds = min(self._seconds(), 10 if name == "broker" else 3)

        def fault():
            program = self._test.program(name)
            before = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(program.pid, resource.RLIMIT_NOFILE,
                             (program.descriptors(), before[1]))
            self._test.middle.destroy_connections(self._test.broker_port)
            time.sleep(seconds)
            resource.prlimit(program.pid, resource.RLIMIT_NOFILE, before)

        return f"no descriptors for {name} for {seconds} s, and connections reset", fault


def setting(name, default):
    """A number of the environment: what CI does, unless scripts/chaos.sh says otherwise."""
    return type(default)(os.environ.get(f"CULVERT_CHAOS_{name}") or default)


def chosen_faults(test, longest):
    seed = os.environ.get("CULVERT_CHAOS_SEED") or random.SystemRandom().randrange(1_000_000)
    kinds = os.environ.get("CULVERT_CHAOS_KINDS")
    return Faults(test, int(seed), longest, tuple(kinds.split(",")) if kinds else Faults.KINDS)


def chosen_path():
    """What carries connections in a test (SystemTest.carried_by): what users have, unless
    scripts/chaos.sh says otherwise."""
    path = os.environ.get("CULVERT_CHAOS_PATH") or None
    if path not in (None, "auto", "stream"):
        raise SystemExit(f"CULVERT_CHAOS_PATH={path}: expected auto or stream")
    return path


def report_resumes(test):
    """What the programs said of their resumes."""
    seconds = []
    for program in test.programs.values():
        for line in list(program.stderr.lines):
            if match := re.search(r"resumed after ([0-9.]+) (ms|s)\b", line):
                seconds.append(float(match[1]) / (1000 if match[2] == "ms" else 1))
    if seconds:
        seconds.sort()
        note(f"{len(seconds)} resumes, half within {seconds[len(seconds) // 2]:.2f} s, "
             f"the longest {seconds[-1]:.1f} s")
