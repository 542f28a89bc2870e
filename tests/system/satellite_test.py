"""Where a round trip takes 600 ms, on both sides of the broker, nothing is taken for dead that is not;
and what is dead is found all the same."""

import time
import unittest

from harness import note, read_exactly
from networked import NetworkedTest

ONE_WAY = 300  # ms
EXCHANGES = 6
QUIET = 8.0  # seconds: longer than the interval of pings
CUT = 4.0
RECOVERY = 30.0


class Satellite(NetworkedTest):
    def test_slow_connection_is_kept_and_dead_one_is_not(self):
        for link in self.links.values():
            link.set("delay", ONE_WAY)
        listener = self.enterContext(self.far.listen())
        tunnel = self.tunnel(listener.getsockname()[1], forwarder=("--open-timeout", "60s"))
        client = self.enterContext(self.near.dial(tunnel.port))
        listener.settimeout(60)
        server = self.enterContext(listener.accept()[0])
        for stream in (client, server):
            stream.settimeout(RECOVERY)
        for _ in range(EXCHANGES):
            self.exchange(client, server)
        time.sleep(QUIET)
        self.exchange(client, server)
        for words in ("lost the connection", "path lost"):
            self.assertEqual({"agent": 0, "forwarder": 0}, self.count_logged(words), words)

        self.near_link.cut()
        time.sleep(CUT)
        self.near_link.mend()
        began = time.monotonic()
        self.exchange(client, server)
        note(f"answered {time.monotonic() - began:.1f} s after a cut of {CUT:.0f} s")

    def exchange(self, client, server):
        for sender, receiver in ((client, server), (server, client)):
            sender.sendall(b"x" * 1000)
            self.assertEqual(b"x" * 1000, read_exactly(receiver, 1000))


if __name__ == "__main__":
    unittest.main()
