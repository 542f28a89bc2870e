"""Signals: SIGTERM drains, SIGHUP reloads. And the lines that say what is forwarded."""

import json
import re
import signal
import socket
import threading
import time
import unittest

from harness import (AGENT, HOST, MIB, PATIENCE, SystemTest, Task, binary, dial, echo_through,
                     eventually, fate, how_it_ends, note, payload, read_all, reserved_port,
                     round_trip)


def is_refused(port):
    """Whether nothing listens there. The kernel may have accepted what is then reset."""
    try:
        dial(port).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


class Drain(SystemTest):
    """A transfer is under way when the signal comes; it goes on when `go_on` is set."""

    DATA = payload(8 * MIB, 51)

    def setUp(self):
        super().setUp()
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)

    def under_way(self, **options):
        def handler(stream):
            stream.sendall(self.DATA)
            self.go_on.wait(PATIENCE)
            stream.sendall(self.DATA)
            stream.shutdown(socket.SHUT_WR)
            return read_all(stream)

        self.server = self.serve(handler)
        self.echo = self.echo_server()
        self.t = self.tunnel(self.server.port, self.echo.port, **options)
        self.client = self.enterContext(dial(self.t.port))
        self.got = bytearray()
        while len(self.got) < len(self.DATA):
            self.got += self.client.recv(MIB)

    def complete(self):
        """The rest of the transfer, and an end in order in both directions."""
        self.go_on.set()
        self.got += read_all(self.client)
        self.assertTrue(self.got == self.DATA * 2)
        self.client.sendall(b"done")
        self.client.shutdown(socket.SHUT_WR)
        self.assertEqual(b"done", self.server.result())

    def test_forwarder_drains(self):
        self.under_way()
        forwarder = self.t.forwarder
        forwarder.signal(signal.SIGTERM)
        forwarder.stderr.expect("SIGTERM: draining")
        self.assertTrue(eventually(lambda: is_refused(self.t.ports[1])))
        self.assertTrue(is_refused(self.t.ports[0]))
        self.assertIsNone(forwarder.returncode)
        self.complete()
        self.assertEqual(0, forwarder.wait())
        forwarder.stderr.expect("ended after .*: closed$")

    def test_agent_drains(self):
        self.under_way()
        agent = self.t.agent
        agent.signal(signal.SIGTERM)
        agent.stderr.expect("SIGTERM: draining")
        self.t.broker.stderr.expect(f"agent projects/default/{AGENT} left")
        # A second agent takes what is new from now on.
        self.agent(self.t.broker)
        self.assertTrue(echo_through(self.t.ports[1], payload(10_000)))
        self.assertIsNone(agent.returncode)
        self.complete()
        self.assertEqual(0, agent.wait())
        agent.stderr.expect("ended after .*: closed$")

    def test_broker_drains(self):
        self.under_way_without_resume(forwarder=["--open-timeout", "2s"])
        broker = self.t.broker
        broker.signal(signal.SIGTERM)
        broker.stderr.expect("SIGTERM: draining")
        self.assertEqual("reset", fate(self.t.ports[1]))
        self.assertIsNone(broker.returncode)
        self.complete()
        self.assertEqual(0, broker.wait())
        broker.stderr.expect("ended after .*: closed$")

    def test_everything_idle_ends_at_once(self):
        tunnel = self.tunnel(9)
        for name in ("forwarder", "agent", "broker"):
            program = tunnel.programs[name]
            began = time.monotonic()
            program.signal(signal.SIGTERM)
            self.assertEqual(0, program.wait())
            took = time.monotonic() - began
            note(f"idle {name}: ended {took * 1000:.0f} ms after SIGTERM")
            self.assertLess(took, 5)

    def test_interrupt_is_the_same(self):
        self.under_way()
        self.t.forwarder.signal(signal.SIGINT)
        self.t.forwarder.stderr.expect("SIGINT: draining")
        self.complete()
        self.assertEqual(0, self.t.forwarder.wait())

    def under_way_without_resume(self, **flags):
        """With programs that do not wait for a broker which is not started again."""
        for name in ("agent", "forwarder"):
            flags[name] = [*flags.get(name, []), "--resume-timeout", "0"]
        self.under_way(**flags)

    def ends_with_reset(self, program, began, limit):
        self.assertEqual("reset", how_it_ends(self.client))
        self.go_on.set()
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            self.server.result()
        code = program.wait()
        took = time.monotonic() - began
        note(f"{program.name}: ended after {took:.2f} s with {code}")
        self.assertGreaterEqual(code, 0)
        self.assertLess(took, limit)
        return took

    def test_grace_is_over(self):
        for name in ("forwarder", "agent", "broker"):
            with self.subTest(program=name):
                self.go_on.clear()
                begin = self.under_way_without_resume if name == "broker" else self.under_way
                begin(**{name: ["--grace", "1s"]})
                program = self.t.programs[name]
                began = time.monotonic()
                program.signal(signal.SIGTERM)
                program.stderr.expect("grace is over")
                self.assertGreater(self.ends_with_reset(program, began, 8), 0.9)

    def test_second_signal_ends_at_once(self):
        for name in ("forwarder", "agent", "broker"):
            with self.subTest(program=name):
                self.go_on.clear()
                begin = self.under_way_without_resume if name == "broker" else self.under_way
                begin()
                program = self.t.programs[name]
                began = time.monotonic()
                program.signal(signal.SIGTERM)
                program.stderr.expect("draining")
                program.signal(signal.SIGTERM)
                self.ends_with_reset(program, began, 8)

    def test_connect_that_is_interrupted_fails(self):
        self.under_way()
        child = self.start_piped(self.connect_command(self.t.broker, f"{AGENT}:{self.echo.port}"))
        child.stdin.write(b"hello")
        child.stdin.flush()
        self.assertEqual(b"hello", child.stdout.read(5))
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual((255, b""), (child.returncode, out))
        self.assertEqual(1, err.count(b"\n"), err)


