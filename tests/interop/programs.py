"""Culvert's programs, started for one test on ports that the kernel chooses."""

import os
import re
import subprocess
import threading

BIN = os.environ["CULVERT_BIN_DIR"]
WAIT = 20  # seconds; no test needs them


def path(name):
    return os.path.join(BIN, name)


class Program:
    """A running program whose output lines can be waited for."""

    def __init__(self, name, *arguments):
        self._process = subprocess.Popen(
            [path(name), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, pattern):
        """The match of the first line, past or future, that `pattern` is found in."""

        def find():
            return next((m for m in (re.search(pattern, line) for line in self._lines) if m), None)

        with self._changed:
            self._changed.wait_for(lambda: find() or self._ended, timeout=WAIT)
            found = find()
            if found is None:
                raise AssertionError(f"no line with {pattern!r} in:\n" + "\n".join(self._lines))
            return found

    def kill(self):
        """At once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(timeout=WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()


def start_broker(test):
    """Returns its address; it ends with the test."""
    broker = Program("culvert-broker", "serve", "--listen", "127.0.0.1:0", "--insecure")
    test.addCleanup(broker.stop)
    return broker.wait_for(r"listening on (127\.0\.0\.1:\d+)").group(1)


def start_agent(test, broker, *allow):
    """One that waits for a lost path no longer than a test does."""
    arguments = [word for rule in allow for word in ("--allow", rule)]
    agent = Program(
        "culvert-agent", "run", "--broker", broker, "--name", "edge-1", "--insecure",
        "--resume-timeout", "1s", *arguments
    )
    test.addCleanup(agent.stop)
    agent.wait_for("registered as")
    return agent


def run(name, *arguments, stdin=b""):
    """Runs a program to its end."""
    return subprocess.run(
        [path(name), *arguments], input=stdin, capture_output=True, timeout=WAIT, check=False
    )
