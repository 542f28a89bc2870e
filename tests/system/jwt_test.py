"""Signing in with JSON Web Tokens: service accounts, and an issuer whose keys are served by https."""

import base64
import contextlib
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time
import unittest

from harness import AGENT, HOST, PATIENCE, SystemTest, binary, dial, echo_through, eventually, need
from harness import is_broken_soon, round_trip

ISSUER = "https://issuer.example"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_signature(der):
    """The two numbers of an ECDSA signature, 32 bytes each."""
    def number(at):
        size = der[at + 1]
        return int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big"), at + 2 + size

    first, at = number(2)
    return first + number(at)[0]


class Key:
    """A key of P-256 or RSA, made and used by openssl."""

    def __init__(self, test, name, kind="ec"):
        self.openssl = need("openssl", "openssl")
        self.kind = kind
        self.name = name
        self.file = test.path(name + ".key")
        options = (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec"
                   else ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        self.run("genpkey", *options, "-out", self.file)
        self.public = test.write(name + ".pem", self.run("pkey", "-in", self.file, "-pubout"))

    def run(self, *args, stdin=b""):
        return subprocess.run([self.openssl, *args], input=stdin, capture_output=True, check=True,
                              timeout=PATIENCE).stdout

    def jwk(self):
        der = self.run("pkey", "-in", self.file, "-pubout", "-outform", "DER")
        if self.kind == "ec":  # the point is the last 64 bytes
            return {"kty": "EC", "crv": "P-256", "kid": self.name, "x": b64(der[-64:-32]),
                    "y": b64(der[-32:])}
        text = self.run("rsa", "-in", self.file, "-noout", "-modulus").decode()
        modulus = bytes.fromhex(text.strip().removeprefix("Modulus="))
        return {"kty": "RSA", "kid": self.name, "n": b64(modulus), "e": "AQAB"}

    def sign(self, kid=None, **claims):
        header = {"alg": "ES256" if self.kind == "ec" else "RS256", "typ": "JWT"}
        if kid:
            header["kid"] = kid
        now = int(time.time())
        claims = {"iat": now, "exp": now + 600, "aud": "culvert", **claims}
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims)).encode()
        signature = self.run("dgst", "-sha256", "-sign", self.file, stdin=text)
        if self.kind == "ec":
            signature = raw_signature(signature)
        return text.decode() + "." + b64(signature)


class KeyServer:
    """An issuer's https server."""

    def __init__(self, test):
        self.asked = 0
        self.body = b"{}"
        self.ca = test.path("issuer-ca.pem")
        key = test.path("issuer-tls.key")
        subprocess.run([need("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", self.ca,
                        "-days", "1", "-subj", "/CN=issuer", "-addext",
                        f"subjectAltName=IP:{HOST}"], check=True, capture_output=True)
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                server.asked += 1
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/keys")
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, *unused):
                pass

        self._server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{HOST}:{self._server.server_address[1]}/keys"

    def serve(self, *keys):
        self.body = json.dumps({"keys": [key.jwk() for key in keys]}).encode()

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self._server.shutdown()
            self._server.server_close()


class JwtTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.running = self.broker()
        self.fingerprint = self.running.stdout.expect(r"^CA fingerprint (\S+)$")[1]

    def login(self, jwt, *args, directory="login", fingerprint=True):
        """A CompletedProcess of culvert login."""
        file = self.write("jwt", jwt + "\n")
        trust = ["--ca-fingerprint", self.fingerprint] if fingerprint else []
        return self.run_to_end([binary("culvert"), "login", "--broker", self.running.address,
                                "--jwt-file", file, "--state-dir", self.path(directory), *trust,
                                *args])

    def logged_in(self, *args, **options):
        done = self.login(*args, **options)
        self.assertEqual((0, b""), (done.returncode, done.stderr), done)
        return done.stdout.decode()

    def refusal(self, *args, **options):
        done = self.login(*args, **options)
        self.assertEqual((1, b""), (done.returncode, done.stdout), done)
        return done.stderr.decode()

    def allow(self, kind, name):
        self.admin(self.running, "policy", "allow", f"--{kind}", name, "--agent", "*", "--service",
                   "tcp", "--target", "*:*")

    def tunnel(self, directory="login"):
        """A forwarder with the identity of a login, to an echo server beside the agent."""
        echo = self.echo_server()
        self.agent(self.running)
        process = self.start([binary("culvert"), "forward", "--state-dir", self.path(directory),
                              "-L", f"0:{AGENT}:{echo.port}"])
        process.port = int(process.stdout.expect(r":(\d+) ")[1])
        return process


