"""What is open stays open through everything that can happen to networks and the broker.

CI runs the short form; scripts/chaos.sh runs the long one and says what its settings are. Faults are
drawn from a seed, which is printed: CULVERT_CHAOS_SEED runs the same faults again.
"""

import os
import re
import subprocess
import threading
import time
import unittest

import postgres_test
import ssh_test
from byte_exchange import Exchange
from harness import AGENT, HOST, MIB, PATIENCE, eventually, note, read_exactly
from networked import NetworkedTest, chosen_faults, chosen_path, report_resumes, setting

FAULTS = setting("FAULTS", 10)
LONGEST = setting("LONGEST", 3.0)  # seconds that a fault lasts
SIZE = setting("MIB", 48) * MIB  # each way
KILLS = setting("KILLS", 2)
LOSSES = setting("LOSSES", 80)

# From the end of a fault until what was under way is at the other end. It is not the time of a
# recovery, which bench/recovery.py measures, but what a test gives a busy machine.
RECOVERY = 60.0

# MiB that a program may occupy more after any number of losses: what the allocator keeps.
GROWTH = 8

COUNT = "n=$((n + 1)); echo count-$n."


class ChaosTest(NetworkedTest):
    carried_by = chosen_path()


class Transfer(ChaosTest):
    def test_bytes_are_exact_through_faults(self):
        faults = chosen_faults(self, LONGEST)
        for link in self.links.values():
            link.set("rate", 200)
            link.set("delay", 3)
        listener = self.enterContext(self.far.listen())
        tunnel = self.tunnel(listener.getsockname()[1])
        client, server = self.connection(tunnel.port, listener)
        exchange = Exchange(client, server, SIZE, faults.seed)
        began = time.monotonic()
        for number in range(FAULTS):
            # The senders may go beyond where the fault begins, so that it meets a busy tunnel.
            exchange.allow(SIZE * (number + 1) / FAULTS)
            exchange.wait_received(SIZE * (number + 0.3) / FAULTS, RECOVERY + LONGEST)
            words, fault = faults.draw()
            note(f"{time.monotonic() - began:6.1f} s, {exchange.ways[0].received // MIB} MiB up, "
                 f"{exchange.ways[1].received // MIB} down: {words}")
            fault()
        digests = exchange.finish(RECOVERY + SIZE / MIB)
        note(f"{SIZE // MIB} MiB each way through {FAULTS} faults in "
             f"{time.monotonic() - began:.0f} s: {digests[0][:16]} up, {digests[1][:16]} down")
        report_resumes(self)


