"""Standard input, output and error: closed at the start, full, or read by nobody any more."""

import contextlib
import os
import signal
import socket
import subprocess
import unittest

from harness import (AGENT, HOST, PATIENCE, SystemTest, binary, echo_through, eventually,
                     how_it_ends, payload, read_all, read_exactly)

FAILURE, USAGE, TUNNEL_FAILED = 1, 2, 255


def closing(redirections, argv):
    """A command line that runs `argv` without some of its standard descriptors: "<&- 2>&-"."""
    return ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", *argv]


class Missing(SystemTest):
    """What the caller left closed is /dev/null, and no socket takes its number."""

    def assert_standard_descriptors(self, process):
        def all_are_files():
            targets = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
            return all(target == "/dev/null" or target.startswith("pipe:") for target in targets)

        self.assertTrue(all_are_files())

    def test_connect_without_standard_input(self):
        echo = self.echo_server()
        broker = self.broker()
        self.agent(broker)
        done = self.run_to_end(closing("<&-", self.connect_command(broker, f"{AGENT}:{echo.port}")))
        self.assertEqual((0, b"", b""), (done.returncode, done.stdout, done.stderr))

    def test_connect_without_standard_output_or_error(self):
        echo = self.echo_server()
        broker = self.broker()
        self.agent(broker)
        argv = self.connect_command(broker, f"{AGENT}:{echo.port}")
        for redirections, out in ((">&-", b""), ("2>&-", b"hello"), (">&- 2>&-", b"")):
            with self.subTest(redirections=redirections):
                done = subprocess.run(closing(redirections, argv), input=b"hello",
                                      capture_output=True, timeout=PATIENCE, env=self.env,
                                      check=False)
                self.assertEqual((0, out, b""), (done.returncode, done.stdout, done.stderr))

    def test_connect_that_fails_without_standard_error(self):
        argv = [binary("culvert"), "connect", "--insecure", "--broker", f"{HOST}:1",
                "--open-timeout", "100ms", "edge-1:22"]
        for redirections in ("2>&-", "<&- >&- 2>&-"):
            done = self.run_to_end(closing(redirections, argv))
            self.assertEqual((TUNNEL_FAILED, b"", b""),
                             (done.returncode, done.stdout, done.stderr))

    def daemon(self, redirections, argv):
        return self.start(closing(redirections, argv), name=argv[0])

    def test_daemons_without_standard_input_and_error(self):
        echo = self.echo_server()
        redirections = "<&- 2>&-"
        broker = self.daemon(redirections, [binary("culvert-broker"), "serve", "--insecure",
                                            "--listen", f"{HOST}:0"])
        broker.address = broker.stdout.expect(r"^listening on (\S+)$")[1]
        agent = self.daemon(redirections, [binary("culvert-agent"), "run", "--insecure", "--broker",
                                           broker.address, "--name", AGENT, "--allow",
                                           f"{HOST}:*"])
        forwarder = self.daemon(redirections, [binary("culvert"), "forward", "--insecure",
                                               "--broker", broker.address, "-L",
                                               f"0:{AGENT}:{echo.port}"])
        port = int(forwarder.stdout.expect(r"^forwarding \S+:(\d+) -> ")[1])

        def carries():
            with contextlib.suppress(ConnectionError):
                return echo_through(port, payload(10_000))
            return False

        self.assertTrue(eventually(carries))  # the agent cannot say that it is registered
        for daemon in (forwarder, agent, broker):
            self.assert_standard_descriptors(daemon)
            daemon.signal(signal.SIGTERM)
            self.assertEqual(0, daemon.wait())

    def test_daemons_without_standard_output(self):
        for argv, started in (
                (["culvert-broker", "serve", "--listen", f"{HOST}:0"], None),
                (["culvert-agent", "run", "--broker", f"{HOST}:1", "--name", AGENT],
                 "not registered"),
                (["culvert", "forward", "--broker", f"{HOST}:1", "-L", "0:edge-1:22"], None)):
            with self.subTest(program=argv[0]):
                daemon = self.daemon(">&-", [binary(argv[0]), *argv[1:], "--insecure",
                                             "--log-level", "debug"])
                if started:
                    daemon.stderr.expect(started)
                else:
                    self.assertTrue(eventually(lambda pid=daemon.pid: listens(pid)))
                self.assert_standard_descriptors(daemon)
                daemon.signal(signal.SIGTERM)
                self.assertEqual(0, daemon.wait())


def listens(pid):
    """Whether the process has a listening socket."""
    with contextlib.suppress(FileNotFoundError):
        inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return any(row[3] == "0A" and f"socket:[{row[9]}]" in inodes for row in rows)
    return False


