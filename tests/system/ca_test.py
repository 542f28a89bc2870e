"""An authority whose key is on another machine than the broker: the whole way there and back."""

import json
import os
import re
import signal

from harness import (AGENT, HOST, SystemTest, binary, echo_through)

WAITS = 75


class AuthorityElsewhere(SystemTest):
    def setUp(self):
        super().setUp()
        made = self.command(binary("culvert-broker"), "ca", "create", "--state-dir",
                            self.path("machine"))
        self.fingerprint = re.fullmatch(r"CA fingerprint ([a-z2-7]{52})\n", made)[1]
        # Anybody may read it, and it is all that goes to the broker.
        with open(self.path("machine/ca.pem"), encoding="ascii") as file:
            self.ca_cert = self.write("ca.pem", file.read())
        self.flags = ["--state-dir", self.path("broker"), "--ca-cert", self.ca_cert]

    def serve_argv(self, listen=f"{HOST}:0"):
        return [binary("culvert-broker"), "serve", "--listen", listen, *self.flags]

    def ca(self, *args, directory="broker", code=0):
        done = self.run_to_end([binary("culvert-broker"), "ca", *args, "--state-dir",
                                self.path(directory)])
        self.assertEqual(code, done.returncode, done)
        return done

    def requests(self):
        return [json.loads(line) for line in self.ca("requests", "--json").stdout.splitlines()]

    def carry(self, *args):
        """There and back: whom the person at the authority saw."""
        requests = self.write("requests", self.ca("requests", "--json").stdout)
        signed = self.ca("sign", "--in", requests, "--out", self.path("signed"), *args,
                         directory="machine")
        self.assertEqual(b"", signed.stdout)
        self.ca("import", "--in", self.path("signed"))
        return signed.stderr.decode()

    def start_broker(self, listen=f"{HOST}:0"):
        process = self.start(self.serve_argv(listen))
        process.address = process.stdout.expect(r"^listening on (\S+)$")[1]
        process.directory = "broker"
        process.stdout.expect(f"^CA fingerprint {self.fingerprint}$")
        return process

    def first_start(self):
        """A broker starts only once its own certificate is signed."""
        done = self.run_to_end(self.serve_argv())
        self.assertEqual((1, b""), (done.returncode, done.stdout), done)
        self.assertIn("culvert-broker ca sign", done.stderr.decode())
        self.assertEqual(1, len(done.stderr.splitlines()), done)
        self.assertEqual(["broker"], [request["role"] for request in self.requests()])
        self.assertIn("signed for the broker, key ", self.carry())
        self.assertFalse(os.path.exists(self.path("broker/ca-key.pem")))
        return self.start_broker()

    def enroll_argv(self, broker, program, name, *args):
        return [binary(program), "enroll", "--broker", broker.address, "--token-file",
                self.path(f"{name}.token"), "--state-dir", self.path(name), *args]

    def ask(self, broker, program, role, name):
        """The key that waits."""
        self.write(f"{name}.token", self.admin(broker, "token", "create", f"--{role}", name))
        done = self.run_to_end(self.enroll_argv(broker, program, name))
        self.assertEqual((WAITS, b""), (done.returncode, done.stdout), done)
        return re.search(r"key ([a-z2-7]{52}) waits to be signed", done.stderr.decode())[1]

    def test_a_byte_goes_through_a_tunnel(self):
        broker = self.first_start()
        keys = {AGENT: self.ask(broker, "culvert-agent", "agent", AGENT),
                "alice": self.ask(broker, "culvert", "user", "alice")}
        # Asking again changes nothing, and a restart does not either.
        done = self.run_to_end(self.enroll_argv(broker, "culvert", "alice"))
        self.assertEqual(WAITS, done.returncode, done)
        self.assertIn(keys["alice"], done.stderr.decode())
        broker.signal(signal.SIGTERM)
        self.assertEqual(0, broker.wait())
        broker = self.start_broker(broker.address)
        self.assertEqual(keys, {r["name"]: r["key"] for r in self.requests()})

        seen = self.carry("--only", f"agent:{AGENT}")
        self.assertIn(f"signed for agent {AGENT} of projects/default, key {keys[AGENT]}", seen)
        self.assertNotIn("alice", seen)
        self.assertIn(f"key id: {keys[AGENT]}",
                      self.command(*self.enroll_argv(broker, "culvert-agent", AGENT)))
        # Who waits gets it as soon as it is there.
        waiting = self.start(self.enroll_argv(broker, "culvert", "alice", "--wait", "1m"))
        waiting.stderr.expect("waits to be signed$")
        self.carry()
        self.assertEqual(0, waiting.wait())
        waiting.stdout.expect(f"^key id: {keys['alice']}$")

        self.admin(broker, "policy", "allow", "--user", "alice", "--service", "tcp", "--target",
                   "*:*")
        echo = self.echo_server()
        agent = self.start([binary("culvert-agent"), "run", "--state-dir", self.path(AGENT),
                            "--allow", f"{HOST}:*"])
        agent.stderr.expect(" registered as ")
        forwarder = self.start([binary("culvert"), "forward", "--state-dir", self.path("alice"),
                                "-L", f"0:{AGENT}:{echo.port}"])
        port = int(forwarder.stdout.expect(r"^forwarding \S+:(\d+) -> ")[1])
        self.assertTrue(echo_through(port, b"x"))

        # A new key waits too, and takes over once it is signed.
        renew = [binary("culvert-agent"), "renew", "--rotate-key", "--state-dir", self.path(AGENT)]
        done = self.run_to_end(renew)
        self.assertEqual(WAITS, done.returncode, done)
        self.carry()
        new = re.search(r"^key id: (\S+)$", self.command(*renew), re.MULTILINE)[1]
        self.assertIn(new, done.stderr.decode())
        agent.signal(signal.SIGHUP)
        agent.stderr.expect(f"certificate renewed for the new key {new}")
        self.assertTrue(echo_through(port, b"x"))
        forwarder.stderr.expect(f"has a new key {new}")

    def test_what_another_authority_signed_is_not_imported(self):
        broker = self.first_start()
        self.ask(broker, "culvert", "user", "alice")
        requests = self.write("requests", self.ca("requests", "--json").stdout)
        self.ca("create", directory="other")
        self.ca("sign", "--in", requests, "--out", self.path("signed"), directory="other")
        done = self.ca("import", "--in", self.path("signed"), code=1)
        self.assertIn("line 1: certificate: ", done.stderr.decode())
        self.assertEqual(["alice"], [r["name"] for r in self.requests()])

    def test_requests_and_certificates_go_through_pipes(self):
        self.run_to_end(self.serve_argv())
        argv = [binary("culvert-broker"), "ca"]
        requests = self.ca("requests", "--json").stdout
        for args, directory in ((["sign"], "machine"), (["import"], "broker")):
            child = self.start_piped([*argv, *args, "--state-dir", self.path(directory)])
            requests, _ = child.communicate(requests)
            self.assertEqual(0, child.returncode)
        self.assertRegex(requests.decode(), r"^imported for the broker, key [a-z2-7]{52}\n$")
        self.start_broker()

    def test_nothing_to_sign_and_nothing_to_import_are_said(self):
        self.run_to_end(self.serve_argv())
        requests = self.write("requests", self.ca("requests", "--json").stdout)
        empty = self.write("empty", "")
        out = ["--out", self.path("signed")]
        for args, words in ((["--in", empty], "nothing to sign in "),
                            (["--in", requests, "--only", "agent:x"], "that --only names")):
            done = self.ca("sign", *args, *out, directory="machine", code=1)
            self.assertIn(words, done.stderr.decode())
            self.assertFalse(os.path.exists(self.path("signed")))
        done = self.ca("import", "--in", empty, code=1)
        self.assertIn("nothing to import in ", done.stderr.decode())
        for only in ("x", "admin:x", "agent:", "key:x", "key:" + "1" * 52):
            done = self.ca("sign", "--in", requests, "--only", only, directory="machine", code=2)
            self.assertIn("expected agent:NAME", done.stderr.decode())
        # Where they cannot go none are made.
        done = self.ca("sign", "--in", requests, "--out", self.path("no/such"),
                       directory="machine", code=1)
        self.assertNotIn("signed for", done.stderr.decode())
        key = json.loads(self.ca("requests", "--json").stdout)["key"]
        self.ca("sign", "--in", requests, "--only", "user:x", "--only", f"key:{key}", *out,
                directory="machine")
        self.ca("import", "--in", self.path("signed"))

    def test_the_key_does_not_stay_on_the_broker(self):
        self.ca("create")
        done = self.run_to_end(self.serve_argv())
        self.assertEqual(1, done.returncode, done)
        self.assertIn("ca-key.pem is here", done.stderr.decode())
