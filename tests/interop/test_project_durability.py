"""What was acknowledged stays: over a hundred kills of the broker, and on a disk that fills up."""

import contextlib
import os
import random
import sqlite3
import subprocess
import threading
import time
import unittest

import grpc

import programs
import stubs
from project_broker import Caller, ProjectBroker

KILLS = 100
WRITERS = 4
DISK = 16  # MiB
BALLAST = 4


class Writer:
    """Makes, changes and removes projects of its own, one call at a time, and keeps what was
    acknowledged: the label of each project, None for one that is not there."""

    def __init__(self, number, seed):
        self.number = number
        self.acknowledged = {}
        self.under_way = None  # (name, label): may have been done, or not
        self.count = 0
        self._chance = random.Random(seed)

    def run(self, caller, stop):
        while not stop.is_set():
            name = f"projects/w{self.number}-{self._chance.randrange(8)}"
            label = None if self._chance.random() < 0.25 else str(self._chance.random())
            self.under_way = (name, label)
            try:
                if label is None:
                    caller.DeleteProject(name=name, allow_missing=True)
                else:
                    caller.UpdateProject(allow_missing=True, project=caller.project(
                        name=name, metadata={"labels": {"v": label}}))
            except grpc.RpcError:
                return  # the broker was killed
            self.acknowledged[name] = label
            self.under_way = None
            self.count += 1

    def settle(self, found):
        """Compares with what the broker has, and goes on from there."""
        name, label = self.under_way or (None, None)
        for one, expected in self.acknowledged.items():
            allowed = (expected, label) if one == name else (expected,)
            assert found.get(one) in allowed, f"{one} is {found.get(one)}, not one of {allowed}"
        if name is not None:
            self.acknowledged[name] = found.get(name)
        self.under_way = None


def name_in(body):
    return stubs.V1.Project.FromString(body).name


class DurabilityTest(ProjectBroker):
    def check_store(self):
        with contextlib.closing(sqlite3.connect(os.path.join(self.state, "culvert.db"))) as store:
            self.assertEqual(store.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            # What the log of changes leads to is what is there.
            logged = {}
            for before, after in store.execute(
                    "SELECT before, after FROM project_changes ORDER BY version"):
                logged[name_in(after or before)] = after
            there = dict(store.execute("SELECT 'projects/' || name, body FROM projects"))
            self.assertEqual({name: body for name, body in logged.items() if body}, there)

    def test_100_kills_lose_nothing_that_was_acknowledged(self):
        self.administrator()
        state = os.path.join(self.directory, "default-alice")
        chance = random.Random(100)
        writers = [Writer(number, number) for number in range(WRITERS)]
        for kill in range(KILLS):
            channel = self.channel(state)
            caller = Caller(stubs.V1, channel)
            found = {project.name: project.metadata.labels["v"]
                     for project in caller.ListProjects(page_size=1000).projects}
            stop = threading.Event()
            threads = []
            for writer in writers:
                writer.settle(found)
                threads.append(threading.Thread(target=writer.run, args=(caller, stop)))
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.005, 0.08))
            self.broker.kill()
            stop.set()
            for thread in threads:
                thread.join(programs.WAIT)
                self.assertFalse(thread.is_alive())
            channel.close()
            if kill % 10 == 9:
                self.check_store()
            self.start_broker()
        print(f"  {sum(writer.count for writer in writers)} writes were acknowledged", flush=True)
        self.assertGreater(sum(writer.count for writer in writers), KILLS)
        caller = Caller(stubs.V1, self.channel(state))
        found = {project.name: project.metadata.labels["v"]
                 for project in caller.ListProjects(page_size=1000).projects}
        for writer in writers:
            writer.settle(found)

    def test_a_full_disk_refuses_writes_and_damages_nothing(self):
        if os.geteuid() != 0:
            self.fail("this test mounts a small file system: run it as root")
        self.broker.stop()
        disk = os.path.join(self.directory, "disk")
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m,mode=700", "tmpfs", disk],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
        ballast = os.path.join(disk, "ballast")
        with open(ballast, "wb") as file:
            file.write(bytes(BALLAST << 20))
        self.state = os.path.join(disk, "broker")
        self.start_broker()
        caller = Caller(stubs.V1, self.administrator())
        full = grpc.StatusCode.RESOURCE_EXHAUSTED
        made = {}

        def make(number):
            answer = caller.CreateProject(project=caller.project(
                name=f"projects/p{number}", metadata={"annotations": {"x": "x" * 50_000}}))
            made[answer.name] = answer

        with self.assertRaises(grpc.RpcError) as raised:
            for number in range(DISK << 20):
                make(number)
        self.assertEqual(raised.exception.code(), full, raised.exception.details())
        self.assertRegex(raised.exception.details(), "disk")
        self.assertGreater(len(made), 10)
        # Reads go on, and nothing of the refused write is there.
        self.assert_has(caller, made)
        refused = f"projects/p{len(made)}"
        self.assert_refused(grpc.StatusCode.NOT_FOUND, refused, caller.GetProject, name=refused)
        # With room again writes go on, in the same process.
        os.unlink(ballast)
        make(len(made))
        self.broker.kill()
        self.check_store()
        self.start_broker()
        caller = Caller(stubs.V1, self.channel(os.path.join(self.directory, "default-alice")))
        self.assert_has(caller, made)

    def assert_has(self, caller, made):
        for name, project in made.items():
            self.assertEqual(caller.GetProject(name=name), project)


if __name__ == "__main__":
    unittest.main()
