"""WatchProject and WatchProjects from a client that was generated from the public protos."""

import os
import queue
import random
import threading
import unittest

import grpc

import programs
import stubs
from project_broker import VERSIONS, Caller, ProjectBroker


class Watch:
    """A stream whose messages can be waited for."""

    def __init__(self, caller, method, **fields):
        request = getattr(caller.version.projects, method + "Request")
        self._call = getattr(caller.calls, method)(request(**fields))
        self._messages = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            for message in self._call:
                self._messages.put(message)
            self._messages.put(None)
        except grpc.RpcError as error:
            self._messages.put(error)

    def next(self):
        """The next message; raises what ended the stream."""
        message = self._messages.get(timeout=programs.WAIT)
        if isinstance(message, grpc.RpcError):
            raise message
        return message

    def next_change(self):
        """The next change; of a WatchProjects, with its messages passed over that have none."""
        while True:
            message = self.next()
            if hasattr(message, "change"):
                return message.change
            if message.project_changes:
                assert len(message.project_changes) == 1, message
                return message.project_changes[0]

    def cancel(self):
        self._call.cancel()
        self._reader.join()


class StatelessClient:
    """What a client of a stateless watch has: projects by name, as of its token."""

    def __init__(self):
        self.projects = {}
        self.token = ""
        self._unfinished = []

    def take(self, message):
        assert message.snapshot_size == -1, message
        if message.is_hard_reset:
            self.__init__()
            return
        self._unfinished += message.project_changes
        if not message.is_current:
            return
        for change in self._unfinished:
            if change.HasField("current"):
                self.projects[change.current.project.name] = change.current.project
            else:
                del self.projects[change.removed.name]
        self._unfinished = []
        self.token = message.resume_token

    def lose(self):
        self._unfinished = []
        if not self.token:
            self.projects = {}


