"""Readers that stop: memory stays bounded, neighbours stay fast, and nothing is lost."""

import hashlib
import threading
import time
import unittest

from harness import (MIB, PATIENCE, SystemTest, Task, dial, echo_through, eventually, note,
                     payload, read_exactly, round_trip, sanitized, write_until_blocked)

STALLED = 16
BOUND = 8 * MIB  # for each stalled connection, over the three programs together

# What every writer writes, again and again from a place of its own.
PATTERN = payload(4 * MIB, 31)


def source_from(shift):
    def source(offset):
        at = (shift + offset) % len(PATTERN)
        return PATTERN[at:at + 256 * 1024]
    return source


def expected(shift, size):
    digest, offset, source = hashlib.sha256(), 0, source_from(shift)
    while offset < size:
        part = source(offset)[:size - offset]
        digest.update(part)
        offset += len(part)
    return digest.digest()


def digest_of(stream, size):
    digest = hashlib.sha256()
    while size > 0:
        part = stream.recv(min(size, 256 * 1024))
        if not part:
            raise AssertionError(f"the stream ended {size} bytes early")
        digest.update(part)
        size -= len(part)
    return digest.digest()


class Writers:
    """Connections whose writers have written as much as is taken."""

    def __init__(self, streams):
        self.streams = streams
        tasks = [Task(write_until_blocked, stream, source_from(index * 1000), 3.0)
                 for index, stream in enumerate(streams)]
        self.sent = [task.result(120) for task in tasks]


class Backpressure(SystemTest):
    def setUp(self):
        super().setUp()
        self.echo = self.echo_server()
        self.readers = []
        self.accepted = threading.Semaphore(0)
        self.release = threading.Event()
        self.addCleanup(self.release.set)

    def start_tunnel(self, handler):
        """A server whose connections are kept, with the handler's own bytes, until the release."""
        self.server = self.serve(handler)
        self.t = self.tunnel(self.server.port, self.echo.port)
        self.port, self.echo_port = self.t.ports
        # What is made once is made now.
        self.assertTrue(echo_through(self.echo_port, payload(8 * MIB)))
        with dial(self.echo_port) as stream:
            self.before_rtt = max(round_trip(stream) for _ in range(50))
        self.before = self.t.resident()

    def keep(self, stream):
        # Which connection it is: they may be accepted in any order.
        number = int.from_bytes(read_exactly(stream, 2), "big")
        self.readers.append((number, stream))
        self.accepted.release()
        self.release.wait(PATIENCE * 10)

    def open_all(self):
        streams = []
        for number in range(STALLED):
            streams.append(self.enterContext(dial(self.port)))
            streams[-1].sendall(number.to_bytes(2, "big"))
        for _ in streams:
            self.assertTrue(self.accepted.acquire(timeout=PATIENCE))
        return streams, [stream for _, stream in sorted(self.readers, key=lambda pair: pair[0])]

    def judge_memory(self, sent):
        resident = self.settled()
        growth = {name: resident[name] - size for name, size in self.before.items()}
        each = sum(growth.values()) / STALLED
        note(f"{STALLED} stalled, {sum(sent) / STALLED / MIB:.1f} MiB taken by each, of which the "
             f"programs hold {each / MIB:.2f} MiB: " +
             ", ".join(f"{name} {size / STALLED / MIB:.2f}" for name, size in growth.items()))
        if sanitized():
            note("built with AddressSanitizer: memory not judged")
        else:
            self.assertLessEqual(each, BOUND)

    def settled(self):
        """The memory when it no longer changes."""
        last = {}

        def same():
            nonlocal last
            previous, last = last, self.t.resident()
            return previous == last

        eventually(same, timeout=10, interval=0.5)
        return last

    def judge_neighbours(self):
        with dial(self.echo_port) as stream:
            trips = sorted(round_trip(stream) for _ in range(200))
        began = time.monotonic()
        with dial(self.echo_port) as stream:
            opening = round_trip(stream, b"new") + time.monotonic() - began
        note(f"neighbour: round trip {trips[100] * 1000:.2f} ms (worst {trips[-1] * 1000:.2f}, "
             f"before {self.before_rtt * 1000:.2f}), new connection {opening * 1000:.1f} ms")
        self.assertLess(trips[-1], 1)
        self.assertLess(opening, 1)
        began = time.monotonic()
        self.assertTrue(echo_through(self.echo_port, payload(32 * MIB, 32)))
        note(f"neighbour: 32 MiB there and back at {64 / (time.monotonic() - began):.0f} MiB/s")

    def judge_content(self, readers, sent):
        tasks = [Task(digest_of, stream, size) for stream, size in zip(readers, sent)]
        for index, task in enumerate(tasks):
            self.assertEqual(expected(index * 1000, sent[index]), task.result(120), index)

    def test_client_that_stops_reading(self):
        self.start_tunnel(self.keep)
        clients, servers = self.open_all()
        writers = Writers(servers)
        self.judge_memory(writers.sent)
        self.judge_neighbours()
        self.judge_content(clients, writers.sent)

    def test_server_that_stops_reading(self):
        self.start_tunnel(self.keep)
        clients, servers = self.open_all()
        writers = Writers(clients)
        self.judge_memory(writers.sent)
        self.judge_neighbours()
        self.judge_content(servers, writers.sent)

    def test_both_stop_reading(self):
        self.start_tunnel(self.keep)
        clients, servers = self.open_all()
        writing = Task(Writers, clients)
        back = Writers(servers)
        there = writing.result(120)
        self.judge_memory([a + b for a, b in zip(there.sent, back.sent)])
        self.judge_neighbours()
        draining = Task(self.judge_content, clients, back.sent)
        self.judge_content(servers, there.sent)
        draining.result(120)

    def test_readers_that_were_fast_before(self):
        """Windows that have grown are given back."""
        self.start_tunnel(self.keep)
        clients, servers = self.open_all()
        fast = 48 * MIB
        block = payload(MIB, 33) * 8

        def pump(server, client):
            writing = Task(lambda: [server.sendall(block) for _ in range(fast // len(block))])
            read = digest_of(client, fast)
            writing.result(120)
            return read

        for server, client in zip(servers, clients):
            pump(server, client)
        writers = Writers(servers)
        self.judge_memory(writers.sent)
        self.judge_neighbours()
        self.judge_content(clients, writers.sent)

    def test_connect_whose_output_is_not_read(self):
        data = payload(48 * MIB, 34)
        server = self.serve(lambda stream: stream.sendall(data))
        broker = self.broker()
        self.agent(broker)
        child = self.start_piped(self.connect_command(broker, f"edge-1:{server.port}"))
        time.sleep(2)
        with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
            note("connect with its output stalled: " + next(
                line for line in status if line.startswith("VmRSS")).strip())
        out, err = child.communicate(timeout=60)
        self.assertEqual((0, b""), (child.returncode, err))
        self.assertEqual(data, out)


if __name__ == "__main__":
    unittest.main()
