"""kill -9 of each program: applications see a reset, never an end in order, and the tunnel comes
back by itself."""

import contextlib
import re
import socket
import threading
import time
import unittest

from harness import (AGENT, MIB, PATIENCE, RESETS, SystemTest, Task, dial, echo_through,
                     eventually, fate, how_it_ends, is_broken_soon, note, payload, read_all,
                     round_trip)

PROGRAMS = ("broker", "agent", "forwarder")
NO_RESUME = ("--resume-timeout", "0")
BLOCK = payload(256 * 1024)


def write_for_ever(stream):
    """Until it fails: "reset", however the kernel calls it."""
    try:
        while True:
            stream.sendall(BLOCK)
    except RESETS:
        return "reset"


class Reader:
    """Reads to the end and tells when `enough` bytes were there."""

    def __init__(self, enough=4 * MIB):
        self._enough = enough
        self.under_way = threading.Event()

    def __call__(self, stream):
        count = 0
        try:
            while part := stream.recv(len(BLOCK)):
                count += len(part)
                if count >= self._enough:
                    self.under_way.set()
        except RESETS:
            return "reset"
        return f"end in order after {count} bytes"

    def wait(self, test):
        test.assertTrue(self.under_way.wait(PATIENCE), "the transfer did not get going")


class Killed(SystemTest):
    """Each case with each of the three programs, by ends that do not wait for a lost path: that
    they do is tested in chaos_test."""

    def hasty_tunnel(self, target):
        return self.tunnel(target, agent=NO_RESUME, forwarder=NO_RESUME)

    def each_program(self, case):
        for name in PROGRAMS:
            with self.subTest(killed=name):
                case(name)

    def both_ends(self, tunnel, name, client, server):
        """Kills the program; how the two applications hear of it."""
        began = time.monotonic()
        tunnel.programs[name].kill()
        outcome = client.result(), server.result()
        note(f"{name}: both ends knew after {(time.monotonic() - began) * 1000:.0f} ms")
        self.assertEqual(("reset", "reset"), outcome)

    def test_upload(self):
        def case(name):
            reader = Reader()
            server = self.serve(reader)
            tunnel = self.hasty_tunnel(server.port)
            client = Task(write_for_ever, self.enterContext(dial(tunnel.port)))
            reader.wait(self)
            self.both_ends(tunnel, name, client, server)

        self.each_program(case)

    def test_download(self):
        def case(name):
            reader = Reader()
            server = self.serve(write_for_ever)
            tunnel = self.hasty_tunnel(server.port)
            client = Task(reader, self.enterContext(dial(tunnel.port)))
            reader.wait(self)
            self.both_ends(tunnel, name, client, server)

        self.each_program(case)

    def test_download_after_the_client_ended_its_direction(self):
        def case(name):
            reader = Reader()

            def handler(stream):
                self.assertEqual(b"request", read_all(stream))
                return write_for_ever(stream)

            server = self.serve(handler)
            tunnel = self.hasty_tunnel(server.port)
            stream = self.enterContext(dial(tunnel.port))
            stream.sendall(b"request")
            stream.shutdown(socket.SHUT_WR)
            client = Task(reader, stream)
            reader.wait(self)
            self.both_ends(tunnel, name, client, server)

        self.each_program(case)

    def test_upload_after_the_server_ended_its_direction(self):
        def case(name):
            reader = Reader()

            def handler(stream):
                stream.shutdown(socket.SHUT_WR)
                return reader(stream)

            server = self.serve(handler)
            tunnel = self.hasty_tunnel(server.port)
            stream = self.enterContext(dial(tunnel.port))
            self.assertEqual(b"", read_all(stream))
            client = Task(write_for_ever, stream)
            reader.wait(self)
            self.both_ends(tunnel, name, client, server)

        self.each_program(case)

    def test_idle_connection(self):
        def case(name):
            ready = threading.Event()

            def handler(stream):
                stream.sendall(stream.recv(1))
                ready.set()
                return how_it_ends(stream)

            server = self.serve(handler)
            tunnel = self.hasty_tunnel(server.port)
            stream = self.enterContext(dial(tunnel.port))
            round_trip(stream)
            ready.wait(PATIENCE)
            self.both_ends(tunnel, name, Task(how_it_ends, stream), server)

        self.each_program(case)

    def test_readers_that_are_stalled(self):
        """Neither end reads: both are told all the same."""
        def case(name):
            ready = threading.Event()

            def handler(stream):
                stream.sendall(stream.recv(1))
                stream.sendall(BLOCK)
                ready.set()
                return is_broken_soon(stream) and how_it_ends(stream)

            server = self.serve(handler)
            tunnel = self.hasty_tunnel(server.port)
            stream = self.enterContext(dial(tunnel.port))
            round_trip(stream)
            stream.sendall(BLOCK)
            ready.wait(PATIENCE)
            client = Task(lambda: is_broken_soon(stream) and how_it_ends(stream))
            self.both_ends(tunnel, name, client, server)

        self.each_program(case)


