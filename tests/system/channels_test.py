"""culvert-broker channels: what is open now, and ending it."""

import unittest

from admin_test import Admin
from harness import AGENT, HOST, dial, eventually, how_it_ends, is_broken_soon, read_exactly


class Channels(Admin):
    def test_a_killed_channel_ends_at_both_ends_at_once(self):
        broker = self.secure_broker()
        echo = self.echo_server()
        forwarder, agent, _ = self.tunnel(broker, echo)
        with dial(forwarder.port) as killed, dial(forwarder.port) as other:
            for stream in (killed, other):
                stream.sendall(b"ping")
                self.assertEqual(b"ping", read_exactly(stream, 4))
            channels = self.listed("channels", "list")
            self.assertEqual(2, len(channels))
            first = channels[0]
            self.assertEqual(("user alice", AGENT, "tcp", f"{HOST}:{echo.port}", "default"),
                             tuple(first[key] for key in
                                   ("consumer", "agent", "service", "target", "project")))
            self.assertLess(4, first["bytes_up"])
            self.assertLess(4, first["bytes_down"])
            self.assertIn(first["id"], self.admin("channels", "list"))

            self.assertEqual("", self.admin("channels", "kill", first["id"]))
            streams = {stream: is_broken_soon(stream, timeout=2.0) for stream in (killed, other)}
            self.assertEqual([True], [broken for broken in streams.values() if broken])
            for stream, broken in streams.items():
                if broken:
                    self.assertEqual("reset", how_it_ends(stream))
                else:
                    stream.sendall(b"pong")
                    self.assertEqual(b"pong", read_exactly(stream, 4))
            for program in (forwarder, agent):
                program.stderr.expect(rf"\[channel {first['id']}\].*killed")
            self.assertEqual([channels[1]["id"]],
                             [channel["id"] for channel in self.listed("channels", "list")])

            self.assertIn("is not open here", self.admin("channels", "kill", first["id"]))
            kills = self.listed("audit", "--kind", "kill")
            self.assertEqual([first["id"]] * 2, [event["channel"] for event in kills])
            self.assertEqual(AGENT, kills[0]["agent"])
            self.assertTrue(eventually(lambda: first["id"] in [
                event["channel"] for event in self.listed("audit", "--kind", "deny")]))

    def test_an_insecure_broker_has_no_commands(self):
        broker = self.start([*self.command("serve", "--listen", f"{HOST}:0"), "--insecure"])
        broker.stdout.expect(r"^listening on (\S+)$")
        self.assertIn(f"no store in {self.path('broker')}", self.refused("channels", "list"))


if __name__ == "__main__":
    unittest.main()
