"""A broker with identities, and curl for its web port."""

import base64
import json
import os
import re
import subprocess
import tempfile
import time
import unittest

import programs

CURL = "/usr/bin/curl"
OPENSSL = "/usr/bin/openssl"
NAME = "broker.culvert.internal"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Answer:
    """What curl got."""

    def __init__(self, output):
        *heads, self.body = output.split("\r\n\r\n")
        self.head = heads[-1]
        self.heads = heads
        self.code = int(self.head.split()[1])

    def json(self):
        return json.loads(self.body)


class RealmTest(unittest.TestCase):
    """Begins with a broker."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        self.state = os.path.join(self.directory, "broker")
        self.broker = programs.Program("culvert-broker", "serve", "--listen", "127.0.0.1:0",
                                       "--data-port", "off", "--state-dir", self.state)
        self.addCleanup(self.broker.stop)
        self.address = self.broker.wait_for(r"listening on (127\.0\.0\.1:\d+)").group(1)
        self.web_port = int(self.broker.wait_for(r"web 127\.0\.0\.1:(\d+)").group(1))
        self.broker.wait_for("CA fingerprint")
        self.ca = os.path.join(self.state, "ca.pem")

    def openssl(self, *arguments, stdin=b""):
        return subprocess.run([OPENSSL, *arguments], input=stdin, check=True, capture_output=True,
                              timeout=programs.WAIT).stdout

    def admin(self, *arguments):
        done = programs.run("culvert-broker", *arguments, "--state-dir", self.state)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.decode()

    def enrol(self, name, project="default", role="user"):
        """The state directory of a new principal."""
        state = os.path.join(self.directory, f"{project}-{name}")
        token = os.path.join(self.directory, "token")
        with open(token, "w", encoding="ascii") as file:
            file.write(self.admin("token", "create", f"--{role}", name, "--project", project))
        program = "culvert-agent" if role == "agent" else "culvert"
        done = programs.run(program, "enroll", "--broker", self.address, "--token-file", token,
                            "--state-dir", state)
        self.assertEqual(done.returncode, 0, done)
        return state

    def administrator(self):
        """What curl needs to be one, who shows a certificate."""
        state = self.enrol("alice")
        self.admin("policy", "allow", "--user", "alice", "--role", "projects-admin")
        return ["--cert", os.path.join(state, "identity.pem")]

    def add_service_account(self, *rule):
        """`ci`, who may what `rule` says."""
        self.key = os.path.join(self.directory, "key.pem")
        self.openssl("genrsa", "-out", self.key, "2048")
        public = os.path.join(self.directory, "public.pem")
        self.openssl("pkey", "-in", self.key, "-pubout", "-out", public)
        said = self.admin("service-account", "add", "ci", "--public-key", public)
        self.account, self.kid = re.fullmatch(r"iss and sub: (\S+)\nkid: (\S+)\n", said).groups()
        self.admin("policy", "allow", "--service-account", "ci", *rule)

    def token(self, lifetime=600):
        """A JSON Web Token that `ci` signed."""
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": self.kid}
        claims = {"iss": self.account, "sub": self.account, "aud": "culvert", "iat": now,
                  "exp": now + lifetime}
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        signature = self.openssl("dgst", "-sha256", "-sign", self.key, stdin=text.encode())
        return text + "." + b64(signature)

    def curl_command(self, path, *arguments):
        return [CURL, "-sS", "-i", "--resolve", f"{NAME}:{self.web_port}:127.0.0.1",
                "--cacert", self.ca, *arguments, f"https://{NAME}:{self.web_port}{path}"]

    def curl(self, path, *arguments):
        done = subprocess.run(self.curl_command(path, *arguments), capture_output=True, check=False,
                              timeout=programs.WAIT)
        self.assertEqual(done.returncode, 0, done)
        return Answer(done.stdout.decode())

    def assert_refused(self, code, words, answer):
        """A google.rpc.Status with these words."""
        self.assertEqual(answer.code, code, answer.body)
        status = answer.json()
        self.assertEqual(set(status), {"code", "message", "details"})
        self.assertRegex(status["message"], words)
