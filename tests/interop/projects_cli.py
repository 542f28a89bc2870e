"""`culvert projects` with a broker, for tests of it."""

import json
import os
import re
import subprocess
import threading

import programs
from project_broker import ProjectBroker


class ProjectsCli(ProjectBroker):
    """A test whose user, alice, administers projects."""

    def setUp(self):
        super().setUp()
        self.home = self.enrol("alice")
        self.allow("projects-admin")

    def culvert(self, *arguments, stdin="", home=None):
        done = programs.run("culvert", "projects", *arguments, "--state-dir", home or self.home,
                            stdin=stdin.encode())
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def out(self, *arguments, stdin="", home=None):
        """What it prints, where all went well."""
        code, out, err = self.culvert(*arguments, stdin=stdin, home=home)
        self.assertEqual((code, err), (0, ""), (arguments, out))
        return out

    def fails(self, words, *arguments, code=1, stdin="", home=None):
        """With one line on standard error; returns what it printed beside it."""
        got, out, err = self.culvert(*arguments, stdin=stdin, home=home)
        self.assertEqual(got, code, (arguments, out, err))
        self.assertRegex(err, rf"^culvert: [^\n]*{words}[^\n]*\n$")
        return out

    def json(self, *arguments, **keywords):
        return json.loads(self.out(*arguments, "-o", "json", **keywords))

    def names(self, *arguments):
        return self.out("list", "-o", "name", *arguments).split()

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def watch(self, *arguments):
        watch = Watch(*arguments, "--state-dir", self.home)
        self.addCleanup(watch.stop)
        return watch


class Watch:
    """A running `culvert projects watch`, and what it has printed."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [programs.path("culvert"), "projects", "watch", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._lines = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def lines(self):
        with self._changed:
            return list(self._lines)

    def events(self):
        """Of JSON: [(type, id of the project)] without bookmarks."""
        found = map(json.loads, self.lines())
        return [(event["type"], event["object"]["name"].removeprefix("projects/"))
                for event in found if event["type"] != "BOOKMARK"]

    def wait(self, done):
        """Until done(self) is true, of what it has printed so far."""
        with self._changed:
            if not self._changed.wait_for(lambda: done(self), timeout=programs.WAIT):
                raise AssertionError("not in time:\n" + "\n".join(self._lines))

    def wait_for(self, pattern):
        self.wait(lambda watch: any(re.search(pattern, line) for line in watch.lines()))

    def stop(self):
        """The exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(programs.WAIT)
        self._reader.join()
        self.process.stdout.close()
        return code
