"""The broker's audit log: what the programs of a real tunnel leave in it."""

import json
import os
import signal
import unittest

from harness import AGENT, HOST, SystemTest, binary, dial, eventually, fate, round_trip


class Audit(SystemTest):
    def setUp(self):
        super().setUp()
        self.echo = self.echo_server()

    def audit(self, broker, *args):
        lines = self.admin(broker, "audit", "--json", *args).splitlines()
        return [json.loads(line) for line in lines]

    def kinds(self, broker, *args):
        return [event["event"] for event in self.audit(broker, *args)]

    def wait_for(self, broker, kind, *args):
        """The last event of a kind: it is in the file a tenth of a second later."""
        found = []

        def look():
            found[:] = self.audit(broker, "--kind", kind, *args)
            return found

        self.assertTrue(eventually(look), f"no event {kind}: {self.kinds(broker)}")
        return found[-1]

    def test_a_tunnel_leaves_who_what_from_where_and_how_much(self):
        target = f"{HOST}:{self.echo.port}"
        tunnel = self.tunnel(target)
        broker = tunnel.broker
        with dial(tunnel.port) as stream:
            round_trip(stream, b"x" * 1000)
        closed = self.wait_for(broker, "close")
        tunnel.agent.signal(signal.SIGTERM)
        tunnel.agent.wait()
        self.wait_for(broker, "unregister")

        events = self.audit(broker, "--since", "1h")
        order = [event["event"] for event in events]
        for kind in ("token", "enrol", "policy", "register", "open", "close", "unregister"):
            self.assertIn(kind, order)
        opened = next(event for event in events if event["event"] == "open")
        for event in (opened, closed):
            self.assertEqual("spiffe://culvert.internal/project/default/user/alice",
                             event["principal"])
            self.assertEqual(self.keys["alice"], event["key"])
            self.assertEqual((AGENT, "tcp", target),
                             (event["agent"], event["service"], event["target"]))
            self.assertTrue(event["address"].startswith(HOST + ":"), event)
            self.assertEqual(opened["channel"], event["channel"])
        self.assertGreater(closed["bytes_sent"], 1000)
        self.assertGreater(closed["bytes_received"], 1000)
        self.assertGreater(closed["duration_s"], 0)
        enrolled = {event["principal"].rsplit("/", 1)[1]: event["key"]
                    for event in events if event["event"] == "enrol"}
        self.assertEqual({AGENT: self.keys[AGENT], "alice": self.keys["alice"]}, enrolled)

    def test_a_refusal_of_the_agent_is_there_with_its_reason(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}", agent=("--user", "bob"))
        self.assertEqual("reset", fate(tunnel.port))
        denied = self.wait_for(tunnel.broker, "deny", "--user", "alice")
        self.assertIn("not on this agent's list of users", denied["reason"])
        self.assertEqual((AGENT, "PERMISSION_DENIED"), (denied["agent"], denied["code"]))

    def test_refusals_of_policy_and_enrolment_are_there_with_their_reason(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        broker = tunnel.broker
        self.admin(broker, "policy", "revoke", "--user", "alice", "--agent", "*", "--service",
                   "tcp", "--target", "*:*")
        self.assertEqual("reset", fate(tunnel.port))
        denied = self.wait_for(broker, "deny", "--user", "alice")
        self.assertEqual("PERMISSION_DENIED", denied["code"])
        self.assertEqual(f"{HOST}:{self.echo.port}", denied["target"])

        token = self.write("wrong.token", f"cvt1-{'a' * 52}-{'a' * 52}")
        done = self.run_to_end([binary("culvert"), "enroll", "--broker", broker.address,
                                "--token-file", token, "--state-dir", self.path("nobody")])
        self.assertEqual(1, done.returncode)  # it does not even talk to this broker
        mine = self.admin(broker, "token", "create", "--user", "bob")
        unknown = self.write("unknown.token", f"cvt1-{'a' * 52}-{mine.split('-')[2]}")
        done = self.run_to_end([binary("culvert"), "enroll", "--broker", broker.address,
                                "--token-file", unknown, "--state-dir", self.path("nobody")])
        self.assertEqual(1, done.returncode)
        self.assertTrue(eventually(lambda: any(
            event.get("code") == "UNAUTHENTICATED" and "token" in event["reason"]
            for event in self.audit(broker, "--kind", "deny"))), self.kinds(broker))

    def test_a_tunnel_that_loses_its_permission_is_recorded_as_refused(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        with dial(tunnel.port) as stream:
            round_trip(stream, b"hello")
            self.admin(tunnel.broker, "revoke", "--user", "alice", "--reason", "left the company")
            denied = self.wait_for(tunnel.broker, "deny", "--user", "alice")
        self.assertIn("revoked", denied["reason"])
        self.assertGreater(denied["bytes_sent"], 0)

    def test_the_log_is_rotated_by_rename_and_sighup_and_read_as_one(self):
        tunnel = self.tunnel(f"{HOST}:{self.echo.port}")
        broker = tunnel.broker
        log = os.path.join(self.path(broker.directory), "audit.log")
        with dial(tunnel.port) as stream:
            round_trip(stream, b"one")
            self.wait_for(broker, "open")
            os.rename(log, log + ".1")
            broker.signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: os.path.exists(log)))
        self.assertTrue(eventually(lambda: "close" in self.kinds(broker)))
        with open(log, encoding="utf-8") as file:
            new = [json.loads(line)["event"] for line in file]
        self.assertIn("close", new)
        self.assertNotIn("open", new)
        with open(log + ".1", encoding="utf-8") as file:
            old = [json.loads(line)["event"] for line in file]
        self.assertEqual(old + new, self.kinds(broker))
        self.assertEqual(0o600, os.stat(log).st_mode & 0o777)


if __name__ == "__main__":
    unittest.main()