class ServiceAccounts(JwtTest):
    def add(self, key, name="ci"):
        """The SPIFFE id of the account, and the name of the key."""
        said = self.admin(self.running, "service-account", "add", name, "--public-key", key.public)
        return re.fullmatch(r"iss and sub: (\S+)\nkid: (\S+)\n", said).groups()

    def test_log_in_and_use_a_tunnel_until_removed(self):
        for kind in ("ec", "rsa"):
            with self.subTest(kind=kind):
                key = Key(self, f"ci-{kind}", kind)
                account, kid = self.add(key, kind)
                said = self.logged_in(key.sign(kid, iss=account, sub=account), directory=kind)
                self.assertRegex(said, f"^logged in as service-account {kind} of projects/default")
        self.allow("service-account", "ec")
        forwarder = self.tunnel("ec")
        self.assertTrue(echo_through(forwarder.port, b"through a tunnel with keys" * 1000))
        with dial(forwarder.port) as stream:
            round_trip(stream)
            self.admin(self.running, "service-account", "remove", "ec")
            self.assertTrue(is_broken_soon(stream))
        listed = self.admin(self.running, "service-account", "list", "--json").splitlines()
        self.assertEqual(["rsa"], [json.loads(line)["name"] for line in listed])

    def test_what_is_wrong_is_told_in_one_line(self):
        key = Key(self, "ci")
        account, kid = self.add(key)
        good = {"iss": account, "sub": account}
        other = Key(self, "other")
        hidden = "its issuer or key is unknown, or its signature is wrong"
        for jwt, words in ((other.sign(kid, **good), hidden),
                           (key.sign("x", **good), hidden),
                           (key.sign(kid, **{**good, "aud": "x"}), "another audience"),
                           (key.sign(kid, **good, exp=int(time.time()) - 100), "expired at"),
                           ("no.jwt", "three parts")):
            with self.subTest(words=words):
                self.assertIn(words, self.refusal(jwt))
        self.assertFalse(os.path.exists(self.path("login/identity.pem")))
        self.assertIn("which broker is the right one?",
                      self.refusal(key.sign(kid, **good), fingerprint=False))
        self.fingerprint = "a" * 52
        self.assertRegex(self.refusal(key.sign(kid, **good)),
                         "login: .*another fingerprint than the one that was given")

    def test_a_private_key_is_not_taken_for_a_public_one(self):
        key = Key(self, "ci")
        done = self.run_to_end([binary("culvert-broker"), "service-account", "add", "ci",
                                "--public-key", key.file, "--state-dir",
                                self.path(self.running.directory)])
        self.assertEqual((2, b""), (done.returncode, done.stdout), done)
        self.assertIn("is a private key: give the public one", done.stderr.decode())

    def test_an_identity_that_is_there_keeps_its_key_and_is_not_given_away(self):
        key, other = Key(self, "ci"), Key(self, "other")
        account, kid = self.add(key)
        jwt = key.sign(kid, iss=account, sub=account)
        first = self.logged_in(jwt)
        self.assertEqual(0o600, os.stat(self.path("login/identity.pem")).st_mode & 0o777)
        again = self.logged_in(jwt, fingerprint=False)  # trusts whom it trusted before
        self.assertEqual(*(re.search("key id: (.*)", text)[1] for text in (first, again)))
        ca = os.path.join(self.path(self.running.directory), "ca.pem")
        self.logged_in(jwt, "--ca-cert", ca, directory="second", fingerprint=False)
        account, kid = self.add(other, "second")
        jwt = other.sign(kid, iss=account, sub=account)
        self.assertIn("--force replaces it", self.refusal(jwt))
        self.assertIn("service-account second", self.logged_in(jwt, "--force"))


