"""Tunnels without end-to-end encryption: only where both ends ask for it."""

import json

from harness import (AGENT, SystemTest, binary, dial, echo_through, eventually, fate, payload,
                     round_trip)


class ClearData(SystemTest):
    def setUp(self):
        super().setUp()
        self.echo = self.echo_server()

    def channel(self, program, directory):
        """What a program's status says of its only channel."""
        lines = self.command(binary(program), "status", "--json", "--state-dir",
                             self.path(directory)).splitlines()
        channels = json.loads(lines[0])["channels"]
        return channels[0] if len(channels) == 1 else {}

    def test_both_ends_may_do_without_and_say_so(self):
        t = self.tunnel(self.echo.port, agent=["--plaintext"], forwarder=["--e2e", "off"])
        t.forwarder.stderr.expect("the broker can read and change every byte")
        self.assertTrue(echo_through(t.port, payload(300_000)))
        with dial(t.port) as stream:
            round_trip(stream, b"hello")
            for program, directory in (("culvert", f"{t.broker.directory}-user-alice"),
                                       ("culvert-agent", f"{t.broker.directory}-agent-{AGENT}")):
                status = self.channel(program, directory)
                self.assertEqual((False, "stream"), (status["encrypted"], status["path"]))
            text = self.command(binary("culvert"), "status", "--state-dir",
                                self.path(f"{t.broker.directory}-user-alice"))
            self.assertIn("stream, clear", text)

    def test_with_clear_data_at_both_ends_they_go_by_the_data_port(self):
        t = self.tunnel(self.echo.port, agent=["--plaintext", "--allow-clear-data"],
                        forwarder=["--e2e", "off", "--allow-clear-data", "--path", "auto"])
        user = f"{t.broker.directory}-user-alice"
        with dial(t.port) as stream:
            self.assertTrue(eventually(lambda: round_trip(stream, b"x") and
                                       self.channel("culvert", user).get("path") == "stitched"))
            self.assertIs(False, self.channel("culvert", user)["encrypted"])
            round_trip(stream, payload(100_000))

    def test_an_agent_that_has_not_set_it_refuses_and_says_why(self):
        t = self.tunnel(self.echo.port, forwarder=["--e2e", "off"])
        self.assertEqual("reset", fate(t.port))
        t.forwarder.stderr.expect("only with end-to-end encryption")

    def test_a_forwarder_that_did_not_ask_is_encrypted_at_any_agent(self):
        t = self.tunnel(self.echo.port, agent=["--plaintext", "--allow-clear-data"])
        with dial(t.port) as stream:
            round_trip(stream, b"hello")
            self.assertIs(True, self.channel("culvert",
                                             f"{t.broker.directory}-user-alice")["encrypted"])

    def test_bad_input_is_one_line(self):
        for args, words in ((["--e2e", "maybe"], b"expected required or off"),
                            (["--e2e", "off", "--agent-key", f"{AGENT}={'a' * 52}"],
                             b"a key proves nothing")):
            done = self.run_to_end([binary("culvert"), "forward", "-L", f"0:{AGENT}:22", *args])
            self.assertEqual((2, b""), (done.returncode, done.stdout), done)
            self.assertIn(words, done.stderr)
            self.assertEqual(1, done.stderr.count(b"\n"), done.stderr)
