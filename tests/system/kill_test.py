"""kill -9 of each program. That of an agent or forwarder is a reset at both applications, never an
end in order; that of a broker is waited out; and the tunnel comes back by itself."""

import contextlib
import re
import signal
import socket
import threading
import time
import unittest

from harness import (AGENT, MIB, PATIENCE, RESETS, Process, SystemTest, Task, dial,
                     echo_through, eventually, fate, how_it_ends, is_broken_soon, note, payload,
                     read_all, round_trip)

NO_RESUME = ("--resume-timeout", "0")
BLOCK = payload(256 * 1024)
# The broker takes nobody for gone while it is younger, and waits so long for who has left.
YOUNG = 15.0
RETURN_TIME = 5.0
# Until the far end knows.
BOUND = 8.0


def write_for_ever(stream):
    """Until it fails: "reset", however the kernel calls it. Leaves the machine time for others."""
    try:
        while True:
            stream.sendall(BLOCK)
            time.sleep(0.02)
    except RESETS:
        return "reset"


def terminate(program):
    program.signal(signal.SIGTERM)
    program.wait()


class Reader:
    """Reads to the end and tells how many bytes were there."""

    def __init__(self):
        self._count = 0

    def __call__(self, stream):
        try:
            while part := stream.recv(len(BLOCK)):
                self._count += len(part)
        except RESETS:
            return "reset"
        return f"end in order after {self._count} bytes"

    def wait(self, test, more=2 * MIB):
        enough = self._count + more
        test.assertTrue(eventually(lambda: self._count >= enough), "the transfer does not go on")


class Case:
    """One connection: `handler` runs beside the agent, `client` at the forwarder."""

    def __init__(self, test):
        self.test = test
        self.server = test.serve(self.handler)

    def begin(self, port):
        self.stream = self.test.enterContext(dial(port))
        self.prepare()
        self.task = Task(self.client, self.stream)
        self.goes_on()

    def prepare(self):
        pass


class Upload(Case):
    def __init__(self, test):
        self.reader = Reader()
        super().__init__(test)

    def handler(self, stream):
        return self.reader(stream)

    def client(self, stream):
        return write_for_ever(stream)

    def goes_on(self):
        self.reader.wait(self.test)


class Download(Upload):
    def handler(self, stream):
        return write_for_ever(stream)

    def client(self, stream):
        return self.reader(stream)


class DownloadAfterTheClientEndedItsDirection(Download):
    def prepare(self):
        self.stream.sendall(b"request")
        self.stream.shutdown(socket.SHUT_WR)

    def handler(self, stream):
        self.test.assertEqual(b"request", read_all(stream))
        return write_for_ever(stream)


class UploadAfterTheServerEndedItsDirection(Upload):
    def prepare(self):
        self.test.assertEqual(b"", read_all(self.stream))

    def handler(self, stream):
        stream.shutdown(socket.SHUT_WR)
        return self.reader(stream)


class Idle(Case):
    """Nothing is on its way."""

    def handler(self, stream):
        try:
            while data := stream.recv(1):
                stream.sendall(data)
        except RESETS:
            return "reset"
        return "eof"

    def client(self, stream):
        """Waits for the end without reading, so that others can."""
        return is_broken_soon(stream) and how_it_ends(stream)

    def goes_on(self):
        round_trip(self.stream)


class Stalled(Case):
    """Neither end reads: both are told all the same."""

    def __init__(self, test):
        self.ready = threading.Event()
        super().__init__(test)

    def prepare(self):
        round_trip(self.stream)
        self.stream.sendall(BLOCK)

    def handler(self, stream):
        stream.sendall(stream.recv(1))
        stream.sendall(BLOCK)
        self.ready.set()
        return is_broken_soon(stream) and how_it_ends(stream)

    def client(self, stream):
        return is_broken_soon(stream) and how_it_ends(stream)

    def goes_on(self):
        self.ready.wait(PATIENCE)


CASES = (Upload, Download, DownloadAfterTheClientEndedItsDirection,
         UploadAfterTheServerEndedItsDirection, Idle, Stalled)


class Killed(SystemTest):
    def begin(self, *flags, old=0.0):
        """Connections of all kinds, at a broker that is so old."""
        self.cases = [case(self) for case in CASES]
        began = time.monotonic()
        ports = [case.server.port for case in self.cases]
        tunnel = self.tunnel(*ports, agent=flags, forwarder=flags)
        time.sleep(max(0.0, began + old - time.monotonic()))
        for case, port in zip(self.cases, tunnel.ports):
            case.begin(port)
        return tunnel

    def assert_reset(self, ends, began, bound):
        for case in self.cases:
            with self.subTest(case=type(case).__name__):
                self.assertEqual("reset", ends(case).result())
        took = time.monotonic() - began
        self.assertLess(took, bound)
        return took

    def assert_both_reset(self, program, near, far, end=Process.kill):
        """The applications beside the program hear from its kernel, the others from the broker,
        or from the program if it has the time. Returns how long that took."""
        end(program)
        began = time.monotonic()
        at_once = self.assert_reset(near, began, 2.0)
        later = self.assert_reset(far, began, BOUND)
        note(f"{program.name}: near ends knew after {at_once:.2f} s, far ends after {later:.2f} s")
        return later

    def test_forwarder(self):
        tunnel = self.begin(old=YOUNG + 1)
        later = self.assert_both_reset(tunnel.forwarder, lambda case: case.task,
                                       lambda case: case.server)
        self.assertGreater(later, RETURN_TIME - 0.5)
        tunnel.broker.stderr.expect(r" info \[channel \w+\] the user's program is gone$")

    def test_agent(self):
        tunnel = self.begin(old=YOUNG + 1)
        later = self.assert_both_reset(tunnel.agent, lambda case: case.server,
                                       lambda case: case.task)
        self.assertGreater(later, RETURN_TIME - 0.5)
        tunnel.broker.stderr.expect(r" info \[session \w+\] the agent's program is gone$")

    def test_forwarder_that_ends(self):
        """Its time for what is still open is over."""
        tunnel = self.begin("--grace", "500ms", old=YOUNG + 1)
        later = self.assert_both_reset(tunnel.forwarder, lambda case: case.task,
                                       lambda case: case.server, terminate)
        self.assertLess(later, 2.0)

    def test_agent_that_ends(self):
        tunnel = self.begin("--grace", "500ms", old=YOUNG + 1)
        later = self.assert_both_reset(tunnel.agent, lambda case: case.server,
                                       lambda case: case.task, terminate)
        self.assertLess(later, 2.0)

    def test_broker_that_is_started_again(self):
        tunnel = self.begin()
        tunnel.broker.kill()
        for end in (tunnel.agent, tunnel.forwarder):
            end.stderr.expect("path lost, resuming")
        self.broker(listen=tunnel.broker.address)
        began = time.monotonic()
        for case in self.cases:
            with self.subTest(case=type(case).__name__):
                case.goes_on()
        note(f"all went on {time.monotonic() - began:.2f} s after the broker's start")
        self.assertEqual(0, tunnel.forwarder.stderr.count("ended after"))
        self.assertEqual(0, tunnel.agent.stderr.count("ended after"))

    def test_any_by_ends_that_do_not_wait(self):
        for name in ("broker", "agent", "forwarder"):
            with self.subTest(killed=name):
                tunnel = self.begin(*NO_RESUME)
                began = time.monotonic()
                tunnel.programs[name].kill()
                self.assert_reset(lambda case: case.task, began, BOUND)
                took = self.assert_reset(lambda case: case.server, began, BOUND)
                note(f"{name}: both ends knew after {took * 1000:.0f} ms")


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
