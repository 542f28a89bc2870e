"""Many connections: a thousand at once, two thousand in one burst, twenty thousand in sequence.
Nothing is lost, and nothing is left over."""

import socket
import time
import unittest

from harness import (MIB, SystemTest, Task, dial, eventually, note, payload, read_exactly,
                     sanitized)

# Descriptors: gRPC's own come and go, and each of four splice loops of the broker keeps a pipe.
SLACK = 3 + 4 * 2


class ManyTest(SystemTest):
    def start_tunnel(self):
        self.echo = self.echo_server()
        self.t = self.tunnel(self.echo.port)
        self.short_connection(0)  # what is made once is made now
        self.t.forwarder.stderr.expect("ended after")

    def short_connection(self, number):
        data = b"connection %d" % number
        with dial(self.t.port) as stream:
            stream.sendall(data)
            self.assertEqual(data, read_exactly(stream, len(data)))
            stream.shutdown(socket.SHUT_WR)
            self.assertEqual(b"", stream.recv(1))

    def assert_descriptors_are_back(self, base):
        back = eventually(lambda: all(abs(count - base[name]) <= SLACK
                                      for name, count in self.t.descriptors().items()))
        note(f"descriptors before {base}, after {self.t.descriptors()}")
        self.assertTrue(back)

    def end_all(self, streams):
        for stream in streams:
            stream.shutdown(socket.SHUT_WR)
        for stream in streams:
            self.assertEqual(b"", stream.recv(1))
            stream.close()

    def assert_all_ended(self, count):
        """Each program has a line for the end of each connection, and none for a bad one."""
        for name, program in self.t.programs.items():
            # The broker's lines are of paths, and a connection may end while it moves to another.
            if name == "broker" and self.carried_by != "stream":
                continue
            pattern = r"ended after .*: closed$"
            eventually(lambda: program.stderr.count(pattern) >= count)
            self.assertEqual(count, program.stderr.count(pattern), name)
            self.assertEqual(count, program.stderr.count("ended after"), name)


class AtOnce(ManyTest):
    COUNT = 1000

    def test_a_thousand_connections_each_echo(self):
        self.start_tunnel()
        base = self.t.descriptors()
        began = time.monotonic()
        streams = [self.enterContext(dial(self.t.port)) for _ in range(self.COUNT)]
        texts = [payload(700 + index, 1000 + index) for index in range(self.COUNT)]
        for stream, text in zip(streams, texts):
            stream.sendall(text)
        for stream, text in zip(streams, texts):
            self.assertEqual(text, read_exactly(stream, len(text)))
        note(f"1000 opened and echoed in {time.monotonic() - began:.1f} s")
        self.assertEqual(self.COUNT, self.echo.open)
        note(f"memory with 1000 open: {megabytes(self.t.resident())}, "
             f"descriptors {self.t.descriptors()}")

        # All of them are still there, and none has another's bytes.
        for stream, text in zip(streams, reversed(texts)):
            stream.sendall(text)
        for stream, text in zip(streams, reversed(texts)):
            self.assertEqual(text, read_exactly(stream, len(text)))

        self.end_all(streams)
        self.assert_descriptors_are_back(base)
        self.assertTrue(eventually(lambda: self.echo.open == 0))
        self.assert_all_ended(self.COUNT + 1)


class AtOnceOnStreams(AtOnce):
    carried_by = "stream"


class Burst(ManyTest):
    COUNT = 2000  # more than the broker lets one address have under way

    def test_a_burst_waits_its_turn_and_loses_none(self):
        self.start_tunnel()
        base = self.t.descriptors()
        began = time.monotonic()
        # The kernel takes them all before the forwarder has opened the first.
        streams = [self.enterContext(dial(self.t.port)) for _ in range(self.COUNT)]
        for number, stream in enumerate(streams):
            stream.sendall(b"%05d" % number)
        for number, stream in enumerate(streams):
            self.assertEqual(b"%05d" % number, read_exactly(stream, 5))
        note(f"{self.COUNT} in one burst in {time.monotonic() - began:.1f} s")
        self.end_all(streams)
        self.assert_descriptors_are_back(base)
        self.assert_all_ended(self.COUNT + 1)


class OneAfterTheOther(ManyTest):
    COUNT, THREADS = 20_000, 4
    # The first connections fill pools, tables and tombstones; growth is measured after them.
    WARM_UP = 4_000
    GROWTH = 4 * MIB

    def open_and_close(self, first, last):
        def some(start):
            for number in range(start, last, self.THREADS):
                self.short_connection(number)

        tasks = [Task(some, first + index) for index in range(self.THREADS)]
        for task in tasks:
            task.result(timeout=300)

    def test_twenty_thousand_short_connections(self):
        self.start_tunnel()
        base = self.t.descriptors()
        total = self.WARM_UP + 1000 if sanitized() else self.COUNT
        began = time.monotonic()
        self.open_and_close(0, self.WARM_UP)
        early = self.t.resident()
        self.open_and_close(self.WARM_UP, total)
        took = time.monotonic() - began
        note(f"{total} connections in {took:.1f} s: {total / took:.0f} a second")
        self.assert_descriptors_are_back(base)
        late = self.t.resident()
        note(f"memory after {self.WARM_UP}: {megabytes(early)}; after {total}: {megabytes(late)}")
        self.assert_all_ended(total + 1)
        self.assertTrue(eventually(lambda: self.echo.open == 0))
        if sanitized():
            note("built with AddressSanitizer: 5000 connections, growth not judged")
            return
        for name, before in early.items():
            self.assertLess(late[name] - before, self.GROWTH, name)


def megabytes(sizes):
    return ", ".join(f"{name} {size / MIB:.1f} MiB" for name, size in sizes.items())


if __name__ == "__main__":
    unittest.main()
