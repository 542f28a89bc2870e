"""What users and strangers get wrong: one clear line and an exit code, and nobody else notices."""

import contextlib
import json
import random
import select
import socket
import subprocess
import time
import unittest

from harness import (AGENT, HOST, KIB, PATIENCE, SystemTest, binary, dial, echo_through, eventually,
                     fate, how_it_ends, note, payload, read_all, reserved_port, reset, round_trip)

FAILURE, USAGE, TUNNEL_FAILED = 1, 2, 255

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes(3) + b"\x04" + bytes(5)

# The beginning of a TLS 1.2 ClientHello as OpenSSL sends it, padded to its length.
CLIENT_HELLO = (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + payload(32, 41) + b"\x00\x00\x04"
                + b"\xc0\x2b\xc0\x2f" + b"\x01\x00\x00\x97" + bytes(0x97))


class CommandLineTest(SystemTest):
    def check(self, argv, code, *words, env=None):
        """It fails with `code` and says why in one line that has all of `words`."""
        done = self.run_to_end(argv, env=env)
        error = done.stderr.decode()
        self.assertEqual(code, done.returncode, error)
        self.assertEqual("", done.stdout.decode())
        self.assertEqual(1, error.count("\n"), error)
        self.assertTrue(error.endswith("\n"), error)
        self.assertTrue(error[:-1].isprintable(), error)
        for word in words:
            self.assertIn(word, error)
        return error

    def forward(self, *args):
        return [binary("culvert"), "forward", "--broker", f"{HOST}:1", "--insecure", *args]

    def connect(self, *args):
        return [binary("culvert"), "connect", "--broker", f"{HOST}:1", "--insecure", *args]