class Reload(SystemTest):
    secure = False

    def reload(self, program, words):
        start = program.stderr.position()
        program.signal(signal.SIGHUP)
        program.stderr.expect(words, start=start)

    def test_allow_list_of_the_agent(self):
        echo, other = self.echo_server(), self.echo_server()
        config = self.write("agent.toml", f"allow = ['{HOST}:{echo.port}']\n")
        broker = self.broker()
        agent = self.agent(broker, "--config", config, allow=())
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}",
                                                     f"0:{AGENT}:{other.port}"])
        first, second = forwarder.ports
        with dial(first) as open_before:
            round_trip(open_before)
            self.assertTrue(self.is_denied(second))

            self.write("agent.toml", f"allow = ['{HOST}:{other.port}']\n")
            self.reload(agent, "configuration reloaded, 1 rules")
            round_trip(open_before)  # what is open stays
            self.assertTrue(self.is_denied(first))
            self.assertTrue(echo_through(second, payload(1000)))

            self.write("agent.toml", "allow = ['not a rule']\n")
            self.reload(agent, " error configuration not reloaded: .*agent.toml:1:.*not a rule")
            round_trip(open_before)
            self.assertTrue(self.is_denied(first))
            self.assertTrue(echo_through(second, payload(1000)))  # the old list counts

            self.write("agent.toml", "allow = []\n")
            self.reload(agent, "configuration reloaded, 0 rules")
            round_trip(open_before)
            self.assertTrue(self.is_denied(second))

    @staticmethod
    def is_denied(port):
        return fate(port) == "reset"

    def test_forwards_are_added_and_removed(self):
        echo = self.echo_server()
        with reserved_port() as first, reserved_port() as second, reserved_port() as third:
            def forwards(*ports):
                return "".join(f"[[forward]]\nlocal = {port}\nagent = '{AGENT}'\n"
                               f"target = '{HOST}:{echo.port}'\n" for port in ports)

            config = self.write("forward.toml", forwards(first, second))
            broker = self.broker()
            self.agent(broker)
            forwarder = self.forwarder(broker, "--config", config)
            forwarder.stdout.expect(f"^forwarding {HOST}:{second} -> ")
            with dial(first) as open_before, dial(second) as kept:
                round_trip(open_before)
                round_trip(kept)
                self.write("forward.toml", forwards(second, third))
                self.reload(forwarder, "configuration reloaded, 2 forwards")
                forwarder.stdout.expect(f"^forwarding {HOST}:{third} -> ")
                self.assertTrue(echo_through(third, payload(1000)))
                self.assertTrue(is_refused(first))
                round_trip(open_before)  # the connection outlives its forward
                round_trip(kept)

                self.write("forward.toml", forwards(first) + "nonsense = 1\n")
                self.reload(forwarder, " error configuration not reloaded: .*toml:.*nonsense")
                self.assertTrue(echo_through(second, payload(1000)))
                self.assertTrue(echo_through(third, payload(1000)))

                # One that cannot be bound harms no other.
                with socket.create_server((HOST, 0)) as busy:
                    port = busy.getsockname()[1]
                    self.write("forward.toml", forwards(second, port))
                    start = forwarder.stderr.position()
                    self.reload(forwarder, f" error forward .*{HOST}:{port}")
                    forwarder.stderr.expect(
                        "configuration reloaded in part: 1 forwards, 1 not started", start=start)
                self.assertTrue(echo_through(second, payload(1000)))
                round_trip(kept)

    def test_two_forwards_of_one_kind_are_two(self):
        entry = f"[[forward]]\nlocal = 0\nagent = '{AGENT}'\ntarget = 22\n"
        config = self.write("forward.toml", entry)
        forwarder = self.forwarder(self.broker(), "--config", config)
        forwarder.stdout.expect("^forwarding ")
        for count in (3, 2, 2):
            self.write("forward.toml", entry * count)
            self.reload(forwarder, f"configuration reloaded, {count} forwards")
        self.assertEqual(3, forwarder.stdout.position())

    def test_what_needs_a_restart_is_named(self):
        broker = self.broker()
        allow = f"broker = '{broker.address}'\ninsecure = true\nallow = ['{HOST}:*']\n"
        config = self.write("agent.toml", allow + f"name = '{AGENT}'\n")
        agent = self.start([binary("culvert-agent"), "run", "--config", config])
        agent.stderr.expect("registered as")
        self.write("agent.toml", allow + "name = 'other'\nregion = 'eu'\n")
        self.reload(agent, " warning changed, but used from the next start only: name, region$")
        self.write("agent.toml", allow.replace("insecure = true", "") + f"name = '{AGENT}'\n")
        self.reload(agent, " error configuration not reloaded: .*no identity")

        entry = f"[[forward]]\nlocal = 0\nagent = '{AGENT}'\ntarget = 22\n"
        config = self.write("forward.toml", entry)
        forwarder = self.forwarder(broker, "--config", config)
        forwarder.stdout.expect("^forwarding ")
        self.write("forward.toml", "project = 'other'\n" + entry)
        self.reload(forwarder, " warning changed, but used from the next start only: project$")

    def test_log_level(self):
        echo = self.echo_server()
        config = self.write("agent.toml", f"allow = ['{HOST}:*']\nlog_level = 'info'\n")
        broker = self.broker()
        agent = self.agent(broker, "--config", config, allow=())
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"])
        self.write("agent.toml", f"allow = ['{HOST}:*']\nlog_level = 'debug'\n")
        self.reload(agent, "configuration reloaded")
        self.assertTrue(echo_through(forwarder.ports[0], payload(10)))
        agent.stderr.expect(" debug ")

    def test_broker(self):
        echo = self.echo_server()
        config = self.write("broker.toml", "max_streams_per_address = 100\n")
        broker = self.broker("--config", config)
        self.agent(broker)
        forwarder = self.forwarder(broker, "--open-timeout", "1s",
                                   forwards=[f"0:{AGENT}:{echo.port}"])
        port = forwarder.ports[0]
        with dial(port) as open_before:
            round_trip(open_before)
            self.write("broker.toml", "max_streams_per_address = 3\n")  # all in use
            self.reload(broker, "configuration reloaded")
            self.assertEqual("reset", fate(port))
            forwarder.stderr.expect("ended after .*too many streams from 127.0.0.1")
            broker.stderr.expect(r" warning too many streams from 127.0.0.1 \(limit 3\)$")
            # The forwarder tries again at least twice in its first second.
            self.assertLess(broker.stderr.count(" warning too many"), 3)
            round_trip(open_before)
            self.write("broker.toml", "max_streams_per_address = 'many'\n")
            self.reload(broker, " error configuration not reloaded: .*broker.toml")
            self.write("broker.toml", "max_streams_per_address = 100\n")
            self.reload(broker, " info configuration reloaded")
            self.assertTrue(echo_through(port, payload(1000)))

    def test_broker_says_what_needs_a_restart(self):
        config = self.write("broker.toml", "")
        broker = self.broker("--config", config)
        self.reload(broker, "configuration reloaded")
        self.assertEqual(0, broker.stderr.count("restart"))
        self.write("broker.toml", "region = 'eu'\nmemory_limit = '2GiB'\n")
        self.reload(broker, "changed, but used from the next start only: region, memory_limit")

    def test_reload_in_a_storm_of_connections(self):
        echo = self.echo_server()
        config = self.write("agent.toml", f"allow = ['{HOST}:*']\n")
        broker = self.broker()
        agent = self.agent(broker, "--config", config, allow=())
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"])

        def some():
            return all(echo_through(forwarder.ports[0], payload(20_000)) for _ in range(50))

        tasks = [Task(some) for _ in range(4)]
        for _ in range(20):
            for program in (broker, agent, forwarder):
                self.reload(program, "configuration reloaded")
        for task in tasks:
            self.assertTrue(task.result())


