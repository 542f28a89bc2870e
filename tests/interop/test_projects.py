"""All calls of ProjectService from a client that was generated from the public protos."""

import concurrent.futures
import json
import os
import time
import unittest

import grpc

import programs
import stubs
from project_broker import VERSIONS, Caller, ProjectBroker


class ProjectsTest(ProjectBroker):
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

    def test_of_16_writers_with_one_state_one_wins(self):
        caller = Caller(stubs.V1, self.administrator())
        state = caller.CreateProject(project=caller.project(name="projects/contended"))
        paths = {"paths": ["metadata.resource_version"]}

        def write(writer, round_):
            try:
                return caller.UpdateProject(
                    project=caller.project(name=state.name, metadata={
                        "labels": {"writer": str(writer), "round": str(round_)}}),
                    cas={"conditional_state": state, "field_mask": paths})
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.ABORTED, error.details())
                return None

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for round_ in range(25):
                answers = list(pool.map(lambda writer: write(writer, round_), range(16)))
                winners = [answer for answer in answers if answer is not None]
                self.assertEqual(len(winners), 1, f"round {round_}")
                state = winners[0]
                self.assertEqual(caller.GetProject(name=state.name), state)

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
