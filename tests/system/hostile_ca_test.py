"""A broken-into broker: whoever has the key of its authority can name anybody. Only keys bind it.

The certificates here are what such a broker can make for itself: of its authority, in the name of
somebody who exists, for a key of its own.
"""

import base64
import hashlib
import os
import types
import unittest

from harness import AGENT, HOST, PATIENCE, SystemTest, binary, dial, how_it_ends, need

class HostileAuthority(SystemTest):
    def setUp(self):
        super().setUp()
        self.running = self.broker()
        self.echo = self.echo_server()
        self.other = self.echo_server()

    def forge(self, role, name):
        """The state directory of who has a certificate for that name and a new key."""
        openssl = need("openssl", "openssl")
        authority = self.path(self.running.directory)
        directory = self.path(f"forged-{role}-{name}")
        os.mkdir(directory, 0o700)
        key, request, certificate = (f"{directory}/{part}" for part in ("key", "request", "cert"))
        self.run_openssl(openssl, "req", "-new", "-newkey", "ec", "-pkeyopt",
                         "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                         "-subj", "/CN=forged", "-addext",
                         "subjectAltName=URI:spiffe://culvert.internal/project/default/"
                         f"{role}/{name}", "-addext", "keyUsage=critical,digitalSignature",
                         "-addext", "extendedKeyUsage=clientAuth,serverAuth")
        self.run_openssl(openssl, "x509", "-req", "-in", request, "-CA", f"{authority}/ca.pem",
                         "-CAkey", f"{authority}/ca-key.pem", "-days", "1", "-copy_extensions",
                         "copyall", "-out", certificate)
        parts = []
        for path in (key, certificate, f"{authority}/ca.pem"):
            with open(path, encoding="ascii") as file:
                parts.append(file.read())
        with open(f"{directory}/identity.pem", "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write("".join(parts))
        return directory

    def run_openssl(self, *argv):
        done = self.run_to_end(argv)
        self.assertEqual(0, done.returncode, done)

    def key_of(self, directory):
        """The key id of an identity: RFC 7638."""
        openssl = need("openssl", "openssl")
        done = self.run_to_end([openssl, "pkey", "-in", f"{directory}/identity.pem", "-pubout",
                                "-outform", "DER"])
        self.assertEqual(0, done.returncode, done)
        x, y = (base64.urlsafe_b64encode(part).decode().rstrip("=")
                for part in (done.stdout[-64:-32], done.stdout[-32:]))
        jwk = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
        digest = hashlib.sha256(jwk.encode()).digest()
        return base64.b32encode(digest).decode().lower().rstrip("=")

    def start_agent(self, directory, *args):
        process = self.start([binary("culvert-agent"), "run", "--broker", self.running.address,
                              "--state-dir", directory, *args])
        process.stderr.expect(" registered as ")
        return process

    def connect(self, directory, target, *args, data=b"ping"):
        """`culvert connect` with something to say: a CompletedProcess."""
        child = self.start_piped([binary("culvert"), "connect", "--broker", self.running.address,
                                  "--state-dir", directory, *args, f"{AGENT}:{target}"])
        out, err = child.communicate(data, timeout=PATIENCE)
        return types.SimpleNamespace(code=child.returncode, out=out, err=err.decode())

    def assert_refused(self, done, *words):
        self.assertEqual((255, b""), (done.code, done.out), done)
        for one in words:
            self.assertIn(one, done.err)

    # --- as alice, to an agent ---

    def alice(self):
        """Who may reach everything, as far as the broker is concerned."""
        return self.path(self.enrol(self.running, "user", "alice"))

    def test_as_a_user_it_gains_nothing_at_an_agent_that_lists_keys(self):
        alice, forged = self.alice(), self.forge("user", "alice")
        self.assertEqual(self.keys["alice"], self.key_of(alice))
        self.assertNotEqual(self.keys["alice"], self.key_of(forged))
        agent = self.start_agent(self.path(self.enrol(self.running, "agent", AGENT)), "--allow",
                                 f"{HOST}:*", "--user", f"key:{self.keys['alice']}")
        self.assert_refused(self.connect(forged, self.echo.port),
                            "user/alice is not on this agent's list of users")
        self.assertEqual(0, self.echo.served)
        agent.stderr.expect("user/alice is not on this agent's list of users")
        done = self.connect(alice, self.echo.port)
        self.assertEqual((0, b"ping"), (done.code, done.out), done)

    def test_as_a_user_it_gains_what_the_allow_list_gives_where_names_are_listed(self):
        forged = self.forge("user", "alice")
        self.alice()
        self.start_agent(self.path(self.enrol(self.running, "agent", AGENT)), "--allow",
                         f"{HOST}:{self.echo.port}", "--user", "alice")
        done = self.connect(forged, self.echo.port)
        self.assertEqual((0, b"ping"), (done.code, done.out), done)
        for target in (f"{HOST}:{self.other.port}", f"127.0.0.2:{self.echo.port}"):
            self.assert_refused(self.connect(forged, target),
                                f"{target} is not on this agent's allow list")
        self.assertEqual(0, self.other.served)
        # Another name than is listed gives nothing.
        mallory = self.forge("user", "mallory")
        self.admin(self.running, "policy", "allow", "--user", "mallory", "--agent", "*",
                   "--service", "tcp", "--target", "*:*")
        self.assert_refused(self.connect(mallory, self.echo.port),
                            "user/mallory is not on this agent's list of users")
        self.assertEqual(1, self.echo.served)

    # --- as edge-1, to a user ---

    def impersonate(self):
        """An agent with a certificate for AGENT and another key, in the place of the true one."""
        self.enrol(self.running, "agent", AGENT)
        directory = self.forge("agent", AGENT)
        self.start_agent(directory, "--allow", f"{HOST}:*")
        return self.key_of(directory)

    def test_as_an_agent_it_is_refused_by_who_knows_the_agent(self):
        forged = self.impersonate()
        alice = self.alice()
        self.command(binary("culvert"), "known-agents", "add", AGENT, self.keys[AGENT],
                     "--state-dir", alice)
        self.assert_refused(
            self.connect(alice, self.echo.port), f"THE KEY OF AGENT {AGENT} HAS CHANGED",
            f"it is known by {self.keys[AGENT]} and now has {forged}",
            f"culvert known-agents remove {AGENT}")
        self.assertEqual(0, self.echo.served)
        # The command that it names is one that works.
        self.command(binary("culvert"), "known-agents", "remove", AGENT, "--state-dir", alice)
        self.assertEqual(0, self.connect(alice, self.echo.port).code)

    def test_as_an_agent_it_is_refused_by_who_pins_the_agent(self):
        forged = self.impersonate()
        done = self.connect(self.alice(), self.echo.port, "--agent-key",
                            f"{AGENT}={self.keys[AGENT]}")
        self.assert_refused(done, f"agent {AGENT} has the key {forged}, not {self.keys[AGENT]} as "
                                  "--agent-key says")
        self.assertEqual(0, self.echo.served)

    def test_a_port_of_a_forwarder_that_knows_the_agent_is_reset(self):
        self.impersonate()
        self.enrol_user(self.running)  # adds the true key
        forwarder = self.forwarder(self.running, forwards=[f"0:{AGENT}:{self.echo.port}"])
        with dial(forwarder.ports[0]) as stream:
            self.assertEqual("reset", how_it_ends(stream))
        forwarder.stderr.expect(f"THE KEY OF AGENT {AGENT} HAS CHANGED")
        self.assertEqual(0, self.echo.served)

    def test_as_an_agent_it_is_believed_at_first_and_its_key_is_shown(self):
        """What docs/security.md says of the first tunnel: as with ssh."""
        forged = self.impersonate()
        alice = self.alice()
        done = self.connect(alice, self.echo.port)
        self.assertEqual((0, b"ping"), (done.code, done.out), done)
        self.assertIn(f"agent {AGENT} is seen for the first time; its key {forged} is recorded",
                      done.err)
        listed = self.command(binary("culvert"), "known-agents", "list", "--state-dir", alice)
        self.assertIn(forged, listed)

    # --- one's own certificate in another role ---

    def test_no_program_runs_with_an_identity_of_the_other_role(self):
        self.start_agent(self.path(self.enrol(self.running, "agent", AGENT)), "--allow",
                         f"{HOST}:*")
        edge_2 = self.path(self.enrol(self.running, "agent", "edge-2"))
        done = self.connect(edge_2, self.echo.port)
        self.assertEqual((2, b""), (done.code, done.out), done)
        self.assertIn("is that of spiffe://culvert.internal/project/default/agent/edge-2", done.err)
        process = self.start([binary("culvert-agent"), "run", "--broker", self.running.address,
                              "--state-dir", self.alice()])
        self.assertEqual(2, process.wait())
        process.stderr.expect("is that of spiffe://culvert.internal/project/default/user/alice")
        self.assertEqual(0, self.echo.served)


if __name__ == "__main__":
    unittest.main()