class Issuers(JwtTest):
    def add(self, jwks, *args):
        self.admin(self.running, "issuer", "add", ISSUER, "--jwks", jwks, "--audience", "culvert",
                   *args)

    def test_the_keys_of_a_file(self):
        key = Key(self, "i-1", "rsa")
        file = self.write("keys.json", json.dumps({"keys": [key.jwk()]}))
        self.add(file, "--claim", "name")
        said = self.logged_in(key.sign("i-1", iss=ISSUER, sub="0815", name="alice"))
        self.assertRegex(said, "^logged in as user alice of projects/default until ")
        self.assertIn("is \"a b\", and no name of a user",
                      self.refusal(key.sign("i-1", iss=ISSUER, sub="0815", name="a b")))
        self.admin(self.running, "issuer", "remove", ISSUER)
        self.assertIn("not valid here", self.refusal(key.sign("i-1", iss=ISSUER, name="alice")))
        bad = self.run_to_end([binary("culvert-broker"), "issuer", "add", ISSUER, "--jwks",
                               self.write("bad.json", "{}"), "--audience", "a", "--state-dir",
                               self.path(self.running.directory)])
        self.assertEqual(2, bad.returncode)
        self.assertIn(b"JWK set: expected an object", bad.stderr)

    def test_the_keys_of_a_server_that_changes_them_and_goes_away(self):
        server = self.enterContext(KeyServer(self))
        old, new = Key(self, "i-1"), Key(self, "i-2", "rsa")
        server.serve(old)
        self.add(server.url, "--ca-file", server.ca)
        self.logged_in(old.sign("i-1", iss=ISSUER, sub="alice"))
        self.allow("user", "alice")
        forwarder = self.tunnel()
        self.assertTrue(echo_through(forwarder.port, b"x" * 100_000))

        server.serve(new)
        asked = server.asked
        # Not within a minute of the last time.
        self.assertIn("not valid here", self.refusal(new.sign("i-2", iss=ISSUER, sub="alice")))
        self.assertEqual(asked, server.asked)
        self.add(server.url, "--ca-file", server.ca)  # the operator does not want to wait
        self.logged_in(new.sign("i-2", iss=ISSUER, sub="alice"))
        self.assertIn("not valid here", self.refusal(old.sign("i-1", iss=ISSUER, sub="alice")))

        server.close()
        self.running.signal(15)
        self.running.wait()
        # A broker that cannot ask goes on with the last keys.
        self.running = self.broker(listen=self.running.address)
        self.logged_in(new.sign("i-2", iss=ISSUER, sub="alice"))
        self.running.stderr.expect("keys of issuer .* not read, the last ones count")

    def test_a_server_that_is_not_the_right_one_is_not_believed(self):
        server = self.enterContext(KeyServer(self))
        key = Key(self, "i-1")
        server.serve(key)
        self.add(server.url)  # the system's authorities do not know it
        self.running.stderr.expect("keys of issuer .* not read")
        self.assertEqual(0, server.asked)
        self.add(server.url.replace("/keys", "/moved"), "--ca-file", server.ca)
        self.running.stderr.expect("the server answers with 302")
        server.body = b" " * 300_000
        self.add(server.url, "--ca-file", server.ca)
        self.running.stderr.expect("more than 262144 bytes")
        self.assertTrue(eventually(lambda: server.asked == 2))


if __name__ == "__main__":
    unittest.main()