class ProjectWatchesTest(ProjectBroker):
    def watch(self, caller, method="WatchProjects", **fields):
        watch = Watch(caller, method, **fields)
        self.addCleanup(watch.cancel)
        return watch

    def assert_ends(self, watch, code, words):
        with self.assertRaises(grpc.RpcError) as raised:
            while watch.next() is not None:
                pass
        self.assertEqual(raised.exception.code(), code, raised.exception.details())
        self.assertRegex(raised.exception.details(), words)

    def test_each_watch_sees_what_happens_to_a_project(self):
        channel = self.administrator()
        for version in VERSIONS:
            with self.subTest(version=version.name):
                self.all_watches(Caller(version, channel), f"projects/lab-{version.name}")

    def all_watches(self, caller, name):
        filters = {"filter": f'name = "{name}"'}
        stateful = self.watch(caller, **filters)
        stateless = self.watch(caller, type="STATELESS", **filters)
        for watch in (stateful, stateless):
            first = watch.next()
            self.assertEqual(len(first.project_changes), 0)
            self.assertTrue(first.is_current)
            self.assertEqual(first.snapshot_size, -1)
        made = caller.CreateProject(project=caller.project(name=name))
        self.assertEqual(stateful.next_change().added.project, made)
        self.assertEqual(stateless.next_change().current.project, made)
        single = self.watch(caller, "WatchProject", name=name)
        self.assertEqual(single.next_change().added.project, made)

        changed = caller.UpdateProject(project=caller.project(
            name=name, metadata={"labels": {"env": "prod"}}))
        modified = stateful.next_change().modified
        self.assertEqual((modified.name, modified.project), (name, changed))
        self.assertEqual((modified.previous_view_index, modified.view_index), (0, 0))
        self.assertEqual(stateless.next_change().current.project, changed)
        self.assertEqual(single.next_change().modified.project, changed)

        caller.DeleteProject(name=name)
        for watch in (stateful, stateless, single):
            self.assertEqual(watch.next_change().removed.name, name)

    def test_a_page_is_kept_as_the_list_has_it(self):
        caller = Caller(stubs.V1, self.administrator())
        for number in range(5):
            caller.CreateProject(project=caller.project(name=f"projects/p{number}"))
        watch = self.watch(caller, page_size=3, filter='name LIKE "projects/p%"')
        first = watch.next()
        self.assertEqual([(change.added.project.name, change.added.view_index)
                          for change in first.project_changes],
                         [("projects/p0", 0), ("projects/p1", 1), ("projects/p2", 2)])
        following = caller.ListProjects(page_size=3, filter='name LIKE "projects/p%"',
                                        page_token=first.page_token_change.next_page_token)
        self.assertEqual([project.name for project in following.projects],
                         ["projects/p3", "projects/p4"])
        caller.DeleteProject(name="projects/p1")
        second = watch.next()
        self.assertEqual(second.project_changes[0].removed.view_index, 1)
        self.assertEqual(second.project_changes[1].added.project.name, "projects/p3")
        self.assertEqual(second.project_changes[1].added.view_index, 2)
        self.assertNotEqual(second.page_token_change.next_page_token,
                            first.page_token_change.next_page_token)

    def test_a_watch_is_resumed_at_a_broker_that_was_killed(self):
        self.administrator()
        state = os.path.join(self.directory, "default-alice")
        chance = random.Random(29)
        client = StatelessClient()
        for round_ in range(6):
            channel = self.channel(state)
            caller = Caller(stubs.V1, channel)
            watch = Watch(caller, "WatchProjects", type="STATELESS", resume_token=client.token)
            for _ in range(40):
                self.change(caller, chance)
                # Takes some of what is there, and goes away with the rest unread.
                if chance.random() < 0.3:
                    client.take(watch.next())
            self.broker.kill()
            watch.cancel()
            client.lose()
            self.start_broker()
            # Meanwhile more happens.
            other = Caller(stubs.V1, self.channel(state))
            for _ in range(5 + round_):
                self.change(other, chance)
        caller = Caller(stubs.V1, self.channel(state))
        watch = self.watch(caller, type="STATELESS", resume_token=client.token)
        last = caller.CreateProject(project=caller.project(name="projects/last"))
        while client.projects.get(last.name) != last:
            client.take(watch.next())
        listed = caller.ListProjects(page_size=1000)
        self.assertEqual(listed.next_page_token, "")
        self.assertEqual(client.projects, {project.name: project for project in listed.projects})

    def change(self, caller, chance):
        name = f"projects/p{chance.randrange(15)}"
        if chance.random() < 0.3:
            caller.DeleteProject(name=name, allow_missing=True)
        else:
            caller.UpdateProject(allow_missing=True, project=caller.project(
                name=name, metadata={"labels": {"n": str(chance.random())}}))

    def test_who_does_not_read_misses_nothing(self):
        caller = Caller(stubs.V1, self.administrator())
        request = caller.version.projects.WatchProjectsRequest(type="STATELESS")
        call = caller.calls.WatchProjects(request)
        self.addCleanup(call.cancel)
        client = StatelessClient()
        client.take(next(call))
        large = "x" * 60_000
        for number in range(300):  # far more than gRPC holds for who does not read
            last = caller.UpdateProject(allow_missing=True, project=caller.project(
                name=f"projects/p{number % 3}",
                metadata={"annotations": {"n": str(number), "large": large}}))
        for message in call:
            client.take(message)
            if client.projects.get(last.name) == last:
                break
        self.assertEqual(len(client.projects), 4)

    def test_a_project_that_a_token_makes_is_seen(self):
        watch = self.watch(Caller(stubs.V1, self.administrator()), type="STATELESS")
        self.assertEqual(watch.next_change().current.project.name, "projects/default")
        self.admin("token", "create", "--agent", "edge-1", "--project", "lab")
        self.assertEqual(watch.next_change().current.project.name, "projects/lab")

    def test_watches_need_the_permission_for_as_long_as_they_run(self):
        admin = Caller(stubs.V1, self.administrator())
        admin.CreateProject(project=admin.project(name="projects/other"))
        bob = self.enrol("bob")
        caller = Caller(stubs.V1, self.channel(bob))
        denied = grpc.StatusCode.PERMISSION_DENIED
        for method, fields in (("WatchProjects", {}), ("WatchProject", {"name": "projects/default"})):
            self.assert_ends(self.watch(caller, method, **fields), denied, "no rule allows user bob")
        self.admin("role", "add", "watcher", "--permission", "watch")
        self.allow("watcher", "bob")
        many = self.watch(caller)
        one = self.watch(caller, "WatchProject", name="projects/default")
        self.assertEqual(many.next_change().added.project.name, "projects/default")
        one.next_change()
        self.assert_ends(self.watch(caller, "WatchProject", name="projects/other"), denied, "bob")
        # Of the own project only.
        admin.CreateProject(project=admin.project(name="projects/more"))
        changed = admin.UpdateProject(project=admin.project(
            name="projects/default", metadata={"labels": {"a": "b"}}))
        self.assertEqual(many.next_change().modified.project, changed)
        self.admin("policy", "revoke", "--user", "bob", "--role", "watcher")
        for watch in (many, one):
            self.assert_ends(watch, denied, "no rule allows user bob")
        self.allow("watcher", "bob")
        again = self.watch(caller)
        again.next()
        self.admin("revoke", "--user", "bob")
        self.assert_ends(again, denied, "revoked")

    def test_watches_end_with_words(self):
        caller = Caller(stubs.V1, self.administrator())
        self.assert_ends(self.watch(caller, "WatchProject", name="projects/none"),
                         grpc.StatusCode.NOT_FOUND, "projects/none does not exist")
        self.assert_ends(self.watch(caller, type="STATELESS", page_size=3),
                         grpc.StatusCode.INVALID_ARGUMENT, "page_size is not for stateless")
        watch = self.watch(caller)
        watch.next()
        self.broker.stop()
        self.assert_ends(watch, grpc.StatusCode.UNAVAILABLE, "shutting down")


if __name__ == "__main__":
    unittest.main()
