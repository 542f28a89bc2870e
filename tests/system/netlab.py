"""Networks for the system tests, made of namespaces that have no name: they belong to a process of
the test's, so that nothing of them is left when the test ends, however that is. They need root.

A Host is a network namespace with a loopback. A Link joins two of them: a TUN device at each end
and net_relay (tests/support) in between, which makes the network as bad as it is told to be.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import threading

from harness import PATIENCE, binary, need

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _enter(path):
    """Moves the calling thread, and no other, into the network namespace."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")
    finally:
        os.close(descriptor)


def ends_with_the_test():
    """In front of a command: it is killed when the thread that started it ends, so that not even a
    test that is killed leaves it behind."""
    return [need("setpriv", "util-linux"), "--pdeathsig", "KILL"]


def run(argv, **options):
    """Runs a command of the machine's that must succeed: what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Host:
    """A network namespace. What runs in it is started with `command`; sockets of this process are
    made in it within `entered`."""

    def __init__(self, test, name):
        self.name, self._test = name, test
        if os.geteuid() != 0:
            raise AssertionError("network namespaces are made by root only: run this test as root")
        self._holder = subprocess.Popen(
            [*ends_with_the_test(), need("unshare", "util-linux"), "--net", "sh", "-c",
             "echo made && exec sleep infinity"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        test.addCleanup(self._end)
        if self._holder.stdout.readline() != b"made\n":
            raise AssertionError("no network namespace can be made here: "
                                 + self._holder.stderr.read().decode().strip())
        self.path = f"/proc/{self._holder.pid}/ns/net"
        self.ip("link", "set", "lo", "up")

    def _end(self):
        self._holder.kill()
        self._holder.communicate()

    def command(self, *argv):
        return [need("nsenter", "util-linux"), f"--net={self.path}", "--", *argv]

    def ip(self, *args):
        return run(self.command(need("ip", "iproute2"), *args))

    def nft(self, ruleset):
        run([*self.command(need("nft", "nftables"), "-f", "-")], input=ruleset)

    @contextlib.contextmanager
    def rules(self, *rules):
        """nftables rules, each "input ..." or "output ...", for the time of the block."""
        table = f"t{threading.get_ident()}"
        chains = {hook: [rule.partition(" ")[2] for rule in rules if rule.startswith(hook)]
                  for hook in ("input", "output")}
        self.nft(f"table inet {table} {{\n" + "\n".join(
            f"chain {hook} {{ type filter hook {hook} priority 0; policy accept;\n"
            + "\n".join(lines) + "\n}" for hook, lines in chains.items()) + "\n}\n")
        try:
            yield
        finally:
            self.nft(f"delete table inet {table}\n")

    def destroy_connections(self, port):
        """Ends all connections of the local TCP port, as if both ends had been sent an RST."""
        run(self.command(need("ss", "iproute2"), "-K", "-H", "-n", "-t", "state", "established",
                         f"sport = :{port}"))

    def resetting(self, port):
        """For the time of the block, every packet from or to the local TCP port is answered with an
        RST in place of the other end."""
        # What one rule sends is let through by the other.
        return self.rules(f"input tcp dport {port} tcp flags & rst == 0 reject with tcp reset",
                          f"output tcp sport {port} tcp flags & rst == 0 reject with tcp reset")

    def losing(self, port, hook):
        """For the time of the block, what comes to ("input") or from ("output") the local TCP port
        is lost."""
        return self.rules(f"{hook} tcp {'dport' if hook == 'input' else 'sport'} {port} drop")

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes within the block are in the namespace, and stay there."""
        _enter(self.path)
        try:
            yield
        finally:
            _enter(f"/proc/{os.getpid()}/ns/net")

    def dial(self, port, host="127.0.0.1"):
        with self.entered():
            stream = socket.create_connection((host, port), PATIENCE)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    def listen(self, host="127.0.0.1"):
        with self.entered():
            return socket.create_server((host, 0), backlog=128)


class Link:
    """`near` and `far` on one subnet, 10.78.NUMBER.0/24. Lost packets, delay and the rest are
    of the network: neither host notices but by what arrives. `up`, `down` and `new_address` are
    what the near host sees itself."""

    def __init__(self, test, near, far, number, seed=1):
        self.near, self.far = near, far
        self.device = f"link{number}"
        self.near_address, self.far_address = f"10.78.{number}.2", f"10.78.{number}.1"
        self._next, self._prefix = 3, f"10.78.{number}"
        self._lock = threading.Lock()
        self._relay = test.enterContext(RelayProcess(
            [binary("net_relay"), f"{near.path}:{self.device}", f"{far.path}:{self.device}",
             str(seed)]))
        for host, address in ((near, self.near_address), (far, self.far_address)):
            host.ip("link", "set", self.device, "txqueuelen", "2000", "up")
            host.ip("address", "add", f"{address}/24", "dev", self.device)

    def tell(self, command):
        with self._lock:
            return self._relay.tell(command)

    def set(self, what, value, direction="both"):
        """delay, rate, queue, loss, reorder; a2b is from near to far."""
        if (answer := self.tell(f"{what} {direction} {value}")) != "ok":
            raise AssertionError(f"net_relay: {what} {direction} {value}: {answer}")

    def cut(self, direction="both"):
        self.set("drop", "on", direction)

    def mend(self, direction="both"):
        self.set("drop", "off", direction)

    def down(self):
        self.near.ip("link", "set", self.device, "down")

    def up(self):
        self.near.ip("link", "set", self.device, "up")

    def new_address(self):
        """The near host loses its address, and has another."""
        old, self.near_address = self.near_address, f"{self._prefix}.{self._next}"
        self._next = self._next + 1 if self._next < 250 else 3
        self.near.ip("address", "delete", f"{old}/24", "dev", self.device)
        self.near.ip("address", "add", f"{self.near_address}/24", "dev", self.device)

    def stats(self):
        """(packets, bytes, lost) from near to far, and back."""
        words = self.tell("stats").split()
        return tuple(map(int, words[1:4])), tuple(map(int, words[5:8]))


class RelayProcess:
    """net_relay, with its commands."""

    def __init__(self, argv):
        self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self):
        if self._child.stdout.readline() != "ready\n":
            raise AssertionError("no TUN devices here: " + self._child.stderr.read().strip())
        return self

    def __exit__(self, *unused):
        self._child.communicate()

    def tell(self, command):
        self._child.stdin.write(command + "\n")
        return self._child.stdout.readline().strip()
