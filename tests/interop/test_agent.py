"""A legacy consumer uses the tcp service of culvert-agent."""

import socket
import struct
import threading
import time
import unittest

import grpc

import legacy
import programs
import stubs


class Target:
    """A TCP server on loopback that hands its connections to the test."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(programs.WAIT)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]

    def accept(self):
        connection, _ = self._listener.accept()
        connection.settimeout(programs.WAIT)
        return connection

    def close(self):
        self._listener.close()


def read_all(connection):
    """Everything up to the orderly end; ConnectionResetError otherwise."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class AgentTest(unittest.TestCase):
    def setUp(self):
        self.broker = programs.start_broker(self)
        self.target = Target()
        self.addCleanup(self.target.close)
        self.agent = programs.start_agent(self, self.broker, "127.0.0.1:*", self.target.address)
        self.consumer = legacy.Consumer(stubs.V1, self.broker)
        self.addCleanup(self.consumer.close)

    def open(self):
        """A channel and the target's end of it."""
        channel = self.consumer.open("edge-1", "tcp", self.target.address.encode())
        connection = self.target.accept()
        self.addCleanup(connection.close)
        return channel, connection

    def test_both_versions_talk_to_the_target(self):
        for version in (stubs.V1, stubs.V1ALPHA2):
            with self.subTest(version=version.name):
                consumer = legacy.Consumer(version, self.broker)
                channel = consumer.open("edge-1", "tcp", self.target.address.encode())
                connection = self.target.accept()
                channel.send_data(b"question")
                self.assertEqual(connection.recv(100), b"question")
                connection.sendall(b"answer")
                self.assertEqual(channel.receive_kind("data")[1], b"answer")
                consumer.close()
                connection.close()

    def test_close_ends_both_directions_in_order(self):
        channel, connection = self.open()
        channel.send_data(b"the last words")
        channel.send_close()
        self.assertEqual(read_all(connection), b"the last words")
        channel.receive_ack(2)
        channel.stream.finish()
        self.assertEqual(channel.stream.end(), grpc.StatusCode.OK)
        self.agent.wait_for("closed")

    def test_data_with_ack_required_is_acked_as_soon_as_it_is_taken(self):
        channel, connection = self.open()
        fastest = programs.WAIT
        for number in range(1, 6):
            start = time.monotonic()
            channel.send_data(b"x", ack_required=True)
            channel.receive_ack(number)
            fastest = min(fastest, time.monotonic() - start)
        # A busy machine is slow, but not five times: the delay of other acks is 200 ms.
        self.assertLess(fastest, 0.15)
        connection.close()

    def test_other_data_is_acked_after_200_ms_at_the_latest(self):
        channel, _connection = self.open()
        fastest = programs.WAIT
        for number in range(1, 6):
            start = time.monotonic()
            channel.send_data(b"x")
            channel.receive_ack(number)
            fastest = min(fastest, time.monotonic() - start)
        self.assertLess(fastest, 0.3)

    def test_one_ack_answers_many_messages(self):
        channel, connection = self.open()
        for _ in range(100):
            channel.send_data(b"x")
        got = 0
        while got < 100:
            got += len(connection.recv(100))
        acks = [channel.receive_kind("ack")[1]]
        while acks[-1] < 100:
            acks.append(channel.receive_kind("ack")[1])
        self.assertEqual(acks, sorted(acks))
        self.assertLess(len(acks), 50)

    def test_consumer_that_never_acks_receives_everything(self):
        channel, connection = self.open()
        sent = bytes(range(256)) * 16384  # 4 MiB
        sender = threading.Thread(target=connection.sendall, args=(sent,))
        sender.start()
        received, asked, largest = 0, 0, 0
        while received < len(sent):
            _, data, ack_required = channel.receive_kind("data")
            self.assertEqual(data, sent[received : received + len(data)])
            received += len(data)
            largest = max(largest, len(data))
            asked += ack_required
        sender.join()
        self.assertLessEqual(largest, 256 * 1024)
        # At every quarter of the 256 KiB window, give or take the size of one message.
        self.assertGreaterEqual(asked, len(sent) // (256 * 1024))

    def test_large_legacy_messages_are_taken(self):
        channel, connection = self.open()
        sent = bytes(1024 * 1024 - 4096)
        channel.send_data(sent, ack_required=True)
        got = 0
        while got < len(sent):
            got += len(connection.recv(65536))
        channel.receive_ack(1)

    def test_stream_that_ends_without_close_resets_the_target(self):
        channel, connection = self.open()
        channel.stream.finish()
        self.assertEqual(channel.stream.end(), grpc.StatusCode.OK)
        with self.assertRaises(ConnectionResetError):
            read_all(connection)

    def test_stream_that_breaks_resets_the_target(self):
        channel, connection = self.open()
        channel.stream.cancel()
        with self.assertRaises(ConnectionResetError):
            read_all(connection)
        self.agent.wait_for("path lost")

    def test_reset_of_the_target_reaches_the_consumer_as_error(self):
        channel, connection = self.open()
        reset(connection)
        self.assertIn("reset", channel.receive_kind("error")[1])
        channel.send_ack()
        channel.stream.finish()
        self.assertEqual(channel.stream.end(), grpc.StatusCode.OK)

    def test_end_of_the_target_is_kept_back_until_the_consumer_closes(self):
        channel, connection = self.open()
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(channel.receive_kind("data")[1], b"bye")
        channel.send_data(b"still talking")
        self.assertEqual(connection.recv(100), b"still talking")
        channel.send_close()
        self.assertEqual(read_all(connection), b"")
        channel.stream.finish()
        self.assertEqual(channel.stream.end(), grpc.StatusCode.OK)

    def test_refused_and_denied_targets_are_open_errors(self):
        self.target.close()
        with self.assertRaisesRegex(ConnectionRefusedError, "refused"):
            self.consumer.open("edge-1", "tcp", self.target.address.encode())
        with self.assertRaisesRegex(ConnectionRefusedError, "allow list"):
            self.consumer.open("edge-1", "tcp", b"127.0.0.2:22")

    def test_duplicates_are_dropped_and_acked_again(self):
        channel, connection = self.open()
        channel.send_data(b"once", ack_required=True)
        channel.receive_ack(1)
        channel.sent = 0
        channel.send_data(b"once", ack_required=True)
        channel.receive_ack(1)
        channel.send_data(b" more")
        channel.send_close()
        self.assertEqual(read_all(connection), b"once more")

    def test_id_from_the_future_ends_the_path(self):
        channel, connection = self.open()
        channel.sent = 1
        channel.send_data(b"from the future")
        self.assertEqual(channel.stream.end(), grpc.StatusCode.UNAVAILABLE)
        with self.assertRaises(ConnectionResetError):
            read_all(connection)


if __name__ == "__main__":
    unittest.main()