class Ssh(ChaosTest, ssh_test.SshTest):
    """A terminal at a real sshd on the agent's host."""

    def start_server(self):
        with self.on(self.far):
            super().start_server()

    def typing(self, argv):
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        with self.on(self.near):
            placed = self._placed(argv, {})
        child = subprocess.Popen(placed, stdin=theirs, stdout=theirs, stderr=theirs, env=self.env,
                                 start_new_session=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        os.close(theirs)
        terminal = ssh_test.Terminal(ours)
        terminal.say("stty -echo; n=0; echo ready-$((6 * 7))", "ready-42")
        return terminal, child

    def test_sessions_go_on_through_faults(self):
        faults = chosen_faults(self, LONGEST)
        proxy = " ".join(self.connect_command(self.seen_over(self.near_link), "%h:%p"))
        sessions = {
            "forward": self.typing(self.ssh("-tt", HOST, "exec /bin/sh")),
            "connect": self.typing(self.client("ssh", "-tt", "-p", str(self.server_port), "-o",
                                               f"ProxyCommand={proxy}", AGENT, "exec /bin/sh"))}
        count = 0
        for _ in range(FAULTS):
            words, fault = faults.draw()
            count += 3
            typing = []
            for terminal, _ in sessions.values():
                terminal.say(COUNT, f"count-{count - 2}.")
                typing.append(threading.Timer(0.05, terminal.say, [COUNT]))  # while it lasts
                typing[-1].start()
            fault()
            began = time.monotonic()
            for timer in typing:
                timer.join()
            for name, (terminal, child) in sessions.items():
                self.assertIsNone(child.poll(), f"{name} ended by: {words}")
                terminal.say(COUNT, f"count-{count}.")
            note(f"answered {time.monotonic() - began:.2f} s after: {words}")
        for terminal, child in sessions.values():
            terminal.say("exit 9")
            terminal.read_to_end()
            self.assertEqual(9, child.wait(PATIENCE))
        report_resumes(self)


class Pgbench(ChaosTest, postgres_test.PostgresTest):
    def start_server(self):
        with self.on(self.far):
            super().start_server()

    def test_no_transaction_fails_while_the_broker_is_killed(self):
        with self.on(self.near):
            made = self.run_to_end([self.pgbench, "-i", "-q", "-s", "2"], timeout=120)
            self.assertEqual(0, made.returncode, made.stderr.decode())
            running = self.start([self.pgbench, "-c", "4", "-j", "2", "-P", "1", "-T",
                                  str(KILLS * 6)], name="pgbench")
        progress = running.stderr.expect
        for number in range(KILLS):
            # It does something between the kills.
            position = running.stderr.position()
            progress(r"^progress: .* s, [1-9][0-9.]* tps", start=position, timeout=RECOVERY)
            self.the_broker.kill()
            self.restart_broker()
            note(f"broker {number + 1} of {KILLS} killed and started again")
        self.assertEqual(0, running.wait(KILLS * 6 + RECOVERY))
        text = "\n".join(running.stdout.lines)
        self.assertIn("number of failed transactions: 0 ", text)
        note(re.search(r"number of transactions actually processed: \d+", text)[0])
        report_resumes(self)


class Losses(ChaosTest):
    """Lost paths leave nothing behind."""

    CHANNELS = 20
    WARM = 3
    STEADY = 2.2  # seconds; who loses one path right after the other is tried more slowly

    # Descriptors that an end may have more of at one time than at another: what is parked, and one
    # for each channel that has come to a stitched path. At the broker there are two of each.
    MORE = 64 + CHANNELS + 4

    def lose(self):
        """Every connection of the broker is gone, and every channel comes back."""
        time.sleep(self.STEADY)
        data_port = int(self.the_broker.stdout.expect(r"^data port (\d+)$")[1])
        for port in (self.broker_port, data_port):
            self.middle.destroy_connections(port)
        for client, server in self.channels:
            for sender, reader in ((client, server), (server, client)):
                sender.sendall(b"still here")
                self.assertEqual(b"still here", read_exactly(reader, 10))

    def channels_at_the_broker(self):
        return len(self.admin(self.the_broker, "channels", "list", "--json").splitlines())

    def measure(self):
        programs = {"broker": self.the_broker, **self.programs}
        return ({name: program.descriptors() for name, program in programs.items()},
                {name: program.resident() for name, program in programs.items()})

    def test_nothing_grows(self):
        listener = self.enterContext(self.far.listen())
        tunnel = self.tunnel(listener.getsockname()[1])
        self.channels = [self.connection(tunnel.port, listener) for _ in range(self.CHANNELS)]
        for pair in self.channels:
            for stream in pair:
                stream.settimeout(RECOVERY)
        for _ in range(self.WARM):
            self.lose()
        descriptors, memory = self.measure()
        began = time.monotonic()
        rounds = LOSSES // self.CHANNELS
        for _ in range(rounds):
            self.lose()
        note(f"{self.CHANNELS} channels lost and resumed {rounds} times in "
             f"{time.monotonic() - began - rounds * self.STEADY:.1f} s")

        def settled():
            now, _ = self.measure()
            more = {name: self.MORE * (2 if name == "broker" else 1) for name in now}
            return all(now[name] <= descriptors[name] + more[name] for name in now)

        self.assertTrue(eventually(settled), (descriptors, self.measure()[0]))
        _, after = self.measure()
        for name, size in after.items():
            grown = (size - memory[name]) / MIB
            note(f"{name}: {grown:+.1f} MiB, {self.measure()[0][name] - descriptors[name]:+d} "
                 "descriptors")
            self.assertLess(grown, GROWTH, f"{name} grew")
        self.assertEqual(self.CHANNELS, self.channels_at_the_broker())
        for name, losses in self.count_logged("path lost").items():
            self.assertGreaterEqual(losses, rounds * self.CHANNELS, name)


if __name__ == "__main__":
    unittest.main()
