"""The broker's control port as a scanner of TLS sees it: nothing weak is spoken there."""

import re
import socket
import unittest

from harness import PATIENCE, Output, SystemTest, dial, need, note

# TLS 1.2: ephemeral keys and authenticated encryption, with the broker's ECDSA certificate.
SUITES_1_2 = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"}
SUITES_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
WEAKEST = "@SECLEVEL=0"


class ControlPort(SystemTest):
    def setUp(self):
        super().setUp()
        self.openssl = need("openssl", "openssl")
        self.running = self.broker()
        self.authority = self.path(f"{self.running.directory}/ca.pem")

    def client(self, *options):
        return [self.openssl, "s_client", "-connect", self.running.address, "-alpn", "h2",
                "-CAfile", self.authority, *options]

    def shake(self, *options):
        """What s_client says of one handshake, and the suite, None if there was no session."""
        done = self.run_to_end(self.client(*options))
        text = (done.stdout + done.stderr).decode(errors="replace")
        self.assertNotIn("Unknown option", text)
        # It was the broker who refused: gRPC ends the connection without an alert.
        self.assertRegex(text, r"SSL handshake has read \d+ bytes and written \d{3,} bytes")
        suite = re.search(r"^New, (?:TLSv1\.\d), Cipher is (\S+)$", text, re.MULTILINE)
        return text, suite[1] if suite else None

    def all_suites(self, version):
        done = self.run_to_end([self.openssl, "ciphers", "-s", version,
                                f"ALL:COMPLEMENTOFALL:{WEAKEST}"])
        self.assertEqual(0, done.returncode, done)
        return done.stdout.decode().strip().split(":")

    def test_a_good_handshake_is_one(self):
        """So that a refusal below is one of what is asked for."""
        text, suite = self.shake("-tls1_2", "-verify_return_error", "-verify_hostname",
                                 "broker.culvert.internal")
        self.assertIn(suite, SUITES_1_2)
        self.assertIn("Verify return code: 0 (ok)", text)
        self.assertIn("ALPN protocol: h2", text)

    def test_no_version_below_1_2(self):
        for version in ("-tls1", "-tls1_1"):
            with self.subTest(version):
                text, suite = self.shake(version, "-cipher", f"ALL:{WEAKEST}")
                self.assertIsNone(suite, text)

    def test_no_version_3_of_ssl(self):
        """Which openssl cannot speak any more: a ClientHello by hand."""
        for minor, answered in ((0, False), (1, False), (3, True)):
            with self.subTest(minor=minor), dial(self.port()) as stream:
                stream.sendall(client_hello(minor))
                header = stream.recv(5)
                self.assertEqual(answered, header[:1] == b"\x16", header)
                if header and not answered:
                    self.assertEqual(b"\x15", header[:1], header)  # an alert

    def port(self):
        return int(self.running.address.rsplit(":", 1)[1])

    def test_of_all_suites_of_1_2_only_those_with_ephemeral_keys_and_authenticated_encryption(self):
        names = self.all_suites("-tls1_2")
        self.assertGreater(len(names), 50)
        accepted = set()
        for name in names:
            _, suite = self.shake("-tls1_2", "-cipher", f"{name}:{WEAKEST}")
            if suite is not None:
                self.assertEqual(name, suite)
                accepted.add(suite)
        note(f"of {len(names)} suites of TLS 1.2 these are accepted: {', '.join(sorted(accepted))}")
        self.assertTrue(accepted)
        self.assertLessEqual(accepted, SUITES_1_2)

    def test_of_all_suites_of_1_3_only_those_of_full_strength(self):
        names = [name for name in self.all_suites("-tls1_3") if name.startswith("TLS_")]
        names += ["TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]
        accepted = {suite for name in names
                    if (suite := self.shake("-tls1_3", "-ciphersuites", name)[1])}
        note(f"of TLS 1.3 these are accepted: {', '.join(sorted(accepted))}")
        self.assertTrue(accepted)
        self.assertLessEqual(accepted, SUITES_1_3)

    def test_what_is_agreed_on_is_strong(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                text, _ = self.shake(version, "-cipher", f"ALL:{WEAKEST}", "-comp")
                self.assertIn("Compression: NONE", text)
                self.assertRegex(text, r"Server Temp Key: (ECDH, prime256v1, 256|X25519, 253) bits")
                self.assertIn("Server public key is 256 bit", text)
                self.assertIn("Peer signing digest: SHA256", text)
                self.assertIn("Peer signature type: ECDSA", text)

    def test_finite_field_and_weak_curves_are_refused(self):
        for version, group in (("-tls1_3", "ffdhe2048"), ("-tls1_2", "P-224"),
                               ("-tls1_2", "P-192"), ("-tls1_2", "secp256k1")):
            with self.subTest(group):
                _, suite = self.shake(version, "-groups", group, "-cipher", f"ALL:{WEAKEST}")
                self.assertIsNone(suite)

    def test_no_renegotiation_by_the_client(self):
        text, _ = self.shake("-tls1_2")
        self.assertIn("Secure Renegotiation IS supported", text)  # RFC 5746: no splicing
        client = self.start_piped(self.client("-tls1_2", "-msg"))
        said = Output(client.stdout)
        said.expect("ALPN protocol: h2")
        client.stdin.write(b"R\n")  # a line with R alone asks for it
        client.stdin.flush()
        complained = Output(client.stderr)
        complained.expect("^RENEGOTIATING$")
        said.finish()  # the broker ends the connection
        self.assertEqual(2, said.count(">>> .* Handshake .* ClientHello$"))
        self.assertEqual(1, said.count("<<< .* Handshake .* ServerHello$"))
        self.assertNotEqual(0, client.wait(PATIENCE))

    def test_a_certificate_is_asked_for(self):
        """Who shows none may only enrol: tests/integration/broker_denied_test.cc."""
        text, _ = self.shake("-tls1_2")
        self.assertRegex(text, "Client Certificate Types: .*ECDSA sign")

    def test_the_broker_survives_a_scan(self):
        for data in (b"", b"\x16", b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\x00\x02", b"\0" * 600):
            with dial(self.port()) as stream:
                stream.sendall(data)
                stream.shutdown(socket.SHUT_WR)
                try:
                    while stream.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        self.enrol(self.running, "user", "alice")

    def test_a_failed_handshake_is_no_line_in_the_log(self):
        """Anybody can fail as often as they like."""
        for _ in range(3):
            self.assertIsNone(self.shake("-tls1_1", "-cipher", f"ALL:{WEAKEST}")[1])
        self.enrol(self.running, "user", "alice")
        self.running.kill()
        self.assertEqual(0, self.running.stderr.count("(?i)handshake|ssl"))


def client_hello(minor):
    """Of version 3.minor and no later one, with the suites that go with it."""
    suites = bytes.fromhex("c02bc02cc009c00a002f0035000a0005")
    extensions = bytes.fromhex("000a00040002001700" + "0b00020100" + "000d00060004" + "04030401")
    body = bytes([3, minor]) + bytes(range(32)) + b"\0"
    body += len(suites).to_bytes(2, "big") + suites + b"\x01\0"
    if minor > 0:
        body += len(extensions).to_bytes(2, "big") + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16" + bytes([3, min(minor, 1)]) + len(message).to_bytes(2, "big") + message


if __name__ == "__main__":
    unittest.main()
