"""End-to-end TLS against OpenSSL's client and server, and what it must refuse of them."""

import os
import queue
import re
import subprocess
import tempfile
import threading
import unittest

import programs

OPENSSL = "/usr/bin/openssl"
EXPORT_LABEL = "EXPERIMENTAL culvert path"
# By OpenSSL's names, the two that we speak.
SUITES = {"ECDHE-ECDSA-AES128-GCM-SHA256": "aes", "ECDHE-ECDSA-CHACHA20-POLY1305": "chacha"}


def openssl(*arguments):
    done = subprocess.run([OPENSSL, *arguments], capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL, timeout=programs.WAIT)
    return done.stdout


def our_peer(*arguments):
    return [programs.path("tls_peer"), *arguments]


class Lines:
    """A running program, whose output is read one line after the other."""

    def __init__(self, test, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        test.addCleanup(self.stop)

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def next(self):
        """The next line; None at the end."""
        return self._lines.get(timeout=programs.WAIT)

    def until(self, pattern):
        """The match of the next line that has one; None if the program ends before."""
        while (line := self.next()) is not None:
            if found := re.search(pattern, line):
                return found
        return None

    def write(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def stop(self):
        self.process.kill()
        self.process.wait()
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self._reader.join()
        self.process.stdout.close()


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._root = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._root.cleanup)
        cls.ours = cls._make("ours")
        cls.theirs = cls._make("theirs")

    @classmethod
    def _make(cls, name):
        folder = os.path.join(cls._root.name, name)
        os.mkdir(folder)
        subprocess.run(our_peer("make", folder), check=True, timeout=programs.WAIT)
        return folder

    def issue(self, name, *key_options):
        """A certificate of our authority for a key of another kind: options for its files."""
        key, request, cert = (f"{self.ours}/{name}.{end}" for end in ("key", "csr", "pem"))
        openssl("req", "-new", "-newkey", *key_options, "-nodes", "-keyout", key, "-out", request,
                "-subj", "/CN=mallory", "-addext", "extendedKeyUsage=clientAuth,serverAuth")
        openssl("x509", "-req", "-in", request, "-CA", f"{self.ours}/ca.pem", "-CAkey",
                f"{self.ours}/ca.key", "-days", "1", "-copy_extensions", "copyall", "-out", cert)
        return self.identity(self.ours, name)

    @staticmethod
    def identity(folder, name):
        return ["-cert", f"{folder}/{name}.pem", "-key", f"{folder}/{name}.key"]

    def client_command(self, port, identity, *options):
        return [OPENSSL, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                f"{self.ours}/ca.pem", "-verify_return_error", *identity, *options]

    def start_server(self, *options):
        server = Lines(self, our_peer("serve", self.ours, *options))
        return server, server.until(r"^port (\d+)$").group(1)


class OpensslClientTest(TlsTest):
    def exchange(self, server, port, *options):
        """A line there and back, closed in order. What each end said of the connection."""
        client = Lines(self, self.client_command(port, self.identity(self.ours, "user"), *options))
        said = server.next()
        client.write("there and back\n")
        exported = client.until(r"Keying material: (\w+)|^there and back$")
        client.end_input()
        self.assertEqual(server.next(), "closed")
        self.assertEqual(client.process.wait(programs.WAIT), 0)
        return said, exported.group(1)

    def test_both_suites_and_both_record_layers(self):
        for layer in ([], ["mbedtls"]):
            for suite, name in SUITES.items():
                with self.subTest(suite=suite, layer=layer):
                    server, port = self.start_server(*layer)
                    said, _ = self.exchange(server, port, "-cipher", suite)
                    self.assertRegex(said, rf"^connected peer=spiffe://.*/user/alice cipher={name} "
                                           "resumed=0 ")

    def test_a_ticket_resumes(self):
        server, port = self.start_server()
        session = f"{self.ours}/session"
        first, _ = self.exchange(server, port, "-sess_out", session)
        self.assertIn("resumed=0", first)
        for _ in range(2):
            again, _ = self.exchange(server, port, "-sess_in", session)
            self.assertRegex(again, "^connected peer=spiffe://.*/user/alice .*resumed=1")
        other, other_port = self.start_server()
        full, _ = self.exchange(other, other_port, "-sess_in", session)
        self.assertIn("resumed=0", full)

    def test_both_ends_export_the_same_secret(self):
        server, port = self.start_server()
        said, exported = self.exchange(server, port, "-keymatexport", EXPORT_LABEL,
                                       "-keymatexportlen", "32")
        self.assertTrue(exported)
        self.assertIn(f"exported={exported}", said)

    def test_a_renegotiation_is_refused(self):
        server, port = self.start_server()
        client = Lines(self, self.client_command(port, self.identity(self.ours, "user")))
        self.assertIn("connected", server.next())
        client.until("^---$")
        client.write("R\n")
        self.assertEqual(server.next(), "broken: altered on the way: a record of type 22")


class RefusedClientTest(TlsTest):
    def attempt(self, server, port, identity, *options):
        """What our server says of a client that only shakes hands."""
        subprocess.run(self.client_command(port, identity, *options), stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=programs.WAIT)
        said = server.next()
        if said.startswith("connected"):
            self.assertEqual(server.next(), "closed")
        return said

    def test_only_tls_1_2(self):
        server, port = self.start_server()
        user = self.identity(self.ours, "user")
        for version in ("-tls1", "-tls1_1", "-tls1_3"):
            with self.subTest(version=version):
                said = self.attempt(server, port, user, version, "-cipher", "ALL:@SECLEVEL=0")
                self.assertRegex(said, "^refused: ")
        self.assertRegex(self.attempt(server, port, user, "-tls1_2"), "^connected")
        # One that would rather speak 1.3 comes down to 1.2.
        self.assertRegex(self.attempt(server, port, user), "^connected")

    def test_only_two_suites(self):
        server, port = self.start_server()
        user = self.identity(self.ours, "user")
        names = openssl("ciphers", "-s", "-tls1_2", "ALL:eNULL:@SECLEVEL=0").strip().split(":")
        self.assertGreater(len(names), 50)
        accepted = {}
        for name in names:
            said = self.attempt(server, port, user, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0")
            self.assertRegex(said, "^(connected|refused)")
            if said.startswith("connected"):
                accepted[name] = re.search(r"cipher=(\w+)", said).group(1)
        self.assertEqual(accepted, SUITES)

    def test_only_p256(self):
        server, port = self.start_server()
        user = self.identity(self.ours, "user")
        for group in ("P-384", "P-521", "X25519", "secp256k1"):
            with self.subTest(group=group):
                said = self.attempt(server, port, user, "-tls1_2", "-groups", group)
                self.assertRegex(said, "^refused: ")

    def test_only_certificates_of_our_authority_and_kind(self):
        server, port = self.start_server()
        other = "refused: certificate: issued by another authority"
        attempts = {
            "none": ([], "refused: the peer shows no certificate"),
            "another authority's": (self.identity(self.theirs, "user"), other),
            "the authority's own": (self.identity(self.ours, "ca"), "refused: "),
            "another authority itself": (self.identity(self.theirs, "ca"), "refused: "),
            "RSA": (self.issue("rsa", "rsa:2048"), "refused: "),
            "P-384": (self.issue("p384", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"), "refused: "),
            "Ed25519": (self.issue("ed25519", "ed25519"), "refused: "),
        }
        for name, (identity, said) in attempts.items():
            with self.subTest(name):
                self.assertIn(said, self.attempt(server, port, identity, "-tls1_2"))
        user = self.identity(self.ours, "user")
        self.assertRegex(self.attempt(server, port, user), "^connected")


class OpensslServerTest(TlsTest):
    def connect(self, identity, *options, count=1):
        """What our client says of a server that reverses lines."""
        server = Lines(self, [OPENSSL, "s_server", "-accept", "127.0.0.1:0", *identity, "-CAfile",
                              f"{self.ours}/ca.pem", "-Verify", "1", "-verify_return_error", "-rev",
                              *options])
        port = server.until(r"^ACCEPT .*:(\d+)$").group(1)
        done = subprocess.run(our_peer("connect", self.ours, port, str(count)), text=True,
                              stdout=subprocess.PIPE, timeout=programs.WAIT)
        return done.stdout.splitlines()

    def test_both_suites(self):
        for suite, name in SUITES.items():
            with self.subTest(suite):
                said = self.connect(self.identity(self.ours, "agent"), "-cipher", suite)
                self.assertRegex(said[0], rf"^connected peer=spiffe://.*/agent/edge-1 cipher={name}")
                self.assertEqual(said[1:], ["answer reward"])

    def test_a_ticket_resumes(self):
        said = self.connect(self.identity(self.ours, "agent"), count=3)
        self.assertEqual(said[1::2], ["answer reward"] * 3)
        self.assertEqual([re.search(r"resumed=(\d)", line).group(1) for line in said[::2]],
                         ["0", "1", "1"])

    def test_without_tickets_each_handshake_is_full(self):
        said = self.connect(self.identity(self.ours, "agent"), "-no_ticket", "-no_cache", count=2)
        self.assertEqual([re.search(r"resumed=(\d)", line).group(1) for line in said[::2]],
                         ["0", "0"])

    def test_what_is_weaker_is_refused(self):
        agent = self.identity(self.ours, "agent")
        attempts = {
            "TLS 1.1": (agent, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
            "TLS 1.3 only": (agent, ["-tls1_3"]),
            "AES-256": (agent, ["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"]),
            "CBC": (agent, ["-cipher", "ECDHE-ECDSA-AES128-SHA256"]),
            "P-384": (agent, ["-groups", "P-384"]),
            "another authority": (self.identity(self.theirs, "agent"), []),
            "a user's certificate": (self.identity(self.ours, "user"), []),
            "the authority's own": (self.identity(self.ours, "ca"), []),
            "RSA": (self.issue("rsa_server", "rsa:2048"), ["-cipher", "ALL:@SECLEVEL=0"]),
        }
        for name, (identity, options) in attempts.items():
            with self.subTest(name):
                said = self.connect(identity, *options)
                self.assertEqual(len(said), 1)
                self.assertRegex(said[0], "^refused: ")


if __name__ == "__main__":
    unittest.main()
