"""culvert-broker's admin commands, with a running broker and without one."""

import json
import os
import re
import signal
import socket
import stat
import unittest

from harness import AGENT, HOST, MIB, PATIENCE, SystemTest, binary, dial, eventually, is_broken_soon
from harness import read_exactly

TOKEN = re.compile(r"cvt1-[a-z2-7]{52}-[a-z2-7]{52}\n")
KEY = "a" * 52


class Admin(SystemTest):
    """The commands, and what they print."""

    def command(self, *args):
        return [binary("culvert-broker"), *args, "--state-dir", self.path("broker")]

    def admin(self, *args):
        """What the command printed; it must succeed."""
        done = self.run_to_end(self.command(*args))
        self.assertEqual(0, done.returncode, done)
        return done.stdout.decode()

    def refused(self, *args, code=1):
        """The one line on stderr; it must fail."""
        done = self.run_to_end(self.command(*args))
        self.assertEqual((code, b""), (done.returncode, done.stdout), done)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(1, len(lines), done)
        return lines[0].removeprefix("culvert-broker: ")

    def listed(self, *args):
        return [json.loads(line) for line in self.admin(*args, "--json").splitlines()]

    def token(self, *args):
        text = self.admin("token", "create", *args)
        self.assertRegex(text, TOKEN)
        return text

    def secure_broker(self, *args):
        process = self.start(self.command("serve", "--listen", f"{HOST}:0", *args))
        process.address = process.stdout.expect(r"^listening on (\S+)$")[1]
        process.fingerprint = process.stdout.expect(r"^CA fingerprint ([a-z2-7]{52})$")[1]
        return process

    def enroll(self, program, broker, token, name):
        """The key id of the identity that is made in the folder `name`."""
        file = self.write(f"{name}.token", token)
        done = self.run_to_end([binary(program), "enroll", "--broker", broker.address,
                                "--token-file", file, "--state-dir", self.path(name)])
        if done.returncode == 0:
            return re.search(r"[a-z2-7]{52}", done.stdout.decode())[0]
        raise AssertionError(done)

    def tunnel(self, broker, echo):
        """A forwarder of alice's and an agent, and the rule that lets her reach `echo`. Returns
        the forwarder, which has its `port`, the agent, and the flags of the rule."""
        self.enroll("culvert", broker, self.token("--user", "alice"), "alice")
        self.enroll("culvert-agent", broker, self.token("--agent", AGENT), "edge")
        rule = ["--user", "alice", "--agent", AGENT, "--service", "tcp",
                "--target", f"{HOST}:{echo.port}"]
        self.admin("policy", "allow", *rule)
        agent = self.start([binary("culvert-agent"), "run", "--allow", f"{HOST}:*",
                            "--state-dir", self.path("edge")])
        agent.stderr.expect(" registered as ")
        forwarder = self.start([binary("culvert"), "forward", "-L", f"0:{AGENT}:{echo.port}",
                                "--state-dir", self.path("alice")])
        forwarder.port = int(forwarder.stdout.expect(r"^forwarding \S+:(\d+) -> ")[1])
        return forwarder, agent, rule

    def assert_every_command_works(self):
        self.token("--agent", AGENT)
        self.token("--user", "alice", "--ttl", "5m", "--project", "lab")
        tokens = self.listed("token", "list")
        self.assertEqual([(AGENT, "agent", "unused")],
                         [(t["name"], t["role"], t["state"]) for t in tokens])
        self.admin("token", "revoke", str(tokens[0]["id"]))
        self.assertEqual([], self.listed("token", "list"))

        rule = ["--user", "alice", "--agent", "edge-*", "--service", "tcp", "--target", "*:22"]
        self.assertEqual("", self.admin("policy", "allow", *rule))
        self.assertEqual("", self.admin("policy", "allow", *rule))
        self.assertEqual(1, len(self.listed("policy", "list")))
        self.assertIn("user:alice", self.admin("policy", "list"))
        self.assertEqual("", self.admin("policy", "revoke", *rule))
        self.assertIn("no such rule: user alice", self.refused("policy", "revoke", *rule))

        self.admin("group", "add", "ops", "--user", "alice", "--user", "bob")
        self.admin("policy", "allow", "--group", "ops")
        self.assertIn("revoke them first", self.refused("group", "remove", "ops"))
        self.admin("group", "remove", "ops", "--user", "bob")
        self.assertEqual([{"kind": "user", "name": "alice"}],
                         self.listed("group", "list")[0]["members"])

        self.admin("role", "add", "caller", "--permission", "connect")
        self.assertEqual("caller", self.listed("role", "list")[-1]["name"])
        self.admin("role", "remove", "caller")

        self.assertEqual("", self.admin("quota", "set", "--agents", "5", "--channels", "unlimited"))
        self.assertEqual([("default", 5)], [(quota["project"], quota["agents"])
                                            for quota in self.listed("quota", "list")])
        self.assertIn('no project "lake"',
                      self.refused("quota", "set", "--project", "lake", "--agents", "5"))
        self.assertEqual("", self.admin("quota", "clear"))
        self.assertIn("has no quota of its own", self.refused("quota", "clear"))

        self.assertEqual([], self.listed("channels", "list"))
        self.assertIn("channel 5d is not open here", self.admin("channels", "kill", "5d"))

        self.assertEqual([], self.listed("principal", "list"))
        self.assertEqual(f"revoked {KEY}\n", self.admin("revoke", "--key", KEY))
        self.admin("unrevoke", "--key", KEY)
        self.assertIn("is not revoked", self.refused("unrevoke", "--key", KEY))

        kinds = {event["event"] for event in self.listed("audit", "--since", "1h")}
        self.assertEqual({"token", "policy", "revoke", "kill"}, kinds)
        self.assertEqual([], self.listed("audit", "--kind", "deny"))