class CommandLine(CommandLineTest):
    def test_malformed_forwards(self):
        for spec in ("", ":", "2222", "2222:edge-1", "2222:edge-1:", "2222::22", ":::",
                     "65536:edge-1:22", "99999999999999999999:edge-1:22", "-1:edge-1:22",
                     "2222:edge-1:0", "2222:edge-1:65536", "2222:edge-1:ssh", "2222:edge 1:22",
                     "2222:-edge:22", "2222:edge-1:a:b:22", "2222:edge-1:::1:22",
                     "[::1:2222:edge-1:22", "::1]:2222:edge-1:22", "::1:2222:edge-1:22",
                     "300.0.0.1:2222:edge-1:22", "example.com:2222:edge-1:22",
                     "2222:edge-1:127.1:22", "2222:edge-1:0x7f.1:22", "2222:edge-1:[::1:22",
                     "2222:edge-1:host name:22", "2222:edge-1:\x1b[31m:22",
                     "2222:" + "e" * 129 + ":22",
                     "2222:edge-1:22\n33"):
            with self.subTest(spec=spec):
                self.check(self.forward("-L", spec), USAGE, "culvert: ")

    def test_a_malformed_forward_is_quoted_with_what_was_expected(self):
        self.check(self.forward("-L", "2222:edge-1"), USAGE, '"2222:edge-1"',
                   "[bind_address:]port:agent:[host:]hostport")

    def test_forward_without_anything_to_forward(self):
        self.check(self.forward(), USAGE, "-L")

    def test_malformed_connects(self):
        for target in ("", "edge-1", "edge-1:", ":22", "edge-1:0", "edge-1:99999", "edge-1:a:b:22",
                       "edge 1:22", "edge-1:[::1:22"):
            with self.subTest(target=target):
                self.check(self.connect(target), USAGE, "culvert: ")
        self.check(self.connect(), USAGE, "agent:[host:]port")
        self.check(self.connect("edge-1:22", "edge-1:23"), USAGE, "one argument")

    def test_malformed_allow_rules(self):
        for rule in ("", "22", "host", "host:", ":22", "host:0", "host:65536", "host:x",
                     "10.0.0.0/33:22", "10.0.0.1/8:22", "[::1:22", "300.1.1.1:22", "a b:22"):
            with self.subTest(rule=rule):
                self.check([binary("culvert-agent"), "run", "--broker", f"{HOST}:1", "--name",
                            AGENT, "--insecure", "--allow", rule], USAGE, "culvert-agent: ")

    def test_malformed_paths(self):
        for path in ("", "fast", "AUTO", "stitched", "auto,stream"):
            with self.subTest(path=path):
                for argv in (self.forward("-L", "0:edge-1:22"), self.connect("edge-1:22"),
                             [binary("culvert-agent"), "run", "--broker", f"{HOST}:1", "--name",
                              AGENT, "--insecure"]):
                    self.check([*argv, "--path", path], USAGE, f'--path "{path}"',
                               "expected auto or stream")
        env = self.env | {"CULVERT_PATH": "fast"}
        self.check(self.connect("edge-1:22"), USAGE, "CULVERT_PATH", "fast", env=env)
        config = self.write("path.toml", "path = 'fast'")
        self.check(self.connect("edge-1:22", "--config", config), USAGE, "path.toml:1:", "fast")

    def test_malformed_data_ports(self):
        broker = [binary("culvert-broker"), "serve", "--insecure", "--listen", f"{HOST}:7000"]
        for flags, *words in ((["--data-port", "on"], "on", "off"),
                              (["--data-port", "70000"], "70000"),
                              (["--data-port", f"{HOST}:7401"], "expected a port"),
                              (["--data-port", "7000"], "--listen"),
                              (["--advertise-data", "0"], "expected a port"),
                              (["--data-port", "off", "--advertise-data", "1"], "--data-port")):
            with self.subTest(flags=flags):
                for more in ([], ["--check-config"]):
                    self.check([*broker, *flags, *more], USAGE, *words)

    def test_a_data_port_that_is_taken_is_named(self):
        broker = [binary("culvert-broker"), "serve", "--insecure", "--listen", f"{HOST}:0"]
        with socket.create_server((HOST, 0)) as busy:
            port = busy.getsockname()[1]
            self.check([*broker, "--data-port", str(port)], FAILURE, "data port", f"{HOST}:{port}")

    def test_unknown_commands_and_flags(self):
        for program, command in (("culvert", "forward"), ("culvert-agent", "run"),
                                 ("culvert-broker", "serve")):
            with self.subTest(program=program):
                path = binary(program)
                self.check([path, "frobnicate"], USAGE, f"{program}: ", "frobnicate")
                self.check([path, "--frobnicate"], USAGE, f"{program}: ", "--frobnicate")
                self.check([path, command, "--frobnicate"], USAGE, f"{program}: ", "frobnicate")
                self.check([path, command, "--log-level", "loud"], USAGE, "loud", "debug")
                self.check([path, command, "--grace", "soon"], USAGE, "soon")
                self.check([path, command, "--grace"], USAGE, "grace")

    def test_what_is_required(self):
        agent = [binary("culvert-agent"), "run", "--insecure"]
        self.check(agent + ["--name", AGENT], USAGE, "--broker")
        self.check(agent + ["--broker", f"{HOST}:1"], USAGE, "--name")

    def test_no_run_without_identity(self):
        state = ["--state-dir", self.path("nobody")]
        for argv in ([binary("culvert-agent"), "run", "--broker", f"{HOST}:1"],
                     [binary("culvert"), "forward", "--broker", f"{HOST}:1", "-L", "0:edge-1:22"],
                     [binary("culvert"), "connect", "--broker", f"{HOST}:1", "edge-1:22"]):
            with self.subTest(program=argv[:2]):
                self.check(argv + state, USAGE, "no identity", "enroll --broker")

    def test_insecure_stays_on_loopback(self):
        for listen in ("0.0.0.0:0", "[::]:0", "*:0", "192.0.2.1:0"):
            with self.subTest(listen=listen):
                self.check([binary("culvert-broker"), "serve", "--insecure", "--listen", listen],
                           USAGE, "loopback")
        for spec in ("0.0.0.0:0:edge-1:22", "*:0:edge-1:22", ":0:edge-1:22", "[::]:0:edge-1:22"):
            with self.subTest(spec=spec):
                self.check(self.forward("-L", spec), USAGE, "loopback")
        for broker in ("192.0.2.1:7400", "broker.example.com", "[2001:db8::1]:7400"):
            with self.subTest(broker=broker):
                for argv in ([binary("culvert"), "forward", "-L", "0:edge-1:22"],
                             [binary("culvert"), "connect", "edge-1:22"],
                             [binary("culvert-agent"), "run", "--name", AGENT]):
                    self.check(argv + ["--insecure", "--broker", broker], USAGE, "loopback")

    def test_malformed_config_files(self):
        for content, *words in (("broker =", ":1:"), ("borker = 'x'", "borker"),
                                ("grace = true", "grace"),
                                ("[[forward]]\nlocal = '1'\nagent = 'a'\n", "target"),
                                ("[[forward]]\nlocal = 1\nagent = 'a'\ntarget = 1\nx = 1\n", "x"),
                                ("log_level = 'loud'", "loud"), ("\xff\xfe", ""),
                                ("a" * 2_000_000, "")):
            with self.subTest(content=content[:60]):
                path = self.write("bad.toml", content.encode("latin-1"))
                self.check(self.forward("-L", "0:edge-1:22", "--config", path), USAGE,
                           "bad.toml", *words)
        missing = self.path("missing.toml")
        self.check(self.forward("-L", "0:edge-1:22", "--config", missing), USAGE, missing)
        self.check(self.forward("-L", "0:edge-1:22", "--config", self.directory), USAGE,
                   self.directory)

    def test_malformed_environment(self):
        env = self.env | {"CULVERT_LOG_LEVEL": "loud"}
        self.check(self.forward("-L", "0:edge-1:22"), USAGE, "CULVERT_LOG_LEVEL", "loud", env=env)

    def test_busy_port_is_named(self):
        with socket.create_server((HOST, 0)) as busy:
            port = busy.getsockname()[1]
            self.check(self.forward("-L", f"{port}:edge-1:22"), FAILURE, f"{HOST}:{port}")
            self.check([binary("culvert-broker"), "serve", "--insecure", "--listen",
                        f"{HOST}:{port}"], FAILURE, f"{HOST}:{port}")

    def test_busy_port_among_many_is_named_alone(self):
        with socket.create_server((HOST, 0)) as busy:
            port = busy.getsockname()[1]
            # check() wants nothing on stdout: not the address that could be bound either.
            self.check([binary("culvert-broker"), "serve", "--insecure", "--listen", f"{HOST}:0",
                        "--listen", f"{HOST}:{port}"], FAILURE, f"{HOST}:{port}")

    def test_addresses_that_cannot_be_printed_end_the_broker(self):
        with open("/dev/full", "wb") as full:
            child = subprocess.run([binary("culvert-broker"), "serve", "--insecure", "--listen",
                                    f"{HOST}:0"], stdin=subprocess.DEVNULL, stdout=full,
                                   stderr=subprocess.PIPE, timeout=30, env=self.env, check=False)
        self.assertEqual(FAILURE, child.returncode)
        self.assertIn(b"standard output: No space left on device", child.stderr)
        self.assertEqual(1, child.stderr.count(b"\n"), child.stderr)

    def test_busy_port_among_many_ends_the_forwarder(self):
        with socket.create_server((HOST, 0)) as busy:
            port = busy.getsockname()[1]
            done = self.run_to_end(self.forward("-L", "0:edge-1:22", "-L", f"{port}:edge-1:22"))
            self.assertEqual(FAILURE, done.returncode)
            self.assertEqual(1, done.stderr.count(b"\n"), done.stderr)
            self.assertIn(f"{HOST}:{port}".encode(), done.stderr)
            self.assertEqual(b"", done.stdout)  # none is said to be ready

    def test_a_local_port_that_is_forwarded_twice(self):
        with reserved_port() as port:
            self.check(self.forward("-L", f"{port}:edge-1:22", "-L", f"{port}:edge-1:22"), USAGE,
                       f"{HOST}:{port} is forwarded twice")

    def test_check_config_tells_without_running(self):
        good = self.write("good.toml", "[[forward]]\nlocal = '0'\nagent = 'a'\ntarget = '22'\n")
        argv = [binary("culvert"), "forward", "--check-config", "--config", good]
        done = self.run_to_end(argv + ["--insecure"])
        self.assertEqual((0, b"configuration ok\n", b""),
                         (done.returncode, done.stdout, done.stderr))
        self.check(argv + ["--state-dir", self.path("nobody")], USAGE, "no identity")
        self.check(argv + ["--insecure", "--broker", "192.0.2.1"], USAGE, "loopback")
        agent = [binary("culvert-agent"), "run", "--check-config", "--name", AGENT, "--broker"]
        self.check(agent + [f"{HOST}:1", "--state-dir", self.path("nobody")], USAGE, "no identity")
        self.check(agent + ["192.0.2.1", "--insecure"], USAGE, "loopback")


