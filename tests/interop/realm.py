"""A broker with identities, and curl for its web port."""

import json
import os
import subprocess

import programs
from project_broker import NAME, ProjectBroker
from service_account import ServiceAccount

CURL = "/usr/bin/curl"


class Answer:
    """What curl got."""

    def __init__(self, output):
        *heads, self.body = output.split("\r\n\r\n")
        self.head = heads[-1]
        self.heads = heads
        self.code = int(self.head.split()[1])

    def json(self):
        return json.loads(self.body)


class RealmTest(ServiceAccount, ProjectBroker):
    """Begins with a broker."""

    def setUp(self):
        super().setUp()
        self.ca = os.path.join(self.state, "ca.pem")

    def curl_administrator(self):
        """What curl needs to be one, who shows a certificate."""
        state = self.enrol("alice")
        self.admin("policy", "allow", "--user", "alice", "--role", "projects-admin")
        return ["--cert", os.path.join(state, "identity.pem")]

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
