"""Both ends of a connection send a stream of their own at once, and every byte that arrives is
compared with what was sent there."""

import hashlib
import random
import threading
import time

from harness import KIB, MIB, PATIENCE

BLOCK = 64 * KIB


class Content:
    """A stream in which no two blocks are alike: each begins with its number."""

    def __init__(self, seed):
        self._noise = random.Random(seed).randbytes(4 * MIB)

    def block(self, index):
        start = (index * 4099) % (len(self._noise) - BLOCK)
        return index.to_bytes(8, "big") + self._noise[start + 8:start + BLOCK]


class OneWay:
    """`size` bytes, a whole number of blocks, from one socket to the other, and then the end."""

    def __init__(self, name, source, sink, size, seed):
        self.name, self.size, self.received, self.error = name, size, 0, None
        self.last_arrival = 0.0
        self._content = Content(seed)
        self._allowed = 0
        self._moved = threading.Condition()
        self._sent_hash, self._received_hash = hashlib.sha256(), hashlib.sha256()
        self._threads = [threading.Thread(target=self._run, args=work, daemon=True)
                         for work in ((self._send, source), (self._receive, sink))]
        for thread in self._threads:
            thread.start()

    def _run(self, work, stream):
        try:
            work(stream)
        except Exception as error:  # pylint: disable=broad-except
            with self._moved:
                self.error = self.error or (f"{self.name}: {work.__name__[1:]} failed after "
                                            f"{self.received} of {self.size} bytes: {error!r}")
                self._moved.notify_all()

    def _send(self, stream):
        for index in range(self.size // BLOCK):
            with self._moved:
                self._moved.wait_for(lambda: self._allowed >= (index + 1) * BLOCK or self.error)
                if self.error:
                    return
            block = self._content.block(index)
            self._sent_hash.update(block)
            stream.sendall(block)
        stream.shutdown(1)

    def _receive(self, stream):
        buffer = bytearray(BLOCK)
        view = memoryview(buffer)
        for index in range(self.size // BLOCK):
            wanted, have = self._content.block(index), 0
            while have < BLOCK:
                count = stream.recv_into(view[have:])
                if count == 0:
                    raise AssertionError("the stream ended")
                if view[have:have + count] != wanted[have:have + count]:
                    raise AssertionError(f"other bytes than sent in block {index}, at {have}")
                have += count
                with self._moved:
                    self.received += count
                    self.last_arrival = time.monotonic()
                    self._moved.notify_all()
            self._received_hash.update(buffer)
        if stream.recv(1):
            raise AssertionError("bytes after the last one")

    def allow(self, size):
        with self._moved:
            self._allowed = max(self._allowed, min(size, self.size))
            self._moved.notify_all()

    def wait_received(self, size, timeout):
        """Waits until so much has arrived. Fails if it does not in time, or something is wrong."""
        with self._moved:
            done = self._moved.wait_for(lambda: self.received >= size or self.error, timeout)
        if self.error or not done:
            raise AssertionError(self.error or f"{self.name}: no more than {self.received} of "
                                 f"{size} bytes within {timeout:.0f} s")

    def finish(self, timeout):
        self.allow(self.size)
        self.wait_received(self.size, timeout)
        for thread in self._threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                raise AssertionError(f"{self.name}: the end of the stream did not arrive")
        if self.error:
            raise AssertionError(self.error)
        digest = self._received_hash.hexdigest()
        if digest != self._sent_hash.hexdigest():
            raise AssertionError(f"{self.name}: the SHA-256 differs")
        return digest


class Exchange:
    def __init__(self, client, server, size, seed):
        self.size = size // BLOCK * BLOCK
        self.ways = (OneWay("up", client, server, self.size, seed),
                     OneWay("down", server, client, self.size, seed + 1))

    def allow(self, size):
        for way in self.ways:
            way.allow(int(size))

    def wait_received(self, size, timeout):
        deadline = time.monotonic() + timeout
        for way in self.ways:
            way.wait_received(int(size), max(deadline - time.monotonic(), 0))

    def finish(self, timeout):
        return [way.finish(timeout) for way in self.ways]
