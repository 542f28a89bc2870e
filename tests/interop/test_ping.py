"""PING and PONG between every pair of clients."""

import os
import tempfile
import unittest

import grpc

import legacy
import programs
import stubs

BOTH = (stubs.V1, stubs.V1ALPHA2)


def ping(consumer, provider):
    """Three rounds, then an orderly end."""
    channel = consumer.open(provider, "ping")
    for _ in range(3):
        channel.send_data(b"PING")
        assert channel.receive_kind("data")[1] == b"PONG"
        channel.send_ack()
    channel.send_close()
    assert channel.receive_kind("ack")[1] <= channel.sent
    channel.stream.finish()
    return channel.stream.end()


class PingTest(unittest.TestCase):
    def setUp(self):
        self.broker = programs.start_broker(self)

    def start_provider(self, version):
        provider = legacy.Provider(
            version, self.broker, "edge-1", {"ping": legacy.serve_ping}
        )
        self.addCleanup(provider.close)

    def test_legacy_clients_of_every_pair_of_versions_play_ping(self):
        for provider_version in BOTH:
            provider = legacy.Provider(
                provider_version, self.broker, "edge-1", {"ping": legacy.serve_ping}
            )
            for consumer_version in BOTH:
                with self.subTest(provider=provider_version.name, consumer=consumer_version.name):
                    consumer = legacy.Consumer(consumer_version, self.broker)
                    self.assertEqual(ping(consumer, "edge-1"), grpc.StatusCode.OK)
                    consumer.close()
            provider.close()

    def test_legacy_consumer_hears_that_a_service_is_unknown(self):
        self.start_provider(stubs.V1)
        consumer = legacy.Consumer(stubs.V1, self.broker)
        self.addCleanup(consumer.close)
        with self.assertRaisesRegex(ConnectionRefusedError, "no service pong"):
            consumer.open("edge-1", "pong")

    def test_legacy_consumer_hears_that_a_provider_is_unknown(self):
        for version in BOTH:
            consumer = legacy.Consumer(version, self.broker)
            self.addCleanup(consumer.close)
            with self.assertRaises(grpc.RpcError) as caught:
                consumer.open("nobody", "ping")
            self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_examples_play_ping(self):
        provider = self.start_example_provider()
        result = self.run_example_consumer()
        self.assertEqual(result.stdout, b"Received: PONG\n")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        provider.wait_for("channel ended: OK")

    def test_example_consumer_plays_ping_with_a_legacy_provider(self):
        for version in BOTH:
            with self.subTest(version=version.name):
                provider = legacy.Provider(
                    version, self.broker, "edge-1", {"ping": legacy.serve_ping}
                )
                result = self.run_example_consumer()
                self.assertEqual(result.stdout, b"Received: PONG\n")
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                provider.close()

    def test_legacy_consumer_plays_ping_with_the_example_provider(self):
        provider = self.start_example_provider()
        for version in BOTH:
            with self.subTest(version=version.name):
                consumer = legacy.Consumer(version, self.broker)
                self.assertEqual(ping(consumer, "edge-1"), grpc.StatusCode.OK)
                consumer.close()
        provider.wait_for("channel ended: OK")

    def test_example_provider_fails_on_anything_but_ping(self):
        provider = self.start_example_provider()
        consumer = legacy.Consumer(stubs.V1, self.broker)
        self.addCleanup(consumer.close)
        channel = consumer.open("edge-1", "ping")
        channel.send_data(b"PUNG")
        self.assertEqual(channel.receive_kind("error")[1], "unexpected message")
        channel.send_ack()
        channel.stream.finish()
        channel.stream.end()
        provider.wait_for("channel ended: .*unexpected message")

    def test_example_consumer_fails_when_nobody_offers_the_service(self):
        result = self.run_example_consumer()
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"unknown agent", result.stderr)

    def start_example_provider(self):
        provider = programs.Program(
            "ping-provider", "--broker", self.broker, "--name", "edge-1", "--insecure"
        )
        self.addCleanup(provider.stop)
        provider.wait_for("registered")
        return provider

    def run_example_consumer(self):
        return programs.run(
            "ping-consumer", "--broker", self.broker, "--provider", "edge-1", "--insecure"
        )


class SecurePingTest(unittest.TestCase):
    """The examples as their first lines say: with identities and end-to-end encryption."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        broker = programs.Program(
            "culvert-broker", "serve", "--listen", "127.0.0.1:0", "--state-dir", self.path("broker")
        )
        self.addCleanup(broker.stop)
        self.broker = broker.wait_for(r"listening on (127\.0\.0\.1:\d+)").group(1)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def succeed(self, *command, stdin=b""):
        result = programs.run(*command, stdin=stdin)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def admin(self, *command):
        return self.succeed("culvert-broker", *command, "--state-dir", self.path("broker"))

    def enrol(self, program, role, name):
        token = self.admin("token", "create", f"--{role}", name)
        enroll = (program, "enroll", "--broker", self.broker, "--token-file", "-")
        self.succeed(*enroll, "--state-dir", self.path(name), stdin=token)

    def test_examples_play_ping(self):
        self.enrol("culvert-agent", "agent", "edge-1")
        self.enrol("culvert", "user", "alice")
        self.admin("policy", "allow", "--user", "alice", "--service", "ping")
        provider = programs.Program(
            "ping-provider", "--broker", self.broker, "--state-dir", self.path("edge-1")
        )
        self.addCleanup(provider.stop)
        provider.wait_for("registered")
        consumer = ("ping-consumer", "--broker", self.broker, "--provider", "edge-1")
        result = programs.run(*consumer, "--state-dir", self.path("alice"))
        self.assertEqual(result.stdout, b"Received: PONG\n")
        self.assertEqual(result.returncode, 0)
        provider.wait_for("channel ended: OK")


if __name__ == "__main__":
    unittest.main()
