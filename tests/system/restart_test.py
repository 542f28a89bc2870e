"""Connections that are made while the broker or the agent is away: held, not lost."""

import time
import unittest

from harness import SystemTest, dial, note, read_exactly


class Restart(SystemTest):
    HELD = 30  # connections, while the program is away and again when it has just come back

    def setUp(self):
        super().setUp()
        self.echo = self.echo_server()
        self.t = self.tunnel(self.echo.port)
        self.assert_echo(self.dial_some(1))

    def dial_some(self, count):
        """Each says its number at once, whether or not somebody is there to hear it."""
        streams = [self.enterContext(dial(self.t.port)) for _ in range(count)]
        for number, stream in enumerate(streams):
            stream.sendall(b"%03d" % number)
        return streams

    def assert_echo(self, streams):
        for number, stream in enumerate(streams):
            self.assertEqual(b"%03d" % number, read_exactly(stream, 3))

    def assert_held(self, kill, start):
        kill()
        held = self.dial_some(self.HELD)
        began = time.monotonic()
        start()
        late = self.dial_some(self.HELD)
        self.assert_echo(held)
        self.assert_echo(late)
        note(f"all {2 * self.HELD} answered {time.monotonic() - began:.1f} s after the restart")

    def test_the_broker_restarts(self):
        # The agent has yet to find it again when the first openings reach it.
        self.assert_held(self.t.broker.kill, lambda: self.broker(listen=self.t.broker.address))

    def test_the_agent_restarts(self):
        self.assert_held(self.t.agent.kill, lambda: self.agent(self.t.broker))


if __name__ == "__main__":
    unittest.main()
