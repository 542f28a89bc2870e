"""SIGUSR2: a new process takes the place of a running forwarder or agent."""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import threading
import unittest

from harness import (AGENT, HOST, MIB, PATIENCE, SystemTest, binary, dial, echo_through, eventually,
                     payload, read_exactly, reserved_port)


def round_trip(stream, data=b"still here"):
    stream.sendall(data)
    return read_exactly(stream, len(data)) == data


class ServiceManager:
    """What systemd is to a service of Type=notify. As a context manager."""

    def __init__(self, path):
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.settimeout(PATIENCE)
        self._socket.bind(path)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._socket.close()

    def expect(self, pid, line):
        """Reads messages up to one from that process with that line."""
        seen = []
        while True:
            text, control, *_ = self._socket.recvmsg(4096, socket.CMSG_SPACE(12))
            sender = struct.unpack("iii", control[0][2])[0]
            seen.append((sender, text.decode()))
            if sender == pid and line in text.decode().split("\n"):
                return seen


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

    def install_waiting(self, name, then):
        """A program that does `then`, a line of sh, once the file whose path is returned is there."""
        go = self.path("go")
        self.install(name, f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.02; done\n{then}\n")
        return go

    def test_reload_while_the_new_process_starts(self):
        one, gone, added = self.echo_server(), self.echo_server(), self.echo_server()
        broker = self.broker()
        self.agent(broker)
        with reserved_port() as kept_port, reserved_port() as gone_port:
            with reserved_port() as added_port:
                forwards = (kept_port, one.port), (gone_port, gone.port)
                changed = (kept_port, one.port), (added_port, added.port)
            for then, done in (("exit 3", "going on as before"),
                               (f'exec {binary("culvert")} "$@"', " handed over to process ")):
                with self.subTest(then=then):
                    old, _ = self.run_forwarder(broker, self.forwards(*forwards), count=2)
                    go, ends = self.install_waiting("culvert", then), []
                    old.signal(signal.SIGUSR2)
                    old.stderr.expect(" SIGUSR2: handing over")
                    self.forwards(*changed)
                    old.signal(signal.SIGHUP)
                    old.stderr.expect(" SIGHUP: reload after the hand-over")
                    # Until then all is as it was.
                    self.assertTrue(echo_through(gone_port, payload(1000)))
                    self.assertEqual(0, old.stderr.count("configuration reloaded"))
                    with open(go, "wb"):
                        pass
                    old.stderr.expect(done)
                    old.stderr.expect(" configuration reloaded, 2 forwards")
                    if match := old.stderr.count(" handed over to process "):
                        self.assertEqual(1, match)
                        new = int(old.stderr.expect(r"handed over to process (\d+)")[1])
                        self.addCleanup(self.kill, new)
                        ends = [new]
                    self.assertTrue(echo_through(kept_port, payload(1000)))
                    self.assertTrue(echo_through(added_port, payload(1000)))
                    with self.assertRaises(ConnectionRefusedError):
                        dial(gone_port)
                    os.remove(go)
                    for pid in ends:  # they hold what the other one prints to
                        self.kill(pid)
                    old.kill()

    def test_new_forwarder_that_is_killed(self):
        echo = self.echo_server()
        broker = self.broker()
        self.agent(broker)
        with reserved_port() as port:
            old, _ = self.run_forwarder(broker, self.forwards((port, echo.port)))
            with dial(port) as first:
                self.assertTrue(round_trip(first))
                new = self.hand_over(old)
                self.kill(new)
                old.stderr.expect("the new process was killed by signal 9: this one takes its place")
                old.stdout.expect("^forwarding ", start=2)
                self.assertTrue(echo_through(port, payload(1000)))
                self.assertTrue(round_trip(first))
                self.hand_over(old)
                self.assertTrue(echo_through(port, payload(1000)))
                self.assertTrue(round_trip(first))
            self.assertEqual(0, self.exit_code(old))

    def run_agent(self, broker, **options):
        directory = self.enrol(broker, "agent", AGENT)
        path = self.install("culvert-agent")
        old = self.start([path, "run", "--broker", broker.address,
                          *self.credentials(directory), "--allow", f"{HOST}:*"], **options)
        old.stderr.expect(" registered as ")
        return old

    def test_new_agent_that_is_killed(self):
        echo = self.echo_server()
        broker = self.broker()
        old = self.run_agent(broker)
        port = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"]).ports[0]
        with dial(port) as first:
            self.assertTrue(round_trip(first))
            new = self.hand_over(old)
            start = old.stderr.position()
            self.kill(new)
            old.stderr.expect("killed by signal 9: this one takes its place again", start=start)
            old.stderr.expect(" registered as ", start=start, timeout=5)
            self.assertEqual({old.pid: "running"},
                             {pid: shown["state"]
                              for pid, shown in self.shown("culvert-agent", old).items()})
            self.assertTrue(echo_through(port, payload(1000)))
            self.assertTrue(round_trip(first))

    def test_new_agent_that_registers_and_fails_before_it_is_ready(self):
        echo = self.echo_server()
        broker = self.broker()
        old = self.run_agent(broker)
        port = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"]).ports[0]
        log = self.path("new.log")
        self.install("culvert-agent", "\n".join((
            "#!/bin/sh", f'env -u CULVERT_HAND_OVER {binary("culvert-agent")} "$@" 2>{log} &',
            f"until grep -q ' registered as ' {log}; do sleep 0.02; done", "kill -9 $!", "exit 1",
            "")))
        with dial(port) as first:
            self.assertTrue(round_trip(first))
            start = old.stderr.position()
            old.signal(signal.SIGUSR2)
            old.stderr.expect("not handed over, going on as before: the new process ended with 1",
                              start=start)
            # Not after the 30 s of one that was taken over.
            old.stderr.expect(" registered as ", start=start, timeout=5)
            self.assertTrue(echo_through(port, payload(1000)))
            self.assertTrue(round_trip(first))

    def test_service_manager_hears_which_process_is_the_main_one(self):
        echo = self.echo_server()
        broker = self.broker()
        manager = self.enterContext(ServiceManager(self.path("notify")))
        old = self.run_agent(broker, env=self.env | {"NOTIFY_SOCKET": manager.path})
        port = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"]).ports[0]
        manager.expect(old.pid, "READY=1")
        with dial(port) as first:
            self.assertTrue(round_trip(first))
            new = self.hand_over(old)
            manager.expect(new, "READY=1")
            manager.expect(old.pid, f"MAINPID={new}")
            # What systemd asks of a new main process: it is there, and of the service's cgroup.
            self.assertEqual(*(self.cgroup(pid) for pid in (old.pid, new)))
            os.kill(new, signal.SIGHUP)
            manager.expect(new, "RELOADING=1")
            self.kill(new)
            manager.expect(old.pid, f"MAINPID={old.pid}")
            self.assertTrue(round_trip(first))

    @staticmethod
    def cgroup(pid):
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
            return file.read()

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
