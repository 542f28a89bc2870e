"""Enrolment tokens over the wire: each is good for one key, once, in time."""

import json
import os
import re
import subprocess
import unittest

from harness import AGENT, PATIENCE, SystemTest, binary, eventually

RACERS = 8
RACES = 6  # for each role


class Enrolment(SystemTest):
    def setUp(self):
        super().setUp()
        self.running = self.broker()

    def token(self, role, name, *args):
        return self.admin(self.running, "token", "create", f"--{role}", name, *args)

    def listed(self, *args):
        return [json.loads(line)
                for line in self.admin(self.running, *args, "--json").splitlines()]

    def keys_of(self, name):
        return [entry["key"] for entry in self.listed("principal", "list")
                if entry["name"] == name]

    def state_of_token(self, name):
        return [token["state"] for token in self.listed("token", "list") if token["name"] == name]

    def command_for(self, program, directory):
        return [binary(program), "enroll", "--broker", self.running.address, "--token-file", "-",
                "--state-dir", self.path(directory)]

    def enrol_with(self, program, directory, token):
        """(exit code, what it printed, what it complained of)."""
        done = subprocess.run(self.command_for(program, directory), input=token.encode(),
                              capture_output=True, env=self.env, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def has_identity(self, directory):
        return os.path.exists(os.path.join(self.path(directory), "identity.pem"))

    def assert_refused(self, words, program, directory, token):
        code, said, complaint = self.enrol_with(program, directory, token)
        self.assertEqual((1, ""), (code, said), complaint)
        self.assertRegex(complaint, rf"^{program}: enroll: .*{words}.*\n$")
        self.assertFalse(self.has_identity(directory))

    # --- races ---

    def race(self, program, role, name):
        """RACERS that wait for the same token on their standard input and get it at once."""
        racers = []
        for number in range(RACERS):
            directory = f"{name}-{number}"
            child = self.start_piped(self.command_for(program, directory))
            racers.append((directory, child))
        # Each waits for its input, so that the slowest to start is not late.
        for _, child in racers:
            self.assertTrue(eventually(lambda pid=child.pid: is_reading(pid)))
        token = self.token(role, name).encode()
        for _, child in racers:
            child.stdin.write(token)
            child.stdin.flush()
        for _, child in racers:
            child.stdin.close()
            child.stdin = None
        results = []
        for directory, child in racers:
            out, err = child.communicate(timeout=PATIENCE)
            results.append((directory, child.returncode, out.decode(), err.decode()))
        return results

    def assert_one_wins(self, program, role):
        for number in range(RACES):
            name = f"{role}-{number}"
            won = []
            for directory, code, said, complaint in self.race(program, role, name):
                if code == 0:
                    won.append(re.search(r"^key id: (\S+)$", said, re.MULTILINE)[1])
                    self.assertTrue(self.has_identity(directory))
                    continue
                self.assertEqual((1, ""), (code, said), complaint)
                self.assertRegex(complaint, rf"^{program}: enroll: .*enrolment token \d+ was used "
                                            r"at \S+\n$")
                self.assertFalse(self.has_identity(directory))
            self.assertEqual(1, len(won))
            self.assertEqual(won, self.keys_of(name))
            self.assertEqual(["used"], self.state_of_token(name))

    def test_of_many_agents_with_one_token_exactly_one_enrols(self):
        self.assert_one_wins("culvert-agent", "agent")

    def test_of_many_users_with_one_token_exactly_one_enrols(self):
        self.assert_one_wins("culvert", "user")

    # --- tokens that are no good ---

    def test_a_used_token_is_refused(self):
        token = self.token("user", "alice")
        self.assertEqual(0, self.enrol_with("culvert", "first", token)[0])
        self.assert_refused(r"enrolment token \d+ was used at", "culvert", "second", token)
        self.assertEqual(1, len(self.keys_of("alice")))

    def test_an_expired_token_is_refused(self):
        token = self.token("user", "alice", "--ttl", "1s")
        self.assertTrue(eventually(lambda: self.state_of_token("alice") == ["expired"]))
        self.assert_refused(r"enrolment token \d+ expired at", "culvert", "state", token)
        self.assertEqual([], self.keys_of("alice"))

    def test_a_revoked_token_is_refused(self):
        token = self.token("agent", AGENT)
        [listed] = self.listed("token", "list")
        self.admin(self.running, "token", "revoke", str(listed["id"]))
        self.assert_refused("enrolment token unknown", "culvert-agent", "state", token)
        self.assertEqual([], self.keys_of(AGENT))

    def test_a_token_for_another_role_stays_unused(self):
        for role, name, wrong, right in (("agent", AGENT, "culvert", "culvert-agent"),
                                         ("user", "alice", "culvert-agent", "culvert")):
            with self.subTest(role):
                token = self.token(role, name)
                self.assert_refused(rf"enrolment token \d+ is for the {role} {name}", wrong,
                                    f"wrong-{role}", token)
                self.assertEqual(["unused"], self.state_of_token(name))
                self.assertEqual([], self.keys_of(name))
                self.assertEqual(0, self.enrol_with(right, f"right-{role}", token)[0])
                self.assertEqual(["used"], self.state_of_token(name))

    def test_a_secret_that_was_guessed_is_refused(self):
        secret, fingerprint = self.token("user", "alice").strip().split("-")[1:]
        guess = ("b" if secret[0] != "b" else "c") + secret[1:]
        self.assert_refused("enrolment token unknown", "culvert", "state",
                            f"cvt1-{guess}-{fingerprint}\n")
        self.assertEqual(["unused"], self.state_of_token("alice"))

    def test_a_token_of_another_authority_is_not_sent(self):
        """To a broker that is not the one of the token nothing is said, least of all the secret."""
        token = self.token("user", "alice")
        own, self.running = self.running, self.broker()
        self.assert_refused("authority has another fingerprint than the one that was given",
                            "culvert", "state", token)
        self.running = own
        self.assertEqual(["unused"], self.state_of_token("alice"))

    def test_a_broker_of_another_authority_is_told(self):
        self.assertEqual(0, self.enrol_with("culvert", "state", self.token("user", "alice"))[0])
        other = self.broker()
        done = self.run_to_end([binary("culvert"), "agents", "--broker", other.address,
                                "--state-dir", self.path("state")])
        self.assertEqual((1, b""), (done.returncode, done.stdout), done)
        self.assertRegex(done.stderr.decode(),
                         r"^culvert: .*its certificate is not of the authority that we enrolled "
                         r"with: wrong broker, or somebody is in between\n$")


def is_reading(pid):
    """Whether a process waits in a read of its standard input, which is a pipe."""
    with open(f"/proc/{pid}/wchan", encoding="ascii") as wchan:
        return "pipe" in wchan.read()


if __name__ == "__main__":
    unittest.main()
