"""A client that knows only the public protocol signs in with a JSON Web Token, as theirs do."""

import os
import socket
import tempfile
import threading
import unittest

import grpc

import legacy
import programs
import stubs
from service_account import ServiceAccount

NAME = "broker.culvert.internal"


def echo_once(listener):
    """Sends one connection's bytes back until they end."""
    stream, _ = listener.accept()
    with stream:
        while data := stream.recv(65536):
            stream.sendall(data)


class BearerTest(ServiceAccount, unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        self.state = os.path.join(self.directory, "broker")
        broker = programs.Program("culvert-broker", "serve", "--listen", "127.0.0.1:0",
                                  "--state-dir", self.state)
        self.addCleanup(broker.stop)
        self.address = broker.wait_for(r"listening on (127\.0\.0\.1:\d+)").group(1)
        broker.wait_for("CA fingerprint")
        self.add_service_account()

    def admin(self, *arguments):
        done = programs.run("culvert-broker", *arguments, "--state-dir", self.state)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.decode()

    def agent(self, name, *arguments):
        token = os.path.join(self.directory, name + ".token")
        with open(token, "w", encoding="ascii") as file:
            file.write(self.admin("token", "create", "--agent", name))
        state = ["--state-dir", os.path.join(self.directory, name)]
        done = programs.run("culvert-agent", "enroll", "--broker", self.address, "--token-file",
                            token, *state)
        self.assertEqual(done.returncode, 0, done)
        agent = programs.Program("culvert-agent", "run", *state, "--allow", "127.0.0.1:*",
                                 *arguments)
        self.addCleanup(agent.stop)
        agent.wait_for("registered as")

    def consumer(self, version, token):
        with open(os.path.join(self.state, "ca.pem"), "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        channel = grpc.secure_channel(self.address, credentials,
                                      (("grpc.ssl_target_name_override", NAME),))
        consumer = legacy.Consumer(version, self.address, channel, "ci",
                                   (("authorization", "Bearer " + token),))
        self.addCleanup(consumer.close)
        return consumer

    def test_a_token_reaches_what_is_served_in_plaintext_and_nothing_else(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        target = f"127.0.0.1:{listener.getsockname()[1]}".encode()
        self.agent("edge-1", "--plaintext")
        self.agent("edge-2")
        for version in (stubs.V1, stubs.V1ALPHA2):
            with self.subTest(version=version.name):
                echo = threading.Thread(target=echo_once, args=(listener,), daemon=True)
                echo.start()
                consumer = self.consumer(version, self.token())
                channel = consumer.open("edge-1", "tcp", target)
                channel.send_data(b"without a key of my own")
                self.assertEqual(channel.receive_kind("data")[1], b"without a key of my own")
                channel.send_close()
                channel.receive_ack(2)
                echo.join(programs.WAIT)
                with self.assertRaisesRegex(ConnectionRefusedError, "end-to-end encryption"):
                    consumer.open("edge-2", "tcp", target)

    def test_a_token_that_does_not_count_is_unauthenticated(self):
        for token in (self.token(-100), self.token(7200), self.token()[:-4] + "AAAA", "x"):
            consumer = self.consumer(stubs.V1, token)
            with self.assertRaises(grpc.RpcError) as raised:
                consumer.open("edge-1", "tcp", b"127.0.0.1:1")
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.admin("service-account", "remove", "ci")
        consumer = self.consumer(stubs.V1, self.token())
        with self.assertRaises(grpc.RpcError) as raised:
            consumer.open("edge-1", "tcp", b"127.0.0.1:1")
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAUTHENTICATED)


if __name__ == "__main__":
    unittest.main()
