"""culvert status and culvert-agent status: what running programs say of themselves."""

import json
import os
import signal
import socket
import stat
import unittest

from harness import AGENT, HOST, SystemTest, binary, dial, eventually, payload, read_exactly


class Status(SystemTest):
    def ask(self, program, directory, *args):
        return self.run_to_end([binary(program), "status", "--state-dir", directory, *args])

    def objects(self, program, directory):
        done = self.ask(program, directory, "--json")
        self.assertEqual((0, b""), (done.returncode, done.stderr), done)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def state_dir(self, process):
        return process.argv[process.argv.index("--state-dir") + 1]

    def test_channels_of_both_ends(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port, forwarder=["--path", "stream"])
        forwarder = self.state_dir(tunnel.forwarder)
        agent = self.state_dir(tunnel.agent)
        [before] = self.objects("culvert", forwarder)
        self.assertEqual([], before["channels"])
        with dial(tunnel.port) as stream:
            sent = payload(100_000)
            stream.sendall(sent)
            self.assertEqual(sent, read_exactly(stream, len(sent)))

            def all_acknowledged():
                [own] = self.objects("culvert", forwarder)
                return own if own["channels"][0]["unacknowledged"] == 0 else None

            own = eventually(all_acknowledged)
            [other] = self.objects("culvert-agent", agent)
            self.assertEqual(("culvert", "forward", "running", tunnel.forwarder.pid),
                             tuple(own[key] for key in ("program", "command", "state", "pid")))
            self.assertEqual(("culvert-agent", "run", "running", tunnel.agent.pid),
                             tuple(other[key] for key in ("program", "command", "state", "pid")))
            self.assertEqual(AGENT, other["name"])
            self.assertRegex(other["session"], "^[0-9a-f]+$")
            self.assertNotIn("session", own)
            for process in (own, other):
                self.assertEqual(tunnel.broker.address, process["broker"]["address"])
                self.assertIs(True, process["broker"]["reached"])
                self.assertEqual(256 << 20, process["memory"]["limit"])
            [channel], [its_other_end] = own["channels"], other["channels"]
            self.assertEqual(channel["id"], its_other_end["id"])
            self.assertEqual((AGENT, "tcp", f"{HOST}:{echo.port}", "stream", None, 0),
                             tuple(channel[key] for key in ("peer", "service", "target", "path",
                                                            "suspended_ms", "resumes")))
            self.assertIn("alice", its_other_end["peer"])
            for end in (channel, its_other_end):
                self.assertEqual((100_000, 100_000), (end["sent"], end["received"]))
                self.assertGreater(end["send_window"], 0)
                self.assertGreater(end["receive_window"], 0)
            self.assertGreater(channel["round_trip_ms"], 0)
            self.assertLess(channel["round_trip_ms"], 10_000)
            text = self.ask("culvert", forwarder).stdout.decode()
            self.assertIn(f"culvert forward (pid {tunnel.forwarder.pid},", text)
            self.assertRegex(text, rf"{channel['id']} +{AGENT} +tcp {HOST}:{echo.port} +stream ")
        self.assertTrue(eventually(
            lambda: self.objects("culvert", forwarder)[0]["channels"] == []))

    def path_of(self, program, process):
        [own] = self.objects(program, self.state_dir(process))
        [channel] = own["channels"]
        return channel["path"]

    def test_a_channel_moves_to_a_stitched_path_and_both_ends_say_so(self):
        echo = self.echo_server()
        tunnel = self.tunnel(echo.port)
        with dial(tunnel.port) as stream:
            stream.sendall(b"ping")
            self.assertEqual(b"ping", read_exactly(stream, 4))
            for program, process in (("culvert", tunnel.forwarder),
                                     ("culvert-agent", tunnel.agent)):
                self.assertTrue(eventually(
                    lambda: self.path_of(program, process) == "stitched"), program)
            text = self.ask("culvert", self.state_dir(tunnel.forwarder)).stdout.decode()
            self.assertRegex(text, r" stitched ")
            listed = self.admin(tunnel.broker, "channels", "list", "--json")
            self.assertEqual(["stitched"], [json.loads(line)["path"]
                                            for line in listed.splitlines()])
            self.assertIn("stitched", self.admin(tunnel.broker, "channels", "list"))
            stream.sendall(b"pong")
            self.assertEqual(b"pong", read_exactly(stream, 4))

    def test_a_channel_stays_on_streams_where_either_end_or_the_broker_wants_that(self):
        echo = self.echo_server()
        for flags in ({"broker": ["--data-port", "off"]}, {"agent": ["--path", "stream"]},
                      {"forwarder": ["--path", "stream"]}):
            with self.subTest(flags=flags):
                tunnel = self.tunnel(echo.port, **flags)
                with dial(tunnel.port) as stream:
                    stream.sendall(payload(2_000_000))
                    self.assertEqual(payload(2_000_000), read_exactly(stream, 2_000_000))
                    # Longer than a channel takes to move.
                    with self.assertRaises(TimeoutError):
                        stream.settimeout(2.5)
                        stream.recv(1)
                    self.assertEqual("stream", self.path_of("culvert", tunnel.forwarder))
                    self.assertEqual("stream", self.path_of("culvert-agent", tunnel.agent))
                for process in reversed(tunnel.programs.values()):
                    process.kill()

    def test_nothing_runs(self):
        for program in ("culvert", "culvert-agent"):
            done = self.ask(program, self.path("nowhere"))
            self.assertEqual((1, b"", f"no {program} is running\n".encode()),
                             (done.returncode, done.stdout, done.stderr))
        self.assertFalse(os.path.exists(self.path("nowhere")))

    def test_several_and_one_that_was_killed(self):
        broker = self.broker()
        first = self.forwarder(broker, forwards=[f"0:{AGENT}:22"])
        second = self.forwarder(broker, forwards=[f"0:{AGENT}:22"])
        folder = os.path.join(self.state_dir(first), "status")
        self.assertEqual(0o700, stat.S_IMODE(os.stat(folder).st_mode))
        for process in (first, second):
            mode = os.stat(os.path.join(folder, f"{process.pid}.sock")).st_mode
            self.assertEqual(0o600, stat.S_IMODE(mode))
        shown = {process["pid"] for process in self.objects("culvert", self.state_dir(first))}
        self.assertEqual({first.pid, second.pid}, shown)
        first.kill()
        os.utime(os.path.join(folder, f"{first.pid}.sock"), (0, 0))  # it was made long ago
        [left] = self.objects("culvert", self.state_dir(first))
        self.assertEqual(second.pid, left["pid"])
        self.assertEqual([f"{second.pid}.sock"], os.listdir(folder))
        second.signal(signal.SIGTERM)
        self.assertEqual(0, second.wait())
        self.assertEqual([], os.listdir(folder))

    def test_broker_that_is_away(self):
        broker = self.broker()
        agent = self.agent(broker)
        broker.kill()
        agent.stderr.expect(" not registered, ")
        [shown] = self.objects("culvert-agent", self.state_dir(agent))
        self.assertIs(False, shown["broker"]["reached"])
        self.assertIsNone(shown["session"])

    def test_who_sends_nothing_harms_nobody(self):
        tunnel = self.tunnel(self.echo_server().port)
        path = os.path.join(self.state_dir(tunnel.agent), "status", f"{tunnel.agent.pid}.sock")
        silent = []
        for _ in range(16):
            client = self.enterContext(socket.socket(socket.AF_UNIX))
            client.settimeout(30)
            client.connect(path)
            silent.append(client)
        self.assertEqual([b""] * 16, [client.recv(1) for client in silent])
        [shown] = self.objects("culvert-agent", self.state_dir(tunnel.agent))
        self.assertEqual(tunnel.agent.pid, shown["pid"])

    def test_folder_that_cannot_be_written(self):
        broker = self.broker()
        directory = self.path(self.enrol_user(broker))
        self.write(os.path.join(directory, "status"), "a file")
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:22"])
        forwarder.stderr.expect("'culvert status'")
        warnings = [line for line in forwarder.stderr.lines if "'culvert status'" in line]
        self.assertEqual(1, len(warnings))


class InsecureStatus(SystemTest):
    secure = False

    def test_makes_no_state_directory(self):
        runtime = self.path("runtime")
        os.mkdir(runtime, 0o700)
        for env, shown in ((self.env, False), (self.env | {"XDG_RUNTIME_DIR": runtime}, True)):
            self.env = env
            forwarder = self.forwarder(self.broker(), forwards=[f"0:{AGENT}:22"])
            state = forwarder.argv[forwarder.argv.index("--state-dir") + 1]
            self.assertFalse(os.path.exists(state))
            self.assertEqual(0, forwarder.stderr.count("status"))
            done = self.run_to_end([binary("culvert"), "status", "--state-dir", state])
            self.assertEqual(0 if shown else 1, done.returncode, done)
        self.assertEqual(["culvert"], os.listdir(runtime))


if __name__ == "__main__":
    unittest.main()
