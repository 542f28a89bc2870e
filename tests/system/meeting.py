"""What the tests of culvert rendezvous share: asking for tokens, and coming with them."""

import json
import select

from harness import SystemTest, binary, dial, how_it_ends, read_exactly

# What the broker gives a socket for its token, and the two for each other.
TOKEN_TIME = 5
LIFETIME = 60


def is_silent(stream, seconds):
    """Whether nothing happens to a stream for so long."""
    poller = select.poll()
    poller.register(stream, select.POLLIN)
    return not poller.poll(seconds * 1000)


class Side:
    def __init__(self, line):
        self.role, hexadecimal, address, seconds = line.split()
        self.hex = hexadecimal
        self.token = bytes.fromhex(hexadecimal)
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.seconds = int(seconds)


class RendezvousTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.at = self.broker()
        self.user = self.enrol(self.at, "user", "alice")

    def argv(self, *args, directory=None):
        return [binary("culvert"), "rendezvous", "--broker", self.at.address, "--state-dir",
                self.path(directory or self.user), *args]

    def ask(self, *args):
        """The two sides: consumer, provider."""
        return [Side(line) for line in self.command(*self.argv(*args)).splitlines()]

    def refused(self, *args, code=1, directory=None):
        """The one line that says why."""
        done = self.run_to_end(self.argv(*args, directory=directory))
        self.assertEqual((code, b""), (done.returncode, done.stdout), done)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(1, len(lines), lines)
        return lines[0]

    def come(self, side, early=b""):
        stream = self.enterContext(dial(side.address[1], side.address[0]))
        stream.sendall(side.token + early)
        return stream

    def meet(self, *args):
        """Two streams that are joined."""
        consumer, provider = self.ask(*args)
        streams = self.come(consumer, b"c"), self.come(provider, b"p")
        self.assertEqual(b"p", read_exactly(streams[0], 1))
        self.assertEqual(b"c", read_exactly(streams[1], 1))
        return streams

    def assert_refused(self, side):
        """The broker says nothing to a token that is not good, and closes."""
        with dial(side.address[1], side.address[0]) as stream:
            stream.sendall(side.token)
            self.assertIn(how_it_ends(stream), ("eof", "reset"))

    def audit(self, *args):
        lines = self.admin(self.at, "audit", "--json", *args).splitlines()
        return [json.loads(line) for line in lines]