class ComesBack(SystemTest):
    def test_broker_that_is_killed_and_started_again(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port)
        self.assertTrue(echo_through(tunnel.port, payload(1000)))
        for _ in range(3):
            start = tunnel.agent.stderr.position()
            tunnel.broker.kill()
            tunnel.agent.stderr.expect("not registered", start=start)
            began = time.monotonic()
            tunnel.broker = self.broker(listen=tunnel.broker.address)
            tunnel.agent.stderr.expect(" registered as ", start=start)
            self.assertTrue(echo_through(tunnel.port, payload(100_000)))
            note(f"new connections {time.monotonic() - began:.2f} s after the broker's start")

    def test_broker_that_is_away_for_a_while(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port)
        start = tunnel.agent.stderr.position()
        tunnel.broker.kill()
        for _ in range(4):  # the agent goes on trying, at growing intervals
            tunnel.agent.stderr.expect("not registered", start=start)
            start = tunnel.agent.stderr.position()
        began = time.monotonic()
        tunnel.broker = self.broker(listen=tunnel.broker.address)
        tunnel.agent.stderr.expect(" registered as ", start=start)
        note(f"registered {time.monotonic() - began:.2f} s after the broker's start")
        self.assertTrue(echo_through(tunnel.port, payload(100_000)))

    def test_opening_ends_in_time_if_the_broker_stays_away(self):
        tunnel = self.tunnel(9, forwarder=["--open-timeout", "2s"])
        tunnel.broker.kill()
        began = time.monotonic()
        self.assertEqual("reset", fate(tunnel.port))
        took = time.monotonic() - began
        self.assertTrue(1.5 < took < 10, took)
        tunnel.forwarder.stderr.expect("ended after .*broker")

    def test_forwarder_says_once_that_its_broker_is_away(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port, forwarder=["--open-timeout", "200ms"])
        stderr = tunnel.forwarder.stderr
        tunnel.broker.kill()
        for _ in range(3):
            self.assertEqual("reset", fate(tunnel.port))
        stderr.expect(" warning no connection can be opened: .*broker")
        start = tunnel.agent.stderr.position()
        self.broker(listen=tunnel.broker.address)
        tunnel.agent.stderr.expect(" registered as ", start=start)

        def carries():
            with contextlib.suppress(*RESETS):
                return echo_through(tunnel.port, payload(1000))
            return False

        self.assertTrue(eventually(carries))
        stderr.expect(" info the broker answers again$")
        self.assertEqual(1, stderr.count("no connection can be opened"))

    def test_openings_wait_for_an_agent_that_is_away_for_a_moment(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port)
        tunnel.agent.kill()
        tunnel.broker.stderr.expect(f"agent projects/default/{AGENT} left")
        began = time.monotonic()
        waiting = [Task(echo_through, tunnel.port, payload(10_000, seed)) for seed in range(10)]
        time.sleep(1)
        self.agent(tunnel.broker)
        for task in waiting:
            self.assertTrue(task.result())
        note(f"10 openings waited and succeeded after {time.monotonic() - began:.2f} s")

    def test_opening_is_refused_if_the_agent_stays_away(self):
        tunnel = self.tunnel(9, forwarder=["--open-timeout", "7s"])
        tunnel.agent.kill()
        tunnel.broker.stderr.expect(f"agent projects/default/{AGENT} left")
        began = time.monotonic()
        self.assertEqual("reset", fate(tunnel.port))
        note(f"given up after {time.monotonic() - began:.2f} s")
        line = tunnel.forwarder.stderr.expect(r"ended after .*agent offline: .*").group()
        self.assertRegex(line, re.escape(AGENT) + r" is offline since \d+\.\d s")

    def test_agent_under_the_same_name_takes_over(self):
        """What a machine does that lost its network and comes back before the broker noticed."""
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port)
        with dial(tunnel.port) as client:
            round_trip(client)
            self.agent(tunnel.broker)
            tunnel.broker.stderr.expect("taken over")
            tunnel.agent.stderr.expect("not registered.*taken over")
            round_trip(client)  # open connections of the old one go on
        tunnel.agent.kill()
        self.assertTrue(echo_through(tunnel.port, payload(10_000)))

    def test_forwarder_that_is_started_again_has_its_port_at_once(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port)
        client = self.enterContext(dial(tunnel.port))
        round_trip(client)
        tunnel.forwarder.kill()
        self.assertEqual("reset", how_it_ends(client))
        self.forwarder(tunnel.broker, forwards=[f"{tunnel.port}:{AGENT}:{echo.port}"])
        self.assertTrue(echo_through(tunnel.port, payload(10_000)))

    def test_connect_whose_broker_is_killed_fails(self):
        server = self.serve(lambda stream: (stream.sendall(b"partial"), how_it_ends(stream))[1])
        tunnel = self.tunnel(server.port)
        client = self.start_piped(self.connect_command(tunnel.broker, *NO_RESUME,
                                                       f"{AGENT}:{server.port}"))
        self.assertEqual(b"partial", client.stdout.read(7))
        tunnel.broker.kill()
        out, err = client.communicate(timeout=PATIENCE)
        self.assertEqual((255, b""), (client.returncode, out))
        self.assertEqual(1, err.count(b"\n"), err)
        self.assertEqual("reset", server.result())


if __name__ == "__main__":
    unittest.main()
