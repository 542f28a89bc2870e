"""SIGUSR2: a new process takes the place of a running forwarder or agent."""

import contextlib
import json
import os
import shutil
import signal
import threading
import unittest

from harness import (AGENT, HOST, MIB, PATIENCE, SystemTest, binary, dial, echo_through, eventually,
                     payload, read_exactly)


def round_trip(stream, data=b"still here"):
    stream.sendall(data)
    return read_exactly(stream, len(data)) == data


class HandOver(SystemTest):
    def setUp(self):
        super().setUp()
        self.bin = self.path("bin")
        os.mkdir(self.bin)

    @staticmethod
    def kill(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    @staticmethod
    def exit_code(process):
        """Of one whose output goes on: a successor writes to the same pipes."""
        eventually(lambda: process.returncode is not None)
        return process.returncode

    def install(self, name, content=None):
        """Puts a program where the running ones were started from, as a package does."""
        new = os.path.join(self.bin, name + ".new")
        if content is None:
            shutil.copy(binary(name), new)
        else:
            with open(new, "w", encoding="ascii") as file:
                file.write(content)
            os.chmod(new, 0o755)
        os.rename(new, os.path.join(self.bin, name))
        return os.path.join(self.bin, name)

    def run_forwarder(self, broker, config, count=1):
        """Its local ports too."""
        path = self.install("culvert")
        process = self.start([path, "forward", "--broker", broker.address, "--config", config,
                              *self.credentials(self.enrol_user(broker))])
        lines = [process.stdout.expect(r"^forwarding \S+:(\d+) -> ", start=index)
                 for index in range(count)]
        return process, [int(line[1]) for line in lines]

    def forwards(self, *entries):
        return self.write("forward.toml", "".join(
            f"[[forward]]\nlocal = {local}\nagent = '{AGENT}'\ntarget = {target}\n"
            for local, target in entries))

    def hand_over(self, process, by=None):
        """The process that took over; `by` is the one that is to do it, the first if it is none."""
        start = process.stderr.position()
        os.kill(by or process.pid, signal.SIGUSR2)
        done = process.stderr.expect(r" handed over to process (\d+);", start=start)
        # Before the test waits for the end of the output.
        self.addCleanup(self.kill, int(done[1]))
        return int(done[1])

    def shown(self, program, process):
        state = process.argv[process.argv.index("--state-dir") + 1]
        done = self.run_to_end([binary(program), "status", "--json", "--state-dir", state])
        return {shown["pid"]: shown for shown in map(json.loads, done.stdout.splitlines())}

    def test_transfer_goes_on_and_new_connections_are_the_new_ones(self):
        echo = self.echo_server()
        broker = self.broker()
        self.agent(broker)
        old, [port] = self.run_forwarder(broker, self.forwards((0, echo.port)))
        sent = payload(64 * MIB)
        with dial(port) as stream:
            received = []
            reader = threading.Thread(
                target=lambda: received.append(read_exactly(stream, len(sent))))
            reader.start()
            stream.sendall(sent[:8 * MIB])
            new = self.hand_over(old)
            self.assertTrue(echo_through(port, payload(100_000)))
            with dial(port) as second:
                self.assertTrue(round_trip(second))
                shown = self.shown("culvert", old)
                self.assertEqual({old.pid: "handed over", new: "running"},
                                 {pid: shown[pid]["state"] for pid in shown})
                self.assertEqual([1, 1], [len(shown[pid]["channels"]) for pid in (old.pid, new)])
            stream.sendall(sent[8 * MIB:])
            reader.join(PATIENCE)
            self.assertEqual([sent], received)
        self.assertEqual(0, self.exit_code(old))
        self.assertTrue(echo_through(port, payload(100_000)))

    def test_no_connection_is_refused(self):
        echo = self.echo_server()
        broker = self.broker()
        self.agent(broker)
        old, [port] = self.run_forwarder(broker, self.forwards((0, echo.port)))
        failures, done = [], []

        def open_some():
            for _ in range(50):
                try:
                    with dial(port) as stream:
                        done.append(round_trip(stream))
                except (OSError, AssertionError) as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=open_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        self.assertTrue(eventually(lambda: len(done) > 20))
        self.hand_over(old)
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(([], 200), (failures, sum(done)))
        self.assertEqual(0, self.exit_code(old))

    def test_two_in_a_row(self):
        echo = self.echo_server()
        broker = self.broker()
        self.agent(broker)
        old, [port] = self.run_forwarder(broker, self.forwards((0, echo.port)))
        with dial(port) as first:
            self.assertTrue(round_trip(first))
            second_process = self.hand_over(old)
            with dial(port) as second:
                self.assertTrue(round_trip(second))
                third_process = self.hand_over(old, by=second_process)
                with dial(port) as third:
                    self.assertTrue(all(map(round_trip, (first, second, third))))
                    self.assertEqual({old.pid, second_process, third_process},
                                     set(self.shown("culvert", old)))
            self.assertTrue(eventually(
                lambda: set(self.shown("culvert", old)) == {old.pid, third_process}))
            self.assertTrue(round_trip(first))
        self.assertEqual(0, self.exit_code(old))
        self.assertTrue(echo_through(port, payload(1000)))

    def test_new_program_that_does_not_work(self):
        echo = self.echo_server()
        broker = self.broker()
        self.agent(broker)
        config = self.forwards((0, echo.port))
        old, [port] = self.run_forwarder(broker, config)
        with dial(port) as stream:
            for broken, why in (("#!/bin/sh\nexit 3\n", "the new process ended with 3"),
                                ("#!/bin/sh\nkill -9 $$\n", "was killed by signal 9"),
                                ("#!/nowhere/sh\n", "no such file or directory")):
                self.install("culvert", broken)
                start = old.stderr.position()
                old.signal(signal.SIGUSR2)
                old.stderr.expect(" error not handed over, going on as before: .*" + why,
                                  start=start)
                self.assertTrue(round_trip(stream))
                self.assertTrue(echo_through(port, payload(1000)))
            self.install("culvert")
            self.write("forward.toml", "nonsense = 1\n")
            old.signal(signal.SIGUSR2)
            old.stderr.expect("going on as before: the new process ended with 2")
            self.assertTrue(echo_through(port, payload(1000)))
            self.forwards((0, echo.port))
            self.hand_over(old)
            self.assertTrue(round_trip(stream))
        self.assertEqual(0, self.exit_code(old))
        self.assertTrue(echo_through(port, payload(1000)))

    def test_changed_configuration(self):
        one, other = self.echo_server(), self.echo_server()
        broker = self.broker()
        self.agent(broker)
        old, [kept, gone] = self.run_forwarder(
            broker, self.forwards((0, one.port), (0, other.port)), count=2)
        self.forwards((0, one.port), (0, one.port))
        start = old.stdout.position()
        self.hand_over(old)
        ports = [int(old.stdout.expect(r"^forwarding \S+:(\d+) -> ", start=start + index)[1])
                 for index in range(2)]
        self.assertEqual(kept, ports[0])
        self.assertNotIn(gone, ports)
        self.assertEqual(0, self.exit_code(old))
        for port in ports:
            self.assertTrue(echo_through(port, payload(1000)))
        with self.assertRaises(ConnectionRefusedError):
            dial(gone)

    def test_agent(self):
        echo = self.echo_server()
        broker = self.broker()
        directory = self.enrol(broker, "agent", AGENT)
        path = self.install("culvert-agent")
        old = self.start([path, "run", "--broker", broker.address,
                          *self.credentials(directory), "--allow", f"{HOST}:*"])
        old.stderr.expect(" registered as ")
        port = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"]).ports[0]
        with dial(port) as first:
            self.assertTrue(round_trip(first))
            new = self.hand_over(old)
            with dial(port) as second:
                self.assertTrue(round_trip(second))
                shown = self.shown("culvert-agent", old)
                self.assertEqual({old.pid: 1, new: 1},
                                 {pid: len(shown[pid]["channels"]) for pid in shown})
                self.assertIsNone(shown[old.pid]["session"])
                self.assertTrue(round_trip(first, payload(MIB)))
        self.assertEqual(0, self.exit_code(old))
        self.assertEqual(0, old.stderr.count(" not registered"))
        self.assertTrue(echo_through(port, payload(1000)))

    def test_agent_whose_successor_does_not_work(self):
        echo = self.echo_server()
        broker = self.broker()
        directory = self.enrol(broker, "agent", AGENT)
        path = self.install("culvert-agent")
        old = self.start([path, "run", "--broker", broker.address,
                          *self.credentials(directory), "--allow", f"{HOST}:*"])
        old.stderr.expect(" registered as ")
        port = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"]).ports[0]
        self.install("culvert-agent", "#!/bin/sh\nexit 1\n")
        old.signal(signal.SIGUSR2)
        old.stderr.expect("not handed over, going on as before")
        self.assertTrue(echo_through(port, payload(1000)))


if __name__ == "__main__":
    unittest.main()