class Connect(CommandLineTest):
    """culvert connect: stdout is the target's alone."""

    def through(self, broker, target, stdin=b""):
        began = time.monotonic()
        child = self.start_piped(self.connect_command(broker, target))
        out, err = child.communicate(stdin, timeout=PATIENCE)
        self.took = time.monotonic() - began
        return child.returncode, out, err.decode()

    def check_failure(self, outcome, *words):
        code, out, err = outcome
        self.assertEqual((TUNNEL_FAILED, b""), (code, out), err)
        self.assertEqual(1, err.count("\n"), err)
        for word in words:
            self.assertIn(word, err)

    def test_denied_target(self):
        broker = self.broker()
        self.agent(broker, allow=[f"{HOST}:1"])
        self.check_failure(self.through(broker, f"{AGENT}:22"), "culvert: ", AGENT, "denied",
                           f"{HOST}:22")
        self.assertLess(self.took, 3)

    def test_refused_target(self):
        broker = self.broker()
        self.agent(broker, allow=[f"{HOST}:*"])
        with reserved_port() as nobody:
            self.check_failure(self.through(broker, f"{AGENT}:{nobody}"), "connection refused")
        self.assertLess(self.took, 3)

    def test_unknown_agent(self):
        self.check_failure(self.through(self.broker(), "nobody:22"), "nobody", "unknown")
        self.assertLess(self.took, 8)  # 5 s of a broker that has just started, and no retry

    def test_broker_that_is_not_there(self):
        broker = self.broker()
        command = self.connect_command(broker, "--open-timeout", "1s", "edge-1:22")
        broker.kill()
        child = self.start_piped(command)
        out, err = child.communicate(timeout=PATIENCE)
        self.check_failure((child.returncode, out, err.decode()), "broker", "refused")

    def test_clean_end_with_both_directions(self):
        server = self.serve(lambda stream: stream.sendall(read_all(stream)))
        broker = self.broker()
        self.agent(broker)
        data = payload(3_000_000, 42)
        self.assertEqual((0, data, ""), self.through(broker, f"{AGENT}:{server.port}", data))

    def test_reset_by_the_target(self):
        def handler(stream):
            stream.sendall(b"partial")
            stream.recv(1)
            reset(stream)

        server = self.serve(handler)
        broker = self.broker()
        self.agent(broker)
        child = self.start_piped(self.connect_command(broker, f"{AGENT}:{server.port}"))
        self.assertEqual(b"partial", child.stdout.read(7))
        out, err = child.communicate(b"x", timeout=PATIENCE)
        self.check_failure((child.returncode, out, err.decode()), "connection reset")


