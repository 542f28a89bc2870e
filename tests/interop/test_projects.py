"""All calls of ProjectService from a client that was generated from the public protos."""

import json
import os
import re
import tempfile
import time
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


class ProjectsTest(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        self.state = os.path.join(self.directory, "broker")
        self.start_broker()

    def start_broker(self):
        self.broker = programs.Program("culvert-broker", "serve", "--listen", "127.0.0.1:0",
                                       "--data-port", "off", "--state-dir", self.state)
        self.addCleanup(self.broker.stop)
        self.address = self.broker.wait_for(r"listening on (127\.0\.0\.1:\d+)").group(1)
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

    def test_all_calls_in_both_versions(self):
        channel = self.administrator()
        for version in VERSIONS:
            with self.subTest(version=version.name):
                self.all_calls(Caller(version, channel))
                lab = f"projects/lab-{version.name}"
                self.assertEqual(self.records(lab), [f"{done} {lab}" for done in
                                                     ("made", "changed", "deleted")])

    def all_calls(self, caller):
        lab = f"projects/lab-{caller.version.name}"
        made = caller.CreateProject(project=caller.project(
            name=lab, metadata={"labels": {"env": "test"}}))
        self.assertEqual(made.name, lab)
        self.assertEqual(made.metadata.generation, 1)
        self.assertEqual(caller.GetProject(name=lab), made)
        drawn = caller.CreateProject(project=caller.project())
        self.assertRegex(drawn.name, "^projects/[a-z][a-z0-9-]{0,28}[a-z0-9]$")

        batch = caller.BatchGetProjects(names=[lab, "projects/none", drawn.name])
        self.assertEqual([project.name for project in batch.projects], [lab, drawn.name])
        self.assertEqual(batch.missing, ["projects/none"])

        page = caller.ListProjects(filter='metadata.labels.env = "test"', page_size=1,
                                   order_by="metadata.create_time desc", include_paging_info=True)
        self.assertEqual([project.name for project in page.projects], [lab])
        self.assertTrue(page.total_results_count >= 1)

        changed = caller.UpdateProject(
            project=caller.project(name=lab, metadata={"labels": {"env": "prod"}}),
            update_mask={"paths": ["metadata.labels"]},
            cas={"conditional_state": made, "field_mask": {"paths": ["metadata.resource_version"]}})
        self.assertEqual(changed.metadata.labels["env"], "prod")
        self.assert_refused(
            grpc.StatusCode.ABORTED, "resource_version", caller.UpdateProject, project=changed,
            cas={"conditional_state": made, "field_mask": {"paths": ["metadata.resource_version"]}})

        caller.DeleteProject(name=lab)
        self.assert_refused(grpc.StatusCode.NOT_FOUND, lab, caller.GetProject, name=lab)
        self.assert_refused(grpc.StatusCode.NOT_FOUND, lab, caller.DeleteProject, name=lab)
        caller.DeleteProject(name=lab, allow_missing=True)
        caller.DeleteProject(name=drawn.name)

    def records(self, name):
        """What the audit log has of a project, once it has that it is gone."""
        deadline = time.monotonic() + programs.WAIT
        while True:
            events = map(json.loads, self.admin("audit", "--json", "--kind", "project").splitlines())
            found = [event["reason"] for event in events if name in event["reason"].split()]
            if found and found[-1].startswith("deleted") or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def test_what_one_version_made_the_other_one_has(self):
        channel = self.administrator()
        v1, v1alpha2 = (Caller(version, channel) for version in VERSIONS)
        made = v1.CreateProject(project=v1.project(name="projects/lab"))
        found = v1alpha2.GetProject(name="projects/lab")
        self.assertEqual(found.SerializeToString(deterministic=True),
                         made.SerializeToString(deterministic=True))

    def test_what_was_acknowledged_is_there_after_a_kill(self):
        channel = self.administrator()
        caller = Caller(stubs.V1, channel)
        names = [caller.CreateProject(project=caller.project()).name for _ in range(20)]
        token = caller.ListProjects(page_size=3).next_page_token
        self.broker.kill()
        self.start_broker()
        caller = Caller(stubs.V1, self.channel(os.path.join(self.directory, "default-alice")))
        found = caller.BatchGetProjects(names=names)
        self.assertEqual(list(found.missing), [])
        # Tokens of pages are good at the next process too.
        self.assertEqual(len(caller.ListProjects(page_size=3, page_token=token).projects), 3)

    def test_bad_requests_say_what_is_wrong(self):
        caller = Caller(stubs.V1, self.administrator())
        bad = grpc.StatusCode.INVALID_ARGUMENT
        rows = (
            (caller.GetProject, {"name": "lab"}, "unable to parse 'lab' as Project name"),
            (caller.GetProject, {"name": "projects/-"}, "not of one project"),
            (caller.ListProjects, {"filter": "name = "}, "column"),
            (caller.ListProjects, {"filter": "nothing = 1"}, "nothing"),
            (caller.ListProjects, {"order_by": "name up"}, "up"),
            (caller.ListProjects, {"page_token": "x"}, "invalid cursor format"),
            (caller.ListProjects, {"field_mask": {"paths": ["nothing"]}}, "nothing"),
            (caller.CreateProject, {}, "multi_region_policy"),
            (caller.BatchGetProjects, {"names": ["projects/a"] * 1001}, "limit 1000"),
        )
        for call, fields, words in rows:
            with self.subTest(words=words):
                self.assert_refused(bad, words, call, **fields)

    def test_who_has_no_rule_may_nothing_and_who_has_one_that_alone(self):
        admin = Caller(stubs.V1, self.administrator())
        admin.CreateProject(project=admin.project(name="projects/other"))
        caller = Caller(stubs.V1, self.channel(self.enrol("bob")))
        denied = grpc.StatusCode.PERMISSION_DENIED
        own = "projects/default"
        calls = {
            "get": lambda: caller.GetProject(name=own),
            "batchGet": lambda: caller.BatchGetProjects(names=[own]),
            "list": caller.ListProjects,
            "update": lambda: caller.UpdateProject(
                project=caller.project(name=own), update_mask={"paths": ["metadata.labels"]}),
        }
        for verb, call in calls.items():
            with self.subTest(verb=verb):
                self.assert_refused(denied, verb, call)
                self.admin("role", "add", f"only-{verb.lower()}", "--permission", verb)
                self.allow(f"only-{verb.lower()}", "bob")
                call()
        # None of these is for other projects, and none makes or removes any.
        for call, fields in (
                (caller.GetProject, {"name": "projects/other"}),
                (caller.BatchGetProjects, {"names": [own, "projects/other"]}),
                (caller.UpdateProject, {"project": caller.project(name="projects/other")}),
                (caller.DeleteProject, {"name": "projects/other"}),
                (caller.CreateProject, {"project": caller.project(name="projects/more")}),
                (caller.UpdateProject, {"project": caller.project(name="projects/more"),
                                        "allow_missing": True})):
            self.assert_refused(denied, "no rule allows user bob", call, **fields)
        self.assertEqual([project.name for project in caller.ListProjects().projects], [own])
        self.allow("projects-viewer", "bob")
        self.assertEqual(len(caller.ListProjects().projects), 2)
        caller.GetProject(name="projects/other")
        self.assert_refused(denied, "delete", caller.DeleteProject, name="projects/other")

    def test_a_deleted_project_is_left_by_all_that_is_of_it(self):
        admin = Caller(stubs.V1, self.administrator())
        state = self.enrol("edge-1", "lab", "agent")
        agent = programs.Program("culvert-agent", "run", "--broker", self.address, "--state-dir",
                                 state, "--allow", "127.0.0.1:*")
        self.addCleanup(agent.stop)
        agent.wait_for("registered as projects/lab/edge-1")
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, "stays", admin.DeleteProject,
                            name="projects/default")
        admin.DeleteProject(name="projects/lab")
        agent.wait_for("projects/lab does not exist: it was deleted")
        # Who is made again under that name is somebody else.
        admin.CreateProject(project=admin.project(name="projects/lab"))
        denied = Caller(stubs.V1, self.channel(state))
        self.assert_refused(grpc.StatusCode.UNAUTHENTICATED, "revoked", denied.GetProject,
                            name="projects/lab")


if __name__ == "__main__":
    unittest.main()
