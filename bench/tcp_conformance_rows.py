"""The rows of tcp-conformance: each makes a connection through the tunnel, does something at one
end, and raises Different where the other end sees what TCP would not have shown it."""

import contextlib
import hashlib
import random
import select
import socket
import struct
import threading
import time

KIB, MIB = 1024, 1024 * 1024
BLOCK = 64 * KIB
RESET_LIMIT = 2.0  # seconds from a reset at one end to the error at the other
ZERO_WINDOW_LIMIT = 64 * MIB  # what a tunnel may take from a writer whose reader does not read

# Never the same 8 bytes twice: whatever is lost, doubled or moved is seen.
STREAM = random.Random(793).randbytes(8 * MIB)


class Different(Exception):
    """What happened in place of what TCP does."""


def expect(condition, words):
    if not condition:
        raise Different(words)


def reset(stream):
    """Closes with an RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


class Backend:
    """The listener that the far end of the tunnel dials. Its port stays ours while it refuses."""

    def __init__(self, address):
        self._wanted, self._listener = address, None

    def __enter__(self):
        self.address = self._wanted
        self.listen()
        self.address = self._listener.getsockname()[:2]
        return self

    def __exit__(self, *unused):
        self._listener.close()

    def _bound(self):
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self.address)
        return listener

    def listen(self):
        self._listener = self._bound()
        self._listener.listen(128)

    @contextlib.contextmanager
    def refusing(self):
        self._listener.close()
        self._listener = self._bound()
        try:
            yield
        finally:
            self._listener.listen(128)

    def accept(self, seconds):
        self._listener.settimeout(seconds)
        try:
            return self._listener.accept()[0]
        except TimeoutError:
            raise Different("the backend was never dialled") from None


class Bench:
    """Where connections come from."""

    def __init__(self, listen, backend, patience):
        self.listen, self.backend, self.patience = listen, backend, patience

    @contextlib.contextmanager
    def connection(self):
        """(client, server) of a new connection."""
        with contextlib.ExitStack() as stack:
            try:
                client = stack.enter_context(socket.create_connection(self.listen, self.patience))
            except OSError as error:
                raise Different(f"cannot be dialled: {error}") from None
            server = stack.enter_context(self.backend.accept(self.patience))
            for stream in (client, server):
                stream.settimeout(self.patience)
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                yield client, server
            except TimeoutError:
                raise Different(f"nothing happened for {self.patience:.0f} s") from None
            except OSError as error:
                raise Different(f"unexpected: {error}") from None


class Task:
    """A function on a thread; `result` waits for it and passes an exception on."""

    def __init__(self, function, *args):
        self._value = self._error = None
        self._thread = threading.Thread(target=self._run, args=(function, args), daemon=True)
        self._thread.start()

    def _run(self, function, args):
        try:
            self._value = function(*args)
        except BaseException as error:  # pylint: disable=broad-except
            self._error = error

    def result(self, seconds):
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise Different(f"it goes on after {seconds:.0f} s")
        if self._error:
            raise self._error
        return self._value


def receive(stream, size=None):
    """`size` bytes, or all up to the end of the stream."""
    data = bytearray()
    while size is None or len(data) < size:
        part = stream.recv(min(256 * KIB, size - len(data)) if size else 256 * KIB)
        if not part:
            break
        data += part
    expect(size is None or len(data) == size, f"end of file after {len(data)} of {size} bytes")
    return bytes(data)


def check(got, sent):
    same = hashlib.sha256(got).digest() == hashlib.sha256(sent).digest()
    expect(same, f"{len(got)} bytes came of {len(sent)}, and they differ"
           if got != sent[:len(got)] else f"only {len(got)} bytes came of {len(sent)}")


# --- how a stream ends ---

class End:
    """Drives one end on one thread: reads all the time, and writes STREAM for ever if asked.

    Reading and writing are not two threads: a write that fails takes the error away from the
    socket, and a read after it would be told of an end of file that never came.
    """

    def __init__(self, stream, writes=False):
        self.received, self.exact = 0, True
        self._stream, self._writes, self._sent = stream, writes, 0
        self._stop = threading.Event()
        self._enough = {}
        self.ended = None  # ("eof" | "reset" | "closed", when)
        stream.setblocking(False)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        poller = select.poll()
        poller.register(self._stream, select.POLLIN | (select.POLLOUT if self._writes else 0))
        while not self._stop.is_set():
            if poller.poll(50) and (how := self._turn()):
                self.ended = how, time.monotonic()
                return

    def _turn(self):
        try:
            if part := self._stream.recv(256 * KIB):
                start = self.received % len(STREAM)
                end = start + len(part)
                wanted = STREAM[start:end] + STREAM[:max(0, end - len(STREAM))]
                self.exact = self.exact and part == wanted
                self.received += len(part)
            else:
                return "eof"
        except BlockingIOError:
            pass
        except ConnectionError:
            return "reset"
        except OSError:  # the row failed, and closed it
            return "closed"
        if self._writes:
            try:
                start = self._sent % len(STREAM)
                self._sent += self._stream.send(STREAM[start:start + BLOCK])
            except BlockingIOError:
                pass
            except ConnectionResetError:
                return "reset"
            except BrokenPipeError:  # a reset that came after an end of file
                return "eof"
            except OSError:
                return "closed"
        return None

    def wait_received(self, size, seconds):
        deadline = time.monotonic() + seconds
        while self.received < size and not self.ended:
            expect(time.monotonic() < deadline, f"only {self.received} of {size} bytes came")
            time.sleep(0.002)
        expect(self.received >= size, f"it ended after {self.received} of {size} bytes")

    def how_it_ended(self, seconds):
        self._thread.join(seconds)
        self.stop()
        return self.ended

    def stop(self):
        self._stop.set()
        self._thread.join()


def expect_reset(end, who, began, limit=RESET_LIMIT):
    """That this end was reset, soon, after nothing but the right bytes. The seconds it took."""
    ended = end.how_it_ended(limit)
    expect(ended, f"nothing at the {who} for {limit:.0f} s")
    expect(ended[0] == "reset", f"end of file at the {who}")
    expect(end.exact, f"other bytes at the {who} than were sent")
    return ended[1] - began


def sides(client, server, by_client):
    """(who acts, who sees it, the latter's name)"""
    return (client, server, "server") if by_client else (server, client, "client")


# --- the rows; each returns what is worth telling ---

def half_close(bench, by_client, first):
    """One end ends its direction after `first` bytes; the other goes on sending."""
    with bench.connection() as pair:
        ender, other, _ = sides(*pair, by_client)
        ender.sendall(STREAM[:first])
        ender.shutdown(socket.SHUT_WR)
        check(receive(other), STREAM[:first])
        later = STREAM[MIB:MIB + 256 * KIB]
        for start in range(0, len(later), BLOCK):  # not all of it in one write after the end
            other.sendall(later[start:start + BLOCK])
            time.sleep(0.02)
        check(receive(ender, len(later)), later)
        other.shutdown(socket.SHUT_WR)
        expect(receive(ender) == b"", "bytes after the last one")


def data_then_end(bench, by_client):
    with bench.connection() as pair:
        sender, reader, _ = sides(*pair, by_client)
        sending = Task(lambda: (sender.sendall(STREAM), sender.shutdown(socket.SHUT_WR)))
        check(receive(reader), STREAM)
        sending.result(bench.patience)
        reader.shutdown(socket.SHUT_WR)
        expect(receive(sender) == b"", "bytes that nobody sent")


def both_at_once(bench):
    own = {}

    def send(stream, seed):
        source = random.Random(seed)
        own[seed] = [source.randbytes(BLOCK) for _ in range(8 * MIB // BLOCK)]
        for chunk in own[seed]:
            stream.sendall(chunk)
        stream.shutdown(socket.SHUT_WR)

    with bench.connection() as (client, server):
        sending = [Task(send, client, 1), Task(send, server, 2)]
        reading = [Task(receive, server), Task(receive, client)]
        for task in sending:
            task.result(bench.patience * 2)
        for task, seed in zip(reading, (1, 2)):
            check(task.result(bench.patience * 2), b"".join(own[seed]))


def single_bytes(bench):
    count = 2000
    with bench.connection() as (client, server):
        def echo():
            for _ in range(count):
                server.sendall(receive(server, 1))

        def send():
            for start in range(count):
                client.sendall(STREAM[start:start + 1])

        tasks = [Task(echo), Task(send)]
        check(receive(client, count), STREAM[:count])
        for task in tasks:
            task.result(bench.patience)
        for stream in (client, server):
            stream.shutdown(socket.SHUT_WR)
        expect(receive(client) == b"" == receive(server), "bytes beyond the last one")


def reset_when_idle(bench, by_client):
    """What the other host has taken is delivered, then comes the reset."""
    with bench.connection() as pair:
        actor, other, who = sides(*pair, by_client)
        end = End(other)
        actor.sendall(STREAM[:BLOCK])
        end.wait_received(BLOCK, bench.patience)
        began = time.monotonic()
        reset(actor)
        took = expect_reset(end, who, began)
        expect(end.received == BLOCK, f"{end.received} bytes came of {BLOCK}")
        return f"after {took * 1000:.0f} ms"


def reset_in_mid_transfer(bench, by_client):
    """The other end has a beginning of what was sent, and then the reset: which bytes of those
    under way arrive is not promised by TCP."""
    with bench.connection() as pair:
        actor, other, who = sides(*pair, by_client)
        end, writer = End(other), End(actor, writes=True)
        end.wait_received(MIB, bench.patience)
        writer.stop()
        began = time.monotonic()
        reset(actor)
        return f"after {expect_reset(end, who, began) * 1000:.0f} ms"


def reset_after_end(bench, by_client):
    with bench.connection() as pair:
        actor, other, who = sides(*pair, by_client)
        other.shutdown(socket.SHUT_WR)
        expect(receive(actor) == b"", "bytes that nobody sent")
        end = End(other)
        began = time.monotonic()
        reset(actor)
        return f"after {expect_reset(end, who, began) * 1000:.0f} ms"


def fill(stream, quiet):
    """Writes until nothing is taken for `quiet` seconds: the number of bytes."""
    stream.setblocking(False)
    poller = select.poll()
    poller.register(stream, select.POLLOUT)
    sent = 0
    while poller.poll(quiet * 1000):
        start = sent % len(STREAM)
        sent += stream.send(STREAM[start:start + BLOCK])
        expect(sent <= ZERO_WINDOW_LIMIT, f"{sent // MIB} MiB taken, and no end")
    return sent


def reset_unread(bench, by_client):
    """An end that does not read is told of a reset all the same."""
    with bench.connection() as pair:
        actor, other, who = sides(*pair, by_client)
        fill(actor, 0.5)
        poller = select.poll()
        poller.register(other, 0)  # errors and hang-ups are always told
        began = time.monotonic()
        reset(actor)
        expect(poller.poll(RESET_LIMIT * 1000), f"the {who} is not told for {RESET_LIMIT:.0f} s")
        took = time.monotonic() - began
        expect_reset(End(other), who, began, bench.patience)
        return f"after {took * 1000:.0f} ms"


def closed_unread(bench, by_client):
    """Who closes with bytes unread resets the connection."""
    with bench.connection() as pair:
        actor, other, who = sides(*pair, by_client)
        other.sendall(b"never read")
        select.select([actor], [], [], bench.patience)
        end = End(other)
        began = time.monotonic()
        actor.close()
        return f"after {expect_reset(end, who, began) * 1000:.0f} ms"


def zero_window(bench, by_client):
    """The writer blocks, and everything arrives once the reader reads."""
    with bench.connection() as pair:
        writer, reader, _ = sides(*pair, by_client)
        sent = fill(writer, 1.5)
        writer.settimeout(bench.patience)
        finishing = Task(writer.shutdown, socket.SHUT_WR)
        check(receive(reader), (STREAM * (sent // len(STREAM) + 1))[:sent])
        finishing.result(bench.patience)
        return f"the writer stalled after {sent / MIB:.1f} MiB"


def refused(bench):
    """A dial is answered by a reset or a refusal, not by an end of file."""
    with bench.backend.refusing():
        began = time.monotonic()
        try:
            with socket.create_connection(bench.listen, RESET_LIMIT) as client:
                expect_reset(End(client), "client", began)
        except ConnectionError:
            pass
        except TimeoutError:
            raise Different(f"no answer for {RESET_LIMIT:.0f} s") from None
        return f"after {(time.monotonic() - began) * 1000:.0f} ms"


def kill(bench, kill_it, upwards):
    """A program of the tunnel dies in mid-transfer: an error at both ends, never an end of file."""
    with bench.connection() as pair:
        sender, reader, name = sides(*pair, upwards)
        other_name = "client" if upwards else "server"
        reading, writing = End(reader), End(sender, writes=True)
        reading.wait_received(4 * MIB, bench.patience)
        began = time.monotonic()
        kill_it()
        # First the reader: the error that matters is the one in the middle of its file.
        took = expect_reset(reading, name, began, bench.patience)
        took = max(took, expect_reset(writing, other_name, began, bench.patience))
        return f"both ends reset after {took * 1000:.0f} ms"


def each_way(title, function, *args):
    return {title.format(actor): lambda bench, by=actor == "client": function(bench, by, *args)
            for actor in ("client", "server")}


ROWS = {
    **each_way("half-close by the {}, 256 KiB the other way after it", half_close, 100_000),
    **each_way("end before the first byte by the {}", half_close, 0),
    **each_way("8 MiB from the {}, then its end", data_then_end),
    "64 KiB chunks both ways at once, 8 MiB each": both_at_once,
    "2,000 writes of one byte, echoed": single_bytes,
    **each_way("reset by the {}, idle", reset_when_idle),
    **each_way("reset by the {} in mid-transfer", reset_in_mid_transfer),
    **each_way("reset by the {} after the other direction ended", reset_after_end),
    **each_way("reset by the {} while the other end does not read", reset_unread),
    **each_way("close by the {} with bytes unread", closed_unread),
    **each_way("zero window, the {} writes", zero_window),
    "refused backend": refused,
}