class Ready(SystemTest):
    """What is printed on stdout, and nothing else is."""

    secure = False

    def test_lines_of_forward(self):
        broker = self.broker()
        with reserved_port() as port, reserved_port("::1") as six:
            forwarder = self.forwarder(
                broker, forwards=[f"{port}:edge-1:22", "127.0.0.1:0:edge-1:db.lan:5432",
                                  f"[::1]:{six}:edge-1:[fd00::1]:443", "localhost:0:edge-1:22"])
            self.assertEqual(4, forwarder.stdout.position())
            lines = forwarder.stdout.lines
            self.assertEqual(f"forwarding 127.0.0.1:{port} -> edge-1 127.0.0.1:22", lines[0])
            self.assertRegex(lines[1], r"^forwarding 127\.0\.0\.1:\d+ -> edge-1 db\.lan:5432$")
            self.assertEqual(f"forwarding [::1]:{six} -> edge-1 [fd00::1]:443", lines[2])
            self.assertRegex(lines[3], r"^forwarding 127\.0\.0\.1:\d+ -> edge-1 127\.0\.0\.1:22$")
            self.assertTrue(all(local > 0 for local in forwarder.ports))
            self.assertEqual(4, len(set(forwarder.ports)))

    def test_lines_as_json(self):
        broker = self.broker()
        forwarder = self.start([binary("culvert"), "forward", "--broker", broker.address,
                                "--insecure", "--json", "-L", "0:edge-1:22", "-L",
                                "[::1]:0:edge-1:db.lan:5432"])
        forwarder.stdout.expect("db.lan")
        first, second = (json.loads(line) for line in forwarder.stdout.lines)
        self.assertRegex(first["listen"], r"^127\.0\.0\.1:[1-9]\d*$")
        self.assertRegex(second["listen"], r"^\[::1\]:[1-9]\d*$")
        self.assertEqual({"event": "forwarding", "agent": "edge-1", "target": "127.0.0.1:22"},
                         {key: value for key, value in first.items() if key != "listen"})
        self.assertEqual("db.lan:5432", second["target"])

    def test_lines_of_the_broker_as_json(self):
        broker = self.start([binary("culvert-broker"), "serve", "--insecure", "--json", "--listen",
                             f"{HOST}:0", "--listen", "[::1]:0"])
        broker.stdout.expect("web")
        first, second, data, web = (json.loads(line) for line in broker.stdout.lines)
        self.assertEqual({"event": "data_port", "port": data["port"]}, data)
        self.assertEqual({"event": "listening"}, {k: first[k] for k in first if k != "address"})
        self.assertRegex(first["address"], r"^127\.0\.0\.1:[1-9]\d*$")
        self.assertRegex(second["address"], r"^\[::1\]:[1-9]\d*$")
        self.assertEqual({"event": "web"}, {k: web[k] for k in web if k != "address"})
        for row in (first, second, web):
            host, port = row["address"].rsplit(":", 1)
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()

    def test_ipv6_bind_carries(self):
        echo = self.echo_server()
        broker = self.broker(listen="[::1]:0")
        self.assertRegex(broker.address, r"^\[::1\]:[1-9]\d*$")
        self.agent(broker)
        forwarder = self.forwarder(broker, forwards=[f"[::1]:0:{AGENT}:{echo.port}"])
        self.assertTrue(echo_through(forwarder.ports[0], payload(50_000), host="::1"))

    def test_file_with_many_forwards(self):
        echo = self.echo_server()
        count = 200
        entry = f"[[forward]]\nlocal = '0'\nagent = '{AGENT}'\ntarget = {echo.port}\n"
        broker = self.broker()
        self.agent(broker)
        config = self.write("forward.toml", f"broker = '{broker.address}'\n" + entry * count)
        forwarder = self.start([binary("culvert"), "forward", "--insecure", "--config", config])
        for index in range(count):
            forwarder.stdout.expect("^forwarding ", start=index)
        ports = [int(re.search(r":(\d+) -> ", line)[1]) for line in forwarder.stdout.lines]
        self.assertEqual(count, len(set(ports)))
        for port in ports[::10]:
            self.assertTrue(echo_through(port, payload(1000)))

    def test_one_line_for_each_connection(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port)
        self.assertTrue(echo_through(tunnel.port, payload(1234)))
        line = tunnel.forwarder.stderr.expect("ended after")
        self.assertRegex(line.string, rf"^\S+ info \[channel [0-9a-f]+\] {HOST}:\d+ -> {AGENT} "
                                      rf"{HOST}:{echo.port}: ended after \d+\.\d s, "
                                      r"1234 bytes sent, 1234 received: closed$")
        self.assertEqual(1, tunnel.forwarder.stderr.count(""))


if __name__ == "__main__":
    unittest.main()
