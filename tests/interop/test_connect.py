"""`culvert connect` reaches the tcp service of a legacy provider."""

import concurrent.futures
import signal
import subprocess
import threading
import unittest

import grpc

import legacy
import programs
import stubs

MARKER = b"<the end>"


def echo(channel, arg):
    """Sends everything back, acknowledges when asked to, and closes when it has seen the marker."""
    assert arg == b"localhost:7"
    tail = b""
    while not tail.endswith(MARKER):
        kind, *rest = channel.receive()
        if kind != "data":
            continue
        data, ack_required = rest
        if ack_required:
            channel.send_ack()
        channel.send_data(data)
        tail = (tail + data)[-len(MARKER) :]
    channel.send_close()
    while (message := channel.receive()) is not None and message != ("ack", channel.sent):
        pass
    channel.stream.finish()
    channel.stream.end()


def vanish(channel, _arg):
    """Ends its stream without Close, which is a reset."""
    channel.receive_kind("data")
    channel.send_data(b"half an answer")
    channel.stream.finish()
    channel.stream.end()


class Recorder:
    """Takes everything up to Close and remembers which messages asked for an Ack."""

    def __init__(self):
        self.received = b""
        self.asked = []

    def __call__(self, channel, _arg):
        while (message := channel.receive())[0] != "close":
            if message[0] == "data":
                self.received += message[1]
                if message[2]:
                    self.asked.append(len(self.received))
            if self.received.endswith(MARKER):
                channel.send_close()
                break
        channel.stream.finish()
        channel.stream.end()


class ConnectTest(unittest.TestCase):
    def setUp(self):
        self.broker = programs.start_broker(self)

    def serve(self, version, service):
        provider = legacy.Provider(version, self.broker, "edge-1", {"tcp": service})
        self.addCleanup(provider.close)

    def connect(self, stdin):
        return programs.run(
            "culvert", "connect", "edge-1:localhost:7", "--broker", self.broker, "--insecure",
            stdin=stdin,
        )

    def test_bytes_travel_both_ways_and_the_provider_ends_it(self):
        for version in (stubs.V1, stubs.V1ALPHA2):
            with self.subTest(version=version.name):
                provider = legacy.Provider(version, self.broker, "edge-1", {"tcp": echo})
                sent = bytes(range(256)) * 12288 + MARKER  # 3 MiB
                result = self.connect(sent)
                self.assertEqual(result.stderr, b"")
                self.assertEqual(result.returncode, 0)
                self.assertTrue(result.stdout == sent)
                provider.close()

    def test_acks_are_asked_for_at_every_quarter_window(self):
        recorder = Recorder()
        self.serve(stubs.V1, recorder)
        sent = bytes(1024 * 1024) + MARKER
        self.assertEqual(self.connect(sent).returncode, 0)
        self.assertTrue(recorder.received == sent)
        self.assertGreaterEqual(len(recorder.asked), 4)

    def test_stream_that_ends_without_close_is_a_failure(self):
        self.serve(stubs.V1, vanish)
        result = self.connect(b"a question")
        self.assertEqual(result.returncode, 255)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(b"connection reset", result.stderr)

    def test_refusal_is_a_failure_with_the_providers_words(self):
        provider = legacy.Provider(stubs.V1, self.broker, "edge-1", {})
        self.addCleanup(provider.close)
        result = self.connect(b"")
        self.assertEqual(result.returncode, 255)
        self.assertIn(b"no service tcp", result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)


class HoldingBroker(stubs.V1.grpc.BrokerServiceServicer):
    """Opens every channel, ends it in order, and then never ends its stream."""

    def __init__(self):
        self._pb = stubs.V1.pb
        self.said_goodbye = threading.Event()
        self.let_go = threading.Event()
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
        stubs.V1.grpc.add_BrokerServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Connect(self, requests, _context):  # pylint: disable=invalid-name
        next(requests)
        opened = self._pb.ConnectResponse.OpenResponse(session_id=1, channel_id=2)
        yield self._pb.ConnectResponse(open_response=opened)
        yield self._pb.ConnectResponse(close=self._pb.Close(id=1))
        for _ in requests:
            pass
        self.said_goodbye.set()
        self.let_go.wait(programs.WAIT)

    def close(self):
        self.let_go.set()
        self._server.stop(grace=None).wait()


class DrainTest(unittest.TestCase):
    """Both directions have ended in order, and connect waits for the end of its stream."""

    def test_a_signal_ends_it_at_once(self):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                broker = HoldingBroker()
                self.addCleanup(broker.close)
                argv = [programs.path("culvert"), "connect", "edge-1:7", "--broker", broker.address,
                        "--insecure"]
                with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) as child:
                    self.assertTrue(broker.said_goodbye.wait(programs.WAIT))
                    child.send_signal(number)
                    # Without a signal it takes 10 s.
                    out, err = child.communicate(timeout=5)
                self.assertEqual((0, b"", b""), (child.returncode, out, err))


if __name__ == "__main__":
    unittest.main()
