"""Quotas of a project, with the programs. Times are wide: the machine may be busy."""

import json
import time
import unittest

from harness import (AGENT, HOST, KIB, MIB, SystemTest, Task, binary, dial, eventually, fate,
                     payload, read_exactly, reset, round_trip)


class Quota(SystemTest):
    def setUp(self):
        super().setUp()
        self.echo = self.echo_server()

    def quota(self, broker, *args):
        self.assertEqual("", self.admin(broker, "quota", *args))

    def listed(self, broker):
        lines = self.admin(broker, "quota", "list", "--json").splitlines()
        return {line["project"]: line for line in map(json.loads, lines)}

    def use(self, broker):
        return self.listed(broker)["default"]["use"]

    def test_an_agent_beyond_the_quota_waits_and_comes_in_when_there_is_room(self):
        broker = self.broker()
        self.quota(broker, "set", "--agents", "1")
        first = self.agent(broker)
        second = self.agent(broker, name="edge-2", registered=False)
        second.stderr.expect("project default has its quota of 1 agents: try again in ")
        self.assertEqual(1, self.use(broker)["agents"])
        self.assertIn("1/1", self.admin(broker, "quota", "list"))
        self.quota(broker, "set", "--agents", "2")
        second.stderr.expect(" registered as ", timeout=40)
        self.assertEqual(2, self.use(broker)["agents"])
        # It refused once and waited: no other try came before its time.
        self.assertEqual(1, second.stderr.count("has its quota of 1 agents"))
        self.assertIsNone(first.returncode)

    def test_a_connection_beyond_the_quota_waits_for_one_that_ends(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        self.quota(tunnel.broker, "set", "--channels", "1")
        with dial(tunnel.port) as first:
            round_trip(first, b"one")
            self.assertEqual(1, self.use(tunnel.broker)["channels"])
            with dial(tunnel.port) as second:
                waiting = Task(round_trip, second, b"two")
                time.sleep(0.5)  # refused by now; were it not, it would be answered
                self.assertEqual(1, self.use(tunnel.broker)["channels"])
                first.close()
                waiting.result()

    def test_a_connection_that_is_reset_counts_no_longer(self):
        for path in ("auto", "stream"):
            with self.subTest(path=path):
                tunnel = self.tunnel(f"{HOST}:{self.echo.port}", forwarder=("--path", path))
                for _ in range(12):  # the later ones are stitched, where that may be
                    stream = dial(tunnel.port)
                    round_trip(stream, b"x")
                    self.assertEqual(1, self.use_of(tunnel.broker))
                    reset(stream)
                    self.assertTrue(eventually(lambda: self.use_of(tunnel.broker) == 0))

    def use_of(self, broker):
        """How many channels count."""
        if not self.listed(broker):
            self.quota(broker, "set", "--channels", "100")
        return self.use(broker)["channels"]

    def test_a_connection_that_would_wait_in_vain_is_refused_with_the_reason(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        self.quota(tunnel.broker, "set", "--channels", "0")
        self.assertEqual("reset", fate(tunnel.port))
        tunnel.forwarder.stderr.expect("project default has its quota of 0 channels")
        done = self.run_to_end(self.connect_command(tunnel.broker, f"{AGENT}:{self.echo.port}"))
        self.assertNotEqual(0, done.returncode)
        self.assertIn(b"project default has its quota of 0 channels", done.stderr)
        self.quota(tunnel.broker, "clear")
        with dial(tunnel.port) as stream:
            round_trip(stream, b"again")

    def test_rendezvous_count_as_connections(self):
        broker = self.broker()
        user = self.credentials(self.enrol(broker, "user", "alice"))
        ask = [binary("culvert"), "rendezvous", "--broker", broker.address, *user]
        self.quota(broker, "set", "--channels", "1")
        self.command(*ask)
        self.assertEqual(1, self.use(broker)["channels"])
        done = self.run_to_end(ask)
        self.assertNotEqual(0, done.returncode)
        self.assertIn(b"project default has its quota of 1 channels: try again in ", done.stderr)

    def test_bytes_a_second_hold_for_programs_that_met(self):
        broker = self.broker()
        user = self.credentials(self.enrol(broker, "user", "alice"))
        self.quota(broker, "set", "--bytes-per-second", "2MiB")
        said = self.command(binary("culvert"), "rendezvous", "--json", "--broker", broker.address,
                            *user)
        one, other = [self.enterContext(dial(int(side["address"].rsplit(":", 1)[1])))
                      for side in map(json.loads, said.splitlines())]
        for stream, side in zip((one, other), map(json.loads, said.splitlines())):
            stream.sendall(bytes.fromhex(side["token"]))
        data = payload(8 * MIB)
        start = time.monotonic()
        sending = Task(one.sendall, data)
        self.assertTrue(read_exactly(other, len(data)) == data)
        sending.result()
        seconds = time.monotonic() - start
        self.assertGreater(seconds, 8 / 2 / 1.3 - 0.5)
        self.assertLess(seconds, 8 / 2 * 2 + 2)

    def test_new_connections_come_one_after_another_at_the_rate(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        self.quota(tunnel.broker, "set", "--new-channels-per-second", "2")
        start = time.monotonic()
        streams = [self.enterContext(dial(tunnel.port)) for _ in range(6)]
        for task in [Task(round_trip, stream, b"x") for stream in streams]:
            task.result()
        self.assertGreater(time.monotonic() - start, 1.5)  # two at once, then two a second

    def seconds_for(self, port, size):
        """For so many bytes to the echo server and back."""
        data = payload(size)
        with dial(port) as stream:
            start = time.monotonic()
            sending = Task(stream.sendall, data)
            self.assertTrue(read_exactly(stream, size) == data)
            sending.result()
            return time.monotonic() - start

    def check_bytes(self, tunnel):
        broker = tunnel.broker
        self.quota(broker, "set", "--bytes-per-second", "2MiB")
        seconds = self.seconds_for(tunnel.port, 4 * MIB)  # 8 MiB, both ways together
        self.assertGreater(seconds, 8 / 2 / 1.3 - 0.5)
        self.assertLess(seconds, 8 / 2 * 2 + 2)
        self.quota(broker, "set", "--bytes-per-second", "unlimited")
        self.assertLess(self.seconds_for(tunnel.port, 4 * MIB), 3)

    def test_bytes_a_second_hold_on_streams(self):
        self.check_bytes(self.tunnel(f"{HOST}:{self.echo.port}", forwarder=("--path", "stream")))

    def test_bytes_a_second_hold_where_both_ends_meet_at_the_data_port(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")

        def stitched():
            with dial(tunnel.port) as stream:
                round_trip(stream, b"x")
                return "stitched" in self.admin(tunnel.broker, "channels", "list")

        self.assertTrue(eventually(stitched, interval=0.2))
        self.check_bytes(tunnel)

    def in_project(self, broker, project, role, name):
        """As enrol: an agent or a user of another project."""
        token = self.write(f"{project}-{name}.token",
                           self.admin(broker, "token", "create", f"--{role}", name, "--project",
                                      project))
        directory = f"{project}-{name}"
        self.command(binary("culvert-agent" if role == "agent" else "culvert"), "enroll",
                     "--broker", broker.address, "--token-file", token, "--state-dir",
                     self.path(directory))
        return ("--state-dir", self.path(directory))

    def test_a_flood_in_one_project_does_not_slow_another(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        broker = tunnel.broker
        agent = self.in_project(broker, "lab", "agent", AGENT)
        user = self.in_project(broker, "lab", "user", "bob")
        self.admin(broker, "policy", "allow", "--user", "bob", "--service", "tcp", "--target",
                   "*:*", "--project", "lab")
        self.start([binary("culvert-agent"), "run", "--allow", f"{HOST}:*",
                    *agent]).stderr.expect(" registered as ")
        lab = self.start([binary("culvert"), "forward", "-L",
                          f"0:{AGENT}:{self.echo.port}", *user])
        lab_port = int(lab.stdout.expect(r"^forwarding \S+:(\d+) -> ")[1])
        self.quota(broker, "set", "--project", "lab", "--bytes-per-second", "64KiB",
                   "--channels", "2")
        floods = [self.enterContext(dial(lab_port)) for _ in range(2)]
        for stream in floods:
            stream.setblocking(False)
            stream.send(b"x" * 512 * KIB)
        self.assertTrue(eventually(
            lambda: self.listed(broker)["lab"]["use"]["channels"] == 2))
        self.assertLess(self.seconds_for(tunnel.port, 8 * MIB), 5)
        for _ in range(20):
            with dial(tunnel.port) as stream:
                round_trip(stream, b"x")

    def test_others_have_the_quota_of_the_others(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        broker = tunnel.broker
        self.quota(broker, "set", "--others", "--channels", "0")
        self.assertEqual("reset", fate(tunnel.port))
        self.quota(broker, "set", "--channels", "1")
        with dial(tunnel.port) as stream:
            round_trip(stream, b"x")
        self.quota(broker, "clear")
        self.assertEqual("reset", fate(tunnel.port))
        self.assertEqual({"*"}, set(self.listed(broker)))
        reasons = [json.loads(line)["reason"] for line in
                   self.admin(broker, "audit", "--json", "--kind", "policy").splitlines()]
        self.assertEqual(["quota of the other projects: channels 0", "quota: channels 1",
                          "quota taken away"], reasons[-3:])


if __name__ == "__main__":
    unittest.main()
