"""Connections that are made while the broker or the agent is away: held, not lost. And those that
are there when the broker is restarted in order, as `systemctl restart` does."""

import signal
import time
import unittest

from harness import PATIENCE, SystemTest, Task, dial, eventually, note, payload, read_exactly


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


class RollingRestart(SystemTest):
    SIZE = 64 << 20
    AT = (8 << 20, 24 << 20, 40 << 20)  # received, when the broker is told to end
    IDLE = 50
    QUICK = 5.0  # s; the grace is 30

    def setUp(self):
        super().setUp()
        self.echo = self.echo_server()
        self.t = self.tunnel(self.echo.port)
        self.now = self.t.broker

    def restart(self):
        """How long the old process took to end, in seconds."""
        began = time.monotonic()
        self.now.signal(signal.SIGTERM)
        self.assertEqual(0, self.now.wait(PATIENCE))
        took = time.monotonic() - began
        self.now = self.broker(listen=self.now.address)
        return took

    def transfer(self, stream, received):
        """What came back, held at each of AT until the broker has been told."""
        parts = []
        for mark in (*self.AT, self.SIZE):
            parts.append(read_exactly(stream, mark - sum(map(len, parts))))
            received.append(mark)
            eventually(lambda: self.started >= min(len(received), len(self.AT)))
        return b"".join(parts)

    def test_a_transfer_each_way_is_exact(self):
        content = payload(self.SIZE)
        self.started, received = 0, []
        with dial(self.t.port, timeout=PATIENCE * 3) as stream:
            sending = Task(stream.sendall, content)
            receiving = Task(self.transfer, stream, received)
            for number, _ in enumerate(self.AT, 1):
                eventually(lambda wanted=number: len(received) >= wanted)
                self.started = number
                took = self.restart()
                note(f"restart {number}: the old broker took {took * 1000:.0f} ms to end")
                self.assertLess(took, self.QUICK)
            sending.result(PATIENCE * 3)
            self.assertTrue(content == receiving.result(PATIENCE * 3), "other bytes came back")
        resumed = self.t.forwarder.stderr.count("resumed after")
        self.assertGreaterEqual(resumed, len(self.AT))

    def test_many_connections_do_not_hold_it_up(self):
        streams = [self.enterContext(dial(self.t.port)) for _ in range(self.IDLE)]
        for number, stream in enumerate(streams):
            stream.sendall(b"%03d" % number)
            self.assertEqual(b"%03d" % number, read_exactly(stream, 3))
        took = self.restart()
        note(f"with {self.IDLE} connections the old broker took {took * 1000:.0f} ms to end")
        self.assertLess(took, self.QUICK)
        for number, stream in enumerate(streams):
            stream.sendall(b"%03d" % number)
        for number, stream in enumerate(streams):
            self.assertEqual(b"%03d" % number, read_exactly(stream, 3))


if __name__ == "__main__":
    unittest.main()
