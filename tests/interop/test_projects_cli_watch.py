"""`culvert projects watch`, also while the broker goes away."""

import json
import os
import signal
import subprocess
import unittest

import yaml

import programs
from projects_cli import ProjectsCli

IN_SYNC = "resumeToken"  # in the line of the last project of a snapshot


class ProjectsCliWatchTest(ProjectsCli):
    def restart_broker(self):
        """As after a crash, at the same address."""
        self.broker.kill()
        self.broker = programs.Program("culvert-broker", "serve", "--listen", self.address,
                                       "--data-port", "off", "--state-dir", self.state)
        self.addCleanup(self.broker.stop)
        self.broker.wait_for("listening on")

    def test_a_table_has_a_line_for_each_change(self):
        watch = self.watch()
        watch.wait_for("projects/default")
        self.out("create", "lab", "--label", "env=test")
        self.out("update", "lab", "--label", "env=prod")
        self.out("delete", "lab")
        watch.wait_for("^DELETED")
        self.assertEqual([line.split()[:2] for line in watch.lines()],
                         [["EVENT", "NAME"], ["ADDED", "projects/default"],
                          ["ADDED", "projects/lab"], ["MODIFIED", "projects/lab"],
                          ["DELETED", "projects/lab"]])
        self.assertTrue(watch.lines()[3].endswith("env=prod"))
        self.assertEqual(watch.stop(), 0)

    def test_a_signal_ends_it_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                watch = self.watch("--no-headers")
                watch.wait_for("^ADDED +projects/default")
                watch.process.send_signal(number)
                self.assertEqual(watch.process.wait(programs.WAIT), 0)

    def test_a_filter_and_names_choose(self):
        self.out("create", "a1", "--label", "env=prod")
        self.out("create", "b1")
        by_filter = self.watch("-o", "json", "--filter", 'metadata.labels.env = "prod"')
        by_name = self.watch("-o", "json", "b1")
        by_both = self.watch("-o", "json", "a1", "b1", "--filter", 'metadata.labels.env = "prod"')
        for watch in (by_filter, by_name, by_both):
            watch.wait_for(IN_SYNC)
        self.out("update", "b1", "--label", "env=prod")
        self.out("update", "a1", "--label", "env=test")
        self.out("create", "c1", "--label", "env=prod")
        self.out("delete", "b1")
        for watch, expected in (
                (by_filter, [("ADDED", "a1"), ("ADDED", "b1"), ("DELETED", "a1"), ("ADDED", "c1"),
                             ("DELETED", "b1")]),
                (by_name, [("ADDED", "b1"), ("MODIFIED", "b1"), ("DELETED", "b1")]),
                (by_both, [("ADDED", "a1"), ("ADDED", "b1"), ("DELETED", "a1"),
                           ("DELETED", "b1")])):
            watch.wait(lambda watch: len(watch.events()) >= len(expected))
            self.assertEqual(watch.events(), expected)

    def test_a_page_is_watched_in_its_order(self):
        for name in ("b1", "d1", "f1"):
            self.out("create", name)
        page = ["--filter", 'name != "projects/default"', "--order-by", "name", "--page-size", "2"]
        watch = self.watch("-o", "json", *page)
        watch.wait(lambda watch: len(watch.events()) == 2)
        self.out("update", "b1", "--label", "x=y")
        self.out("create", "a1")
        watch.wait(lambda watch: ("ADDED", "a1") in watch.events())
        self.out("delete", "a1")
        expected = [("ADDED", "b1"), ("ADDED", "d1"), ("MODIFIED", "b1")]
        watch.wait(lambda watch: watch.events()[-1] == ("ADDED", "d1") and len(watch.events()) > 3)
        self.assertEqual(watch.events()[:3], expected)
        self.assertCountEqual(watch.events()[3:], [("ADDED", "a1"), ("DELETED", "d1"),
                                                   ("DELETED", "a1"), ("ADDED", "d1")])
        self.restart_broker()
        self.out("delete", "b1")
        watch.wait(lambda watch: ("ADDED", "f1") in watch.events()
                   and ("DELETED", "b1") in watch.events())
        self.assertEqual(len(watch.events()), 9)

    def test_a_token_of_one_watch_is_where_another_one_goes_on(self):
        first = self.watch("-o", "json")
        first.wait_for(IN_SYNC)
        self.out("create", "a1")
        first.wait_for("projects/a1")
        token = json.loads(first.lines()[-1])["resumeToken"]
        self.assertEqual(first.stop(), 0)
        self.out("create", "b1")
        self.out("update", "a1", "--label", "x=y")
        second = self.watch("-o", "json", "--resume-token", token)
        second.wait(lambda watch: len(watch.events()) >= 2)
        self.assertEqual(second.events(), [("ADDED", "b1"), ("MODIFIED", "a1")])
        self.fails("token", "watch", "--resume-token", "nonsense")

    def test_from_a_time_on_there_is_only_what_changed_after_it(self):
        self.out("create", "a1")
        made = self.json("create", "b1")["metadata"]["createTime"]
        watch = self.watch("-o", "json", "--starting-time", made)
        self.out("create", "c1")
        watch.wait_for("projects/c1")
        self.assertEqual(watch.events()[-1], ("ADDED", "c1"))
        self.assertNotIn(("ADDED", "a1"), watch.events())

    def test_yaml_is_a_document_for_each_event(self):
        watch = self.watch("-o", "yaml")
        watch.wait_for("^type: ADDED")
        self.assertEqual(watch.stop(), 0)
        event, = yaml.safe_load_all("\n".join(watch.lines()))
        self.assertEqual(event["object"], self.json("get", "default"))
        self.assertEqual(event["type"], "ADDED")

    def test_a_broker_that_is_killed_costs_no_change(self):
        watch = self.watch("-o", "json")
        watch.wait_for(IN_SYNC)
        expected = [("ADDED", "default")]
        for turn in range(4):
            names = [f"p{turn}-{i}" for i in range(5)]
            self.out("create", "-f", "-", stdin=json.dumps([{"name": name} for name in names]))
            self.restart_broker()
            # Most often before the watch is back.
            self.out("update", names[0], "--label", "a=b")
            self.out("delete", names[1])
            expected += [("ADDED", name) for name in names]
            expected += [("MODIFIED", names[0]), ("DELETED", names[1])]
        watch.wait(lambda watch: watch.events()[-1] == expected[-1])
        self.assertEqual(watch.events(), expected)
        self.assertEqual(watch.stop(), 0)

    def test_it_ends_when_nobody_reads(self):
        with subprocess.Popen([programs.path("culvert"), "projects", "watch", "--state-dir",
                               self.home], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            self.assertEqual(process.wait(programs.WAIT), 0)
            self.assertEqual(process.stderr.read(), b"")

    def test_a_signal_ends_it_while_nobody_reads_on(self):
        self.out("create", "-f", "-", stdin=json.dumps(
            [{"name": f"p-{i}", "metadata": {"annotations": {"a": "x" * 50000}}}
             for i in range(40)]))
        reader, writer = os.pipe()
        with subprocess.Popen([programs.path("culvert"), "projects", "watch", "-o", "json",
                               "--state-dir", self.home], stdout=writer) as process:
            os.close(writer)
            os.read(reader, 1)  # it writes: much more than a pipe holds
            process.terminate()
            self.assertEqual(process.wait(programs.WAIT), 0)
        os.close(reader)

    def test_what_cannot_be_watched_says_so(self):
        self.fails("projects/none does not exist", "watch", "none")
        self.fails("filter, column", "watch", "--filter", "metadata.labels.env = ")
        self.fails("exclude each other", "watch", "--resume-token", "x", "--starting-time",
                   "2026-01-31T08:00:00Z", code=2)
        self.fails("expected a time", "watch", "--starting-time", "noon", code=2)
        self.fails("may|allow|rule|permission", "watch", home=self.enrol("bob"))
        self.broker.stop()
        self.fails("cannot reach broker", "watch")


if __name__ == "__main__":
    unittest.main()