def catches(pid, number):
    """Whether the process has a handler for the signal."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        mask = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
    return int(mask, 16) >> (number - 1) & 1


class Full(SystemTest):
    """Results that cannot be written are an error, in one line."""

    def check(self, argv):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, timeout=PATIENCE, env=self.env,
                                  check=False)
        self.assertEqual(FAILURE, done.returncode, done.stderr)
        self.assertEqual(1, done.stderr.count(b"\n"), done.stderr)
        self.assertIn(b"standard output: No space left on device", done.stderr)

    def test_ready_lines(self):
        argv = [binary("culvert"), "forward", "--insecure", "--broker", f"{HOST}:1", "-L",
                "0:edge-1:22"]
        self.check(argv)
        self.check(argv + ["--json"])

    def test_help_and_version(self):
        for program in ("culvert", "culvert-agent", "culvert-broker"):
            self.check([binary(program), "--help"])
            self.check([binary(program), "version"])

    def test_connect(self):
        server = self.serve(lambda stream: stream.sendall(b"x" * 1000))
        broker = self.broker()
        self.agent(broker)
        with open("/dev/full", "wb") as full:
            done = subprocess.run(self.connect_command(broker, f"{AGENT}:{server.port}"),
                                  stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                  timeout=PATIENCE, env=self.env, check=False)
        self.assertEqual(TUNNEL_FAILED, done.returncode, done.stderr)
        self.assertEqual(1, done.stderr.count(b"\n"), done.stderr)
        self.assertIn(b"write to standard output: no space left on device", done.stderr)
        self.assertNotIn(b"reset", done.stderr)


class ConnectEnds(SystemTest):
    """culvert connect while neither direction has ended and its standard input stays open."""

    def setUp(self):
        super().setUp()

        def handler(stream):
            stream.sendall(read_exactly(stream, 5))
            return how_it_ends(stream)

        self.server = self.serve(handler)
        self.their_broker = self.broker()
        self.agent(self.their_broker)
        self.argv = self.connect_command(self.their_broker, f"{AGENT}:{self.server.port}")

    def under_way(self):
        child = self.start_piped(self.argv)
        child.stdin.write(b"hello")
        child.stdin.flush()
        self.assertEqual(b"hello", child.stdout.read(5))
        return child

    def check_end(self, child):
        """It ends soon and without a word, and the target learns that this was no end."""
        self.assertEqual(TUNNEL_FAILED, child.wait(PATIENCE))
        self.assertEqual(b"", child.stderr.read())
        self.assertEqual("reset", self.server.result())

    def test_hang_up(self):
        child = self.under_way()
        child.send_signal(signal.SIGHUP)
        self.check_end(child)

    def test_end_of_the_parent(self):
        """Like ssh: it says its last words, closes the pipes, and hangs up."""
        def handler(stream):
            stream.sendall(read_exactly(stream, 5))
            return read_all(stream)

        server = self.serve(handler)
        self.argv = self.connect_command(self.their_broker, f"{AGENT}:{server.port}")
        child = self.under_way()
        data = payload(400_000)
        child.stdin.write(data)
        child.stdin.close()
        child.stdout.close()
        child.send_signal(signal.SIGHUP)
        self.assertEqual(data, server.result())
        self.assertEqual(0, child.wait(PATIENCE))
        self.assertEqual(b"", child.stderr.read())

    def test_hang_up_while_it_opens(self):
        self.their_broker.signal(signal.SIGSTOP)
        self.addCleanup(self.their_broker.signal, signal.SIGCONT)
        child = self.start_piped(self.argv)
        self.assertTrue(eventually(lambda: catches(child.pid, signal.SIGHUP)))
        child.send_signal(signal.SIGHUP)
        self.assertEqual(TUNNEL_FAILED, child.wait(PATIENCE))
        self.assertEqual(b"", child.stderr.read())

    def test_nobody_reads_a_pipe(self):
        child = self.under_way()
        child.stdout.close()
        self.check_end(child)

    def test_nobody_reads_a_socket(self):
        ours, theirs = socket.socketpair()
        child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=theirs,
                                 stderr=subprocess.PIPE, env=self.env)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        theirs.close()
        child.stdin.write(b"hello")
        child.stdin.flush()
        self.assertEqual(b"hello", read_exactly(ours, 5))
        ours.close()
        self.check_end(child)

    def test_nobody_reads_from_the_start(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=write_end,
                                 stderr=subprocess.PIPE, env=self.env)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        os.close(write_end)
        self.assertEqual(TUNNEL_FAILED, child.wait(PATIENCE))
        self.assertEqual(b"", child.stderr.read())


class ConnectEndsOnAStitchedPath(ConnectEnds):
    def under_way(self):
        child = super().under_way()
        self.their_broker.stderr.expect(r"resumed by .*, path 2$")
        return child


if __name__ == "__main__":
    unittest.main()
