"""The broker never has a byte of what it relays, nor a private key of those whom it connects.

What it received, what it sent, its memory, its log and its state are searched for a canary that
went through it in both directions. Each search is shown to find what is there.
"""

import base64
import os
import re
import secrets
import signal
import threading
import types
import unittest

from harness import (AGENT, HOST, KIB, PATIENCE, SystemTest, Task, dial, eventually, need, note,
                     read_all, read_exactly, reserved_port)
from recording import Recording, Search, contexts, files_below, readable_memory

CANARY = secrets.token_bytes(48)
LARGE = 256 * KIB // len(CANARY)  # canaries
SNAPSHOTS = 4


class Traffic:
    """Canaries through a port to an echo and back, one at a time and many in a write, until end."""

    def __init__(self, port):
        self._stream = dial(port)
        self._stop = threading.Event()
        self.bytes = 0  # that came back
        self._task = Task(self._run)

    def _run(self):
        while not self._stop.is_set():
            for count in (1, 2, 1, LARGE):
                data = CANARY * count
                sending = Task(self._stream.sendall, data)
                if read_exactly(self._stream, len(data)) != data:
                    raise AssertionError("the echo differs")
                sending.result()
                self.bytes += len(data)

    def await_more(self, bytes_more=2 * LARGE * len(CANARY)):
        goal = self.bytes + bytes_more
        if not eventually(lambda: self.bytes >= goal):
            raise AssertionError(f"only {self.bytes} of {goal} bytes came back")

    def end(self):
        self._stop.set()
        self._task.result()
        self._stream.shutdown(1)
        if read_all(self._stream) != b"":
            raise AssertionError("something follows the echo")
        self._stream.close()