class ControlPort(SystemTest):
    """Garbage beside a connection that is in use all the time."""

    def setUp(self):
        super().setUp()
        self.echo = self.echo_server()
        # What is parked at a data port comes and goes, and descriptors are counted here.
        self.t = self.tunnel(self.echo.port, broker=["--data-port", "off"])
        self.address = HOST, int(self.t.broker.address.rsplit(":", 1)[1])
        self.user = self.enterContext(dial(self.t.port))
        self.slowest = 0.0
        self.good()
        self.base = self.t.broker.descriptors()

    def good(self):
        """The connection that is in use is answered."""
        self.slowest = max(self.slowest, round_trip(self.user, b"still here"))

    def stranger(self):
        return self.enterContext(socket.create_connection(self.address, PATIENCE))

    def assert_unharmed(self):
        self.good()
        self.assertTrue(echo_through(self.t.port, payload(200_000, 43)))
        self.assertTrue(eventually(lambda: self.t.broker.descriptors() <= self.base + 3))
        self.assertIsNone(self.t.broker.returncode)
        self.assertLess(self.slowest, 2)
        note(f"slowest round trip beside it: {self.slowest * 1000:.1f} ms")

    def test_garbage_is_hung_up_on(self):
        source = random.Random(44)
        openings = [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    b"POST /ntt.proxies.v1.BrokerService/Connect HTTP/1.0\r\n\r\n", CLIENT_HELLO,
                    b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 1000, b"\xff" * 1000,
                    PREFACE + b"\xff" * 100, PREFACE + SETTINGS + b"\0\xff\xff\x00" + bytes(5),
                    PREFACE + SETTINGS + bytes(2) + b"\x05\x01\x05\0\0\0\1" + b"\xff" * 5]
        openings += [source.randbytes(source.randrange(1, 4000)) for _ in range(50)]
        openings += [PREFACE + source.randbytes(source.randrange(9, 400)) for _ in range(50)]
        strangers = []
        for opening in openings:
            strangers.append(self.stranger())
            strangers[-1].sendall(opening)
            self.good()
        for stranger in strangers:
            with contextlib.suppress(OSError):
                stranger.shutdown(socket.SHUT_WR)
        for stranger in strangers:
            self.assertIn(how_it_ends(stranger), ("eof", "reset"))
        self.assert_unharmed()

    def test_strangers_that_hold_on_are_ended(self):
        """All at once, because each of them takes its time."""
        slow = self.stranger()
        limits = {slow: ("one byte a second", 14)}
        for opening, what, limit in (
                (b"", "nothing", 13), (PREFACE[:-3], "part of the preface", 13),
                (PREFACE, "no settings", 13), (CLIENT_HELLO[:20], "part of a ClientHello", 13),
                (PREFACE + SETTINGS, "no answer to a ping", 25)):
            for _ in range(10):
                stranger = self.stranger()
                stranger.sendall(opening)
                limits[stranger] = what, limit

        began = time.monotonic()
        bytes_left = iter(PREFACE + SETTINGS)
        ended = {}
        while limits:
            self.good()
            took = time.monotonic() - began
            if slow in limits and took > len(PREFACE + SETTINGS) - bytes_left.__length_hint__():
                with contextlib.suppress(OSError):
                    slow.sendall(bytes([next(bytes_left)]))
            for stranger in select.select(list(limits), [], [], 0.1)[0]:
                if self.has_ended(stranger):
                    ended[limits.pop(stranger)[0]] = took
            late = {what for what, limit in limits.values() if took > limit}
            self.assertFalse(late, f"still open after {took:.1f} s")
        for what, took in ended.items():
            note(f"{what}: ended after {took:.1f} s")
        self.assert_unharmed()

    def test_many_connections_at_once_and_gone_again(self):
        for _ in range(5):
            strangers = [socket.create_connection(self.address, PATIENCE) for _ in range(100)]
            for stranger in strangers:
                stranger.sendall(PREFACE + SETTINGS)
            self.good()
            for stranger in strangers:
                stranger.close()
        self.assert_unharmed()

    @staticmethod
    def has_ended(stranger):
        try:
            return not stranger.recv(64 * KIB)
        except ConnectionResetError:
            return True


class Json(SystemTest):
    secure = False

    def test_refusals_leave_stdout_to_the_results(self):
        broker = self.broker()
        forwarder = self.start([binary("culvert"), "forward", "--broker", broker.address,
                                "--insecure", "--json", "-L", "0:nobody:22"])
        ready = json.loads(forwarder.stdout.expect("^{.*}$")[0])
        self.assertEqual("reset", fate(int(ready["listen"].rsplit(":", 1)[1])))
        forwarder.stderr.expect("unknown agent")
        self.assertEqual(1, forwarder.stdout.position())


if __name__ == "__main__":
    unittest.main()
