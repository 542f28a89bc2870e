"""A broker with projects, and callers of ProjectService who are somebody there."""

import os
import re
import tempfile
import unittest

import grpc

import programs
import stubs

NAME = "broker.culvert.internal"
VERSIONS = (stubs.V1, stubs.V1ALPHA2)


class Caller:
    """One principal's calls in one version."""

    def __init__(self, version, channel):
        self.version = version
        self.calls = version.projects_grpc.ProjectServiceStub(channel)

    def __getattr__(self, name):
        call = getattr(self.calls, name)
        request = getattr(self.version.projects, name + "Request")
        return lambda **fields: call(request(**fields), timeout=programs.WAIT)

    def project(self, **fields):
        fields.setdefault("multi_region_policy", {"enabled_regions": ["east"]})
        return self.version.Project(**fields)


class ProjectBroker(unittest.TestCase):
    """A test with a broker that keeps projects, and principals of it."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        self.state = os.path.join(self.directory, "broker")
        self.start_broker()

    def start_broker(self):
        self.broker = programs.Program("culvert-broker", "serve", "--listen", "127.0.0.1:0",
                                       "--data-port", "off", "--state-dir", self.state)
        self.addCleanup(self.broker.stop)
        self.address = self.broker.wait_for(r"listening on (127\.0\.0\.1:\d+)").group(1)
        self.web_port = int(self.broker.wait_for(r"web 127\.0\.0\.1:(\d+)").group(1))
        self.broker.wait_for("CA fingerprint")

    def admin(self, *arguments):
        done = programs.run("culvert-broker", *arguments, "--state-dir", self.state)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.decode()

    def enrol(self, name, project="default", role="user"):
        state = os.path.join(self.directory, f"{project}-{name}")
        token = os.path.join(self.directory, "token")
        with open(token, "w", encoding="ascii") as file:
            file.write(self.admin("token", "create", f"--{role}", name, "--project", project))
        program = "culvert-agent" if role == "agent" else "culvert"
        done = programs.run(program, "enroll", "--broker", self.address, "--token-file", token,
                            "--state-dir", state)
        self.assertEqual(done.returncode, 0, done)
        return state

    def channel(self, state):
        with open(os.path.join(state, "identity.pem"), encoding="ascii") as file:
            text = file.read()
        blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n", text, re.DOTALL)
        found = {}
        for kind in set(blocks):
            found[kind] = re.findall(rf"-----BEGIN {kind}-----.*?-----END {kind}-----\n", text,
                                     re.DOTALL)
        key = next(blocks[0] for kind, blocks in found.items() if kind.endswith("KEY"))
        certificate, authority = found["CERTIFICATE"]
        credentials = grpc.ssl_channel_credentials(authority.encode(), key.encode(),
                                                   certificate.encode())
        channel = grpc.secure_channel(self.address, credentials,
                                      (("grpc.ssl_target_name_override", NAME),))
        self.addCleanup(channel.close)
        return channel

    def allow(self, role, name="alice", project="default"):
        self.admin("policy", "allow", "--user", name, "--role", role, "--project", project)

    def administrator(self):
        state = self.enrol("alice")
        self.allow("projects-admin")
        return self.channel(state)

    def assert_refused(self, code, words, call, **fields):
        with self.assertRaises(grpc.RpcError) as raised:
            call(**fields)
        self.assertEqual(raised.exception.code(), code, raised.exception.details())
        self.assertRegex(raised.exception.details(), words)