class WithoutBroker(Admin):
    def test_every_command_works_on_the_store(self):
        self.assert_every_command_works()
        for name in ("culvert.db", "audit.log", "ca-key.pem"):
            mode = os.stat(self.path(f"broker/{name}")).st_mode
            self.assertEqual(0o600, stat.S_IMODE(mode), name)

    @unittest.skipUnless(os.geteuid() == 0, "only root works on another user's state")
    def test_root_leaves_the_state_to_its_owner(self):
        nobody = 65534
        os.chmod(self.directory, 0o755)
        os.mkdir(self.path("broker"), 0o700)
        os.chown(self.path("broker"), nobody, nobody)
        self.token("--user", "alice")
        for name in os.listdir(self.path("broker")):
            self.assertEqual(nobody, os.stat(self.path(f"broker/{name}")).st_uid, name)
        self.assertEqual("uid 0", self.listed("audit")[0]["principal"])

    def test_bad_input_is_told_in_one_line(self):
        for args, message in (
                (["token", "create", "--user", "a/b"], 'user "a/b": expected'),
                (["token", "revoke", "x"], "id: expected an integer"),
                (["channels", "kill", "x"], 'channel "x": expected its ID'),
                (["policy", "allow", "--user", "a", "--service", "tcp", "--target", "host"],
                 'target "host": expected HOST:PORT'),
                (["policy", "allow", "--user", "a", "--target", "*:22"], "needs a service"),
                (["policy", "allow", "--user", "a", "--agent", "b c"], 'agent "b c": expected'),
                (["policy", "allow", "--key", "a"], 'key "a": expected a key id'),
                (["group", "add", "a b"], 'group "a b": expected'),
                (["role", "add", "r", "--permission", "fly"], 'no permission "fly"'),
                (["audit", "--kind", "x"], '--kind "x": expected one of'),
                (["policy", "allow"], "give one of --user NAME"),
                (["token"], "token needs to be followed by a command")):
            with self.subTest(args=args):
                if args == ["token"]:
                    done = self.run_to_end([binary("culvert-broker"), "token"])
                    self.assertEqual(2, done.returncode)
                    self.assertIn(message, done.stderr.decode())
                else:
                    self.assertIn(message, self.refused(*args, code=2))
        self.assertIn("no audit log", self.refused("audit"))

    def test_what_is_not_there_is_told(self):
        for args, message in (
                (["policy", "allow", "--user", "a", "--role", "none"], 'no role "none"'),
                (["policy", "allow", "--group", "none"], 'no group "none"'),
                (["policy", "list", "--project", "none"], 'no project "none"'),
                (["revoke", "--user", "nobody"], "user nobody has never enrolled"),
                (["token", "revoke", "7"], "no token 7")):
            with self.subTest(args=args):
                self.assertIn(message, self.refused(*args))

    def test_a_rule_for_every_target_is_warned_of(self):
        done = self.run_to_end(self.command("policy", "allow", "--user", "alice"))
        self.assertEqual((0, b""), (done.returncode, done.stdout))
        self.assertIn(b"warning: without --target", done.stderr)
        # Not one that lets nobody connect.
        done = self.run_to_end(self.command("policy", "allow", "--user", "alice", "--role",
                                            "projects-admin"))
        self.assertEqual((0, b"", b""), (done.returncode, done.stdout, done.stderr))

    def test_a_directory_without_a_store_is_told_by_what_lists(self):
        for args in (("token", "list"), ("policy", "list"), ("group", "list"), ("role", "list"),
                     ("principal", "list"), ("issuer", "list"), ("service-account", "list"),
                     ("channels", "list"), ("ca", "requests")):
            with self.subTest(args=args):
                self.assertIn(f"no store in {self.path('broker')}: is it --state-dir's?",
                              self.refused(*args))
        self.assertFalse(os.path.exists(self.path("broker")))

    def test_a_store_that_is_made_is_told_once(self):
        done = self.run_to_end(self.command("group", "add", "ops"))
        self.assertEqual((0, f"culvert-broker: made a new store in {self.path('broker')}\n"),
                         (done.returncode, done.stderr.decode()))
        done = self.run_to_end(self.command("group", "add", "ops"))
        self.assertEqual((0, b""), (done.returncode, done.stderr))
        self.assertEqual(["ops"], [group["name"] for group in self.listed("group", "list")])

    def test_what_fails_in_a_new_store_says_that_it_is_new(self):
        self.assertIn(f"no token 7; see token list (made a new store in {self.path('broker')})",
                      self.refused("token", "revoke", "7"))

    def test_a_store_that_is_in_use_is_told(self):
        self.admin("role", "add", "looker")
        holder = self.start(["flock", "--no-fork", self.path("broker/lock"), "sleep", str(PATIENCE)])
        locked = [binary("culvert-broker"), "role", "list", "--state-dir", self.path("broker")]
        eventually(lambda: self.run_to_end(locked).returncode == 1)
        self.assertIn("no broker answers", self.refused("role", "list"))
        holder.kill()


