"""`culvert projects`, as its users type it, with a broker."""

import json
import os
import pty
import select
import subprocess
import unittest

import yaml

import programs
from projects_cli import ProjectsCli


class ProjectsCliTest(ProjectsCli):
    def test_a_project_from_its_making_to_its_end(self):
        self.assertEqual(self.out("create", "lab", "--label", "env=test", "--region", "east"),
                         "projects/lab created\n")
        made = self.json("get", "lab")
        self.assertEqual(made["name"], "projects/lab")
        self.assertEqual(made["metadata"]["labels"], {"env": "test"})
        self.assertEqual(made["multiRegionPolicy"], {"enabledRegions": ["east"]})
        self.assertEqual(made, self.json("get", "projects/lab"))
        self.fails("projects/lab exists", "create", "lab")

        self.assertEqual(self.out("update", "lab", "--label", "team=core", "--remove-label", "env"),
                         "projects/lab updated\n")
        self.assertEqual(self.out("update", "lab", "--label", "team=core"),
                         "projects/lab unchanged\n")
        changed = self.json("update", "lab", "--control-region", "east")
        self.assertEqual(changed["metadata"]["labels"], {"team": "core"})
        self.assertEqual(changed["metadata"]["generation"], "2")
        self.assertEqual(changed["multiRegionPolicy"],
                         {"enabledRegions": ["east"], "defaultControlRegion": "east"})

        self.assertEqual(self.out("delete", "lab"), "projects/lab deleted\n")
        self.fails("projects/lab does not exist", "get", "lab")
        self.fails("projects/lab does not exist", "delete", "lab")
        self.assertEqual(self.out("delete", "lab", "--allow-missing"), "")

    def test_all_forms_of_output(self):
        self.out("create", "lab", "--label", "version=1.10", "--label", "on=true")
        table = self.out("list").splitlines()
        self.assertRegex(table[0], r"^NAME +GENERATION +AGE +LABELS$")
        self.assertEqual([line.split()[0] for line in table[1:]],
                         ["projects/default", "projects/lab"])
        self.assertEqual(self.out("list", "-o", "table").splitlines()[0], table[0])
        self.assertEqual(len(self.out("list", "--no-headers").splitlines()), 2)
        self.assertIn("CREATED", self.out("list", "-o", "wide"))
        array = self.json("list")
        self.assertEqual([project["name"] for project in array],
                         ["projects/default", "projects/lab"])
        documents = list(yaml.safe_load_all(self.out("list", "-o", "yaml")))
        self.assertEqual(documents, array)
        self.assertEqual(yaml.safe_load(self.out("get", "lab", "-o", "yaml")), array[1])
        self.assertEqual(self.json("get", "lab", "default"), [array[1], array[0]])
        self.assertEqual(self.out("get", "lab", "-o", "name"), "projects/lab\n")
        self.assertEqual(self.out("create", "-o", "name", "x1"), "projects/x1\n")
        self.assertEqual(self.json("create", "x2")["name"], "projects/x2")
        self.assertEqual(self.json("delete", "x1"), {"name": "projects/x1"})
        self.assertEqual(self.json("list", "--filter", 'metadata.labels.no = "x"'), [])
        self.assertEqual(self.out("list", "--filter", 'name = "projects/x"', "-o", "yaml"), "")

    def test_a_list_goes_over_all_pages(self):
        text = "---\n".join(f"name: p-{i:03}\nmetadata: {{labels: {{n: '{i % 2}'}}}}\n"
                            for i in range(250))
        made = self.out("create", "-f", "-", stdin=text)
        self.assertEqual(len(made.splitlines()), 250)
        expected = [f"projects/p-{i:03}" for i in range(250)]
        self.assertEqual(self.names("--page-size", "100"), ["projects/default", *expected])
        self.assertEqual(len(self.json("list", "--page-size", "100")), 251)
        self.assertEqual(len(list(yaml.safe_load_all(
            self.out("list", "--page-size", "100", "-o", "yaml")))), 251)
        self.assertEqual(self.out("list", "--page-size", "100").count("GENERATION"), 1)
        odd = self.names("--page-size=7", "--filter", 'metadata.labels.n = "1"',
                         "--order-by", "name desc")
        self.assertEqual(odd, expected[:0:-2])
        self.assertEqual(self.names("--order-by", "metadata.create_time desc", "--limit", "3"),
                         expected[:-4:-1])
        self.assertEqual(self.names("--limit", "120", "--page-size", "50")[-1], "projects/p-118")

    def test_an_answer_may_have_3_mib(self):
        # 50 KiB each.
        projects = [{"name": f"big-{i:02}", "metadata": {"annotations": {"a": "x" * 51200}}}
                    for i in range(80)]
        self.out("create", "-f", "-", stdin=json.dumps(projects))
        self.assertEqual(len(self.json("list", "--page-size", "1000")), 81)

    def test_files_are_json_or_yaml_and_what_is_printed_can_be_taken_back(self):
        path = self.file("lab.yaml", "# mine\nname: lab\nmetadata:\n  labels:\n    v: '1.10'\n"
                         "    \"on\": \"true\"\nmulti_region_policy:\n  enabled_regions: [east]\n")
        self.assertEqual(self.out("create", "-f", path), "projects/lab created\n")
        text = self.out("get", "lab", "-o", "yaml")
        path = self.file("lab.yaml", text.replace('"1.10"', "'2.0'"))
        self.assertEqual(self.out("update", "-f", path), "projects/lab updated\n")
        self.assertEqual(self.out("update", "-f", path), "projects/lab unchanged\n")
        self.assertEqual(self.json("get", "lab")["metadata"]["labels"], {"v": "2.0", "on": "true"})

        lab = self.json("get", "lab")
        lab["metadata"]["labels"]["v"] = "3\U0001F600"
        self.assertEqual(self.json("update", "-f", "-", stdin=json.dumps(lab))["metadata"]["labels"],
                         lab["metadata"]["labels"])
        self.assertEqual(
            self.out("update", "lab", "-f", "-", "--update-mask", "metadata.labels.v",
                     stdin='{"metadata": {"labels": {"v": "4", "other": "x"}}}'),
            "projects/lab updated\n")
        self.assertEqual(self.json("get", "lab")["metadata"]["labels"], {"v": "4", "on": "true"})
        self.assertEqual(self.json("get", "-f", path), self.json("get", "lab"))
        self.assertEqual(self.out("update", "new", "-f", "-", "--allow-missing", stdin="metadata: {}"),
                         "projects/new created\n")

        self.out("create", "other")
        self.assertEqual(self.out("delete", "-f", "-", stdin=self.out("list", "-o", "json",
                                                                      "--filter",
                                                                      'name != "projects/default"')),
                         "projects/lab deleted\nprojects/new deleted\nprojects/other deleted\n")

    def test_a_version_guards_against_changes_of_others(self):
        version = self.json("create", "lab")["metadata"]["resourceVersion"]
        self.out("update", "lab", "--label", "a=b", "--resource-version", version)
        self.fails("resource_version", "update", "lab", "--label", "a=c", "--resource-version",
                   version)

    def test_of_several_projects_each_has_its_own_result(self):
        self.out("create", "pb")
        out = self.fails("projects/pb exists", "create", "-f", "-",
                         stdin="name: pa\n---\nname: pb\n---\nname: pc\n")
        self.assertEqual(out, "projects/pa created\nprojects/pc created\n")
        out = self.fails("projects/none does not exist", "get", "pa", "none", "pc", "-o", "name")
        self.assertEqual(out, "projects/pa\nprojects/pc\n")
        out = self.fails("projects/none does not exist", "delete", "pa", "none", "pc", "-o", "json")
        self.assertEqual(json.loads(out), [{"name": "projects/pa"}, {"name": "projects/pc"}])

    def test_mistakes_are_told_in_one_line(self):
        bad = self.file("bad.yaml", "name: lab\nmetadata:\n  labels: {a: b\n")
        rows = (
            (2, "expected table, wide, json, yaml or name", ("list", "-o", "xml")),
            (2, "NAME is missing", ("get",)),
            (2, "nothing to change", ("update", "lab")),
            (2, "unknown command", ("describe", "lab")),
            (1, "filter, column", ("list", "--filter", "metadata.labels.env = ")),
            (1, "no field|nothing", ("list", "--order-by", "nothing")),
            (1, rf"{bad}:\d+:\d+: ", ("create", "-f", bad)),
            (1, "No such file", ("create", "-f", bad + "x")),
            (1, "cannot be the name of a new Project", ("create", "Bad")),
            (1, "projects/none does not exist", ("update", "none", "--label", "a=b")),
            (1, "nothing", ("update", "default", "--update-mask", "nothing")),
        )
        for code, words, arguments in rows:
            with self.subTest(arguments=arguments):
                self.assertEqual(self.fails(words, *arguments, code=code), "")
        _, _, err = self.culvert("list", "--filter", 'name = "projects/x"')
        self.assertEqual(err, "no project meets the filter\n")

    def test_who_has_no_permission_is_refused(self):
        bob = self.enrol("bob")
        for arguments in (("list",), ("get", "default"), ("create", "x1"), ("delete", "default"),
                          ("update", "default", "--label", "a=b")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.fails("may|allow|rule|permission", *arguments, home=bob), "")
        self.allow("projects-viewer", "bob")
        self.assertEqual(self.out("list", "-o", "name", home=bob), "projects/default\n")
        self.fails("may|allow|rule|permission", "create", "x1", home=bob)

    def test_without_an_identity_or_a_broker_it_fails(self):
        self.fails("no identity", "list", home=os.path.join(self.directory, "nobody"))
        self.broker.stop()
        self.fails("cannot reach broker", "list")

    def test_a_reader_that_goes_away_is_no_mistake(self):
        self.out("create", "-f", "-", stdin=json.dumps([{"name": f"p-{i}"} for i in range(50)]))
        with subprocess.Popen([programs.path("culvert"), "projects", "list", "--page-size", "1",
                               "--state-dir", self.home],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            self.assertEqual(process.wait(programs.WAIT), 1)

    def delete_on_a_terminal(self, answer, *flags):
        """(exit code, what was on the terminal)"""
        leader, follower = pty.openpty()
        with subprocess.Popen([programs.path("culvert"), "projects", "delete", "lab", *flags,
                               "--state-dir", self.home],
                              stdin=follower, stdout=follower, stderr=follower) as process:
            os.close(follower)
            seen = ""
            while True:
                readable, _, _ = select.select([leader], [], [], programs.WAIT)
                self.assertTrue(readable, seen)
                try:
                    seen += os.read(leader, 4096).decode()
                except OSError:  # all of the other end is closed
                    break
                if "[y/N]" in seen and answer:
                    os.write(leader, answer.encode())
                    answer = ""
            os.close(leader)
            return process.wait(programs.WAIT), seen

    def test_on_a_terminal_delete_asks_first(self):
        self.out("create", "lab")
        for answer in ("n\n", "\n", "\x04"):
            code, seen = self.delete_on_a_terminal(answer)
            self.assertEqual(code, 1)
            self.assertRegex(seen, r"Delete projects/lab\?.*\[y/N\]")
            self.assertIn("nothing was deleted", seen)
        self.assertEqual(self.out("get", "lab", "-o", "name"), "projects/lab\n")
        code, seen = self.delete_on_a_terminal("y\n")
        self.assertEqual(code, 0, seen)
        self.assertIn("projects/lab deleted", seen)
        for flag in ("--yes", "--quiet"):
            self.out("create", "lab")
            code, seen = self.delete_on_a_terminal("", flag)
            self.assertEqual(code, 0, seen)
            self.assertNotIn("[y/N]", seen)


if __name__ == "__main__":
    unittest.main()