def is_stopped(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return "\nState:\tT" in status.read()


class RelayTest(SystemTest):
    # On stitched paths the broker does not even read: see BlindByTheDataPort.
    carried_by = "stream"

    def relay(self, recordings, broker=()):
        """The three programs; `recordings` makes those in front of the broker for the agent and
        the forwarder."""
        self.broker_process = self.broker("--log-level", "trace", *broker)
        self.echo = self.echo_server()
        self.target = f"{HOST}:{self.echo.port}"
        self.recordings = [self.enterContext(one) for one in recordings()]
        agent_side, forwarder_side = (
            types.SimpleNamespace(address=one.address, directory=self.broker_process.directory)
            for one in self.recordings)
        self.agent_process = self.agent(agent_side)
        self.forwarder_process = self.forwarder(forwarder_side,
                                                forwards=[f"0:{AGENT}:{self.target}"])

    def plain_recordings(self):
        return [Recording(self.broker_process.address) for _ in range(2)]

    def opened_recordings(self):
        """They see what is inside the TLS of the broker's connections."""
        directory = self.path(self.broker_process.directory)
        states = (self.enrol(self.broker_process, "agent", AGENT),
                  self.enrol_user(self.broker_process))
        return [Recording(self.broker_process.address,
                          *contexts(directory, os.path.join(self.path(state), "identity.pem")))
                for state in states]

    def memory_has(self, process, search):
        """Whether what `search` looks for is in the memory of a process, which stands still."""
        process.signal(signal.SIGSTOP)
        try:
            self.assertTrue(eventually(lambda: is_stopped(process)))
            scanned, found = 0, False
            for _, data in readable_memory(process.pid):
                scanned += len(data)
                found = found or search.finds(data)
        finally:
            process.signal(signal.SIGCONT)
        self.assertGreater(scanned, process.resident() // 2)
        return found

    def memory_has_text(self, process, text):
        return self.memory_has(process, types.SimpleNamespace(finds=lambda data: text in data))

    def recorded(self):
        return {(side, way): bytes(getattr(one, way))
                for side, one in zip(("agent", "forwarder"), self.recordings)
                for way in ("up", "down")}

    def broker_output(self):
        return "\n".join(self.broker_process.stdout.lines + self.broker_process.stderr.lines)

    def assert_nothing_kept(self, search):
        """Of what is not memory: log and state directory."""
        self.assertFalse(search.finds(self.broker_output().encode()), "log")
        names = set()
        for path, content in files_below(self.path(self.broker_process.directory)):
            names.add(os.path.basename(path))
            self.assertFalse(search.finds(content), path)
        self.assertLessEqual({"culvert.db", "audit.log", "ca-key.pem"}, names)

    def assert_blind_to_stream(self, recorded=None):
        """While canaries go through, and afterwards. `recorded` gives what passed the network."""
        search = Search(CANARY)
        traffic = Traffic(self.forwarder_process.ports[0])
        for _ in range(SNAPSHOTS):
            traffic.await_more()
            self.assertFalse(self.memory_has(self.broker_process, search), "memory, live")
        # The ends have it, and it is found there.
        self.assertTrue(eventually(lambda: self.memory_has(self.forwarder_process, search)))
        self.assertTrue(eventually(lambda: self.memory_has(self.agent_process, search)))
        traffic.end()
        self.forwarder_process.stderr.expect(" ended after ")
        self.assertFalse(self.memory_has(self.broker_process, search), "memory, afterwards")
        self.assertTrue(self.memory_has_text(self.broker_process, self.target.encode()))
        for where, data in (recorded or self.recorded)().items():
            self.assertGreater(len(data), traffic.bytes, where)
            self.assertFalse(search.finds(data), where)
        self.assert_nothing_kept(search)
        note(f"{traffic.bytes} bytes each way, {SNAPSHOTS + 1} snapshots")


class Blind(RelayTest):
    def test_broker_has_no_byte_of_a_stream(self):
        self.relay(self.plain_recordings)
        self.assert_blind_to_stream()

    def test_broker_reads_and_writes_no_byte_of_a_stream_inside_its_own_tls(self):
        self.relay(self.opened_recordings)
        self.assert_blind_to_stream()
        # What was recorded is what the broker reads: it has the opening in the clear.
        said = self.recorded()
        for where in (("forwarder", "up"), ("agent", "down")):
            self.assertIn(self.target.encode(), said[where])
            self.assertIn(b"tcp", said[where])

    def test_broker_tells_service_and_target(self):
        self.relay(self.plain_recordings)
        Traffic(self.forwarder_process.ports[0]).end()
        self.broker_process.stderr.expect(
            rf"\[channel [0-9a-f]+\] .*tcp.*{re.escape(self.target)}.* ended after ")

    def test_broker_has_no_private_key_of_others(self):
        self.relay(self.plain_recordings)
        traffic = Traffic(self.forwarder_process.ports[0])
        traffic.await_more()
        directory = self.broker_process.directory
        keys = [self.private_key(f"{directory}-{who}/identity.pem")
                for who in (f"agent-{AGENT}", "user-alice")]
        search = Search(*keys)
        self.assertFalse(self.memory_has(self.broker_process, search), "memory, live")
        traffic.end()
        self.assertFalse(self.memory_has(self.broker_process, search), "memory, afterwards")
        self.assert_nothing_kept(search)
        for where, data in self.recorded().items():
            self.assertFalse(search.finds(data), where)
        # Their owners have them, and the broker has its own.
        own = self.private_key(f"{directory}/ca-key.pem")
        for process, key in ((self.agent_process, keys[0]), (self.forwarder_process, keys[1]),
                             (self.broker_process, own)):
            self.assertTrue(self.memory_has(process, Search(key)), process.name)

    def private_key(self, name):
        """The 32 bytes of a key of P-256."""
        text = self.command(need("openssl", "openssl"), "pkey", "-in", self.path(name), "-noout",
                            "-text")
        digits = re.search(r"^priv:\n((?:\s+[0-9a-f:]+\n)+)", text, re.MULTILINE)[1]
        return int(re.sub(r"[\s:]", "", digits), 16).to_bytes(32, "big")


class BlindByTheDataPort(RelayTest):
    carried_by = None

    def test_broker_and_network_have_no_byte_of_a_stream_that_moves_to_the_data_port(self):
        port = self.enterContext(reserved_port())
        data = self.enterContext(Recording(f"{HOST}:{port}"))
        self.relay(self.plain_recordings, ["--data-port", str(port), "--advertise-data",
                                           data.address.rpartition(":")[2]])
        # Both ends' connections pass the one recording, so that it has each byte once each way,
        # but for those from before the move, which the others have.
        both = lambda: {"all ways": bytes(data.up) + bytes(data.down) + b"".join(
            value for (side, _), value in self.recorded().items() if side == "agent")}
        self.assert_blind_to_stream(both)
        self.broker_process.stderr.expect(r"path 2$")
        self.assertGreater(len(data.up), 2 * LARGE * len(CANARY))
        self.assertGreater(len(data.down), 2 * LARGE * len(CANARY))



class Control(RelayTest):
    """The same searches where there is something to find."""

    secure = False

    def test_without_encryption_everything_is_found(self):
        self.relay(self.plain_recordings)
        search = Search(CANARY)
        traffic = Traffic(self.forwarder_process.ports[0])
        traffic.await_more()
        self.assertTrue(eventually(lambda: self.memory_has(self.broker_process, search)))
        traffic.end()
        for where, data in self.recorded().items():
            self.assertTrue(search.finds(data), where)

    def test_a_part_of_a_secret_is_found_in_each_form(self):
        for secret in (secrets.token_bytes(48), secrets.token_bytes(32), b"\xff" * 32):
            search = Search(secret)
            for before in (b"", b"a", b"ab"):
                text = before + secret + b"z"
                for copy in (text, text[::-1], text.hex().encode(), text.hex().upper().encode(),
                             base64.b64encode(text), base64.urlsafe_b64encode(text), text[:20],
                             base64.b64encode(text)[:40]):
                    self.assertTrue(search.finds(b"x" * 9 + copy), copy)
            self.assertFalse(search.finds(bytes(range(256)) * 4))


if __name__ == "__main__":
    unittest.main()