class WithBroker(Admin):
    def test_every_command_reaches_the_broker(self):
        self.secure_broker()
        self.assert_every_command_works()

    def test_the_token_names_the_authority(self):
        broker = self.secure_broker()
        self.assertTrue(self.token("--user", "alice").endswith(f"-{broker.fingerprint}\n"))

    def test_a_second_broker_finds_the_store_in_use(self):
        self.secure_broker()
        done = self.run_to_end(self.command("serve", "--listen", f"{HOST}:0"))
        self.assertEqual(1, done.returncode)
        self.assertIn(b"is in use by another process", done.stderr)

    def test_the_socket_goes_with_the_broker(self):
        broker = self.secure_broker()
        path = self.path("broker/admin.sock")
        self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
        broker.signal(signal.SIGTERM)
        self.assertEqual(0, broker.wait())
        self.assertFalse(os.path.exists(path))
        self.admin("role", "list")

    def test_a_socket_that_was_left_over_is_no_broker(self):
        self.secure_broker().kill()
        self.assertTrue(os.path.exists(self.path("broker/admin.sock")))
        self.admin("role", "list")
        self.secure_broker()
        self.admin("role", "list")

    def test_the_broker_survives_nonsense_on_its_socket(self):
        self.secure_broker()
        for data in (b"\n", b"x\n", b"{}\n", b"\0" * (2 * MIB + 70000), b"[" * 60000 + b"\n"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(self.path("broker/admin.sock"))
                client.sendall(data)
                self.assertIn(b'"error"', client.recv(4096))
        self.admin("role", "list")

    def test_the_audit_log_is_reopened(self):
        broker = self.secure_broker()
        self.token("--user", "alice")
        os.rename(self.path("broker/audit.log"), self.path("broker/audit.log.1"))
        broker.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: os.path.exists(self.path("broker/audit.log"))))
        self.token("--user", "bob")
        reasons = [event["reason"] for event in self.listed("audit")]
        self.assertEqual(["token 1 made for user alice", "token 2 made for user bob"], reasons)

    def test_a_change_holds_at_once(self):
        broker = self.secure_broker()
        forwarder, _, rule = self.tunnel(broker, self.echo_server())
        self.assertEqual({"alice", AGENT}, {p["name"] for p in self.listed("principal", "list")})
        for take_away, give_back in (
                (["policy", "revoke", *rule], ["policy", "allow", *rule]),
                (["revoke", "--user", "alice"], None)):
            with dial(forwarder.port) as stream:
                stream.sendall(b"ping")
                self.assertEqual(b"ping", read_exactly(stream, 4))
                self.admin(*take_away)
                self.assertTrue(is_broken_soon(stream, timeout=2.0), take_away)
            if give_back:
                self.admin(*give_back)


if __name__ == "__main__":
    unittest.main()
