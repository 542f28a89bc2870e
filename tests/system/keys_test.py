"""New keys: an agent and a user whose keys change while tunnels are open."""

import re
import signal

from harness import (AGENT, HOST, SystemTest, binary, dial, echo_through, eventually, payload,
                     read_exactly)


class Rotation(SystemTest):
    def renew(self, program, broker, directory, *args):
        """The key that the identity has from now on."""
        said = self.command(binary(program), "renew", "--broker", broker.address, "--state-dir",
                            self.path(directory), *args)
        return re.search(r"^key id: (\S+)$", said, re.MULTILINE)[1]

    def known(self, directory):
        return self.command(binary("culvert"), "known-agents", "list", "--state-dir",
                            self.path(directory))

    def shell(self, stream, line):
        """One line of a conversation that goes on, as a shell's does."""
        stream.sendall(line)
        self.assertEqual(line, read_exactly(stream, len(line)))

    def test_an_agent_changes_its_key_under_a_live_tunnel(self):
        echo = self.echo_server()
        t = self.tunnel(echo.port)
        agent_dir = f"{t.broker.directory}-agent-{AGENT}"
        user_dir = f"{t.broker.directory}-user-alice"
        with dial(t.port) as live:
            self.shell(live, b"before\n")
            old = self.keys[AGENT]
            new = self.renew("culvert-agent", t.broker, agent_dir, "--rotate-key")
            self.assertNotEqual(old, new)
            # Until the agent takes it up it goes on with the old one.
            self.assertTrue(echo_through(t.port, payload(100_000)))
            self.assertIn(old, self.known(user_dir))

            position = t.agent.stderr.position()
            t.agent.signal(signal.SIGHUP)
            t.agent.stderr.expect(f"certificate renewed for the new key {new}", start=position)
            t.agent.stderr.expect(" registered as ", start=position)
            self.shell(live, b"after the change\n")

            self.assertTrue(echo_through(t.port, payload(100_000)))
            t.forwarder.stderr.expect(
                f"agent {AGENT} has a new key {new}; its old key {old} vouches for it")
            self.assertIn(new, self.known(user_dir))
            self.assertNotIn(old, self.known(user_dir))
            self.shell(live, b"still there\n")

        agents = self.command(binary("culvert"), "agents", "--broker", t.broker.address,
                              "--state-dir", self.path(user_dir))
        self.assertIn(new, agents)

        # The old key can go now, and nothing is lost by it.
        self.admin(t.broker, "revoke", "--key", old)
        self.assertTrue(echo_through(t.port, payload(1000)))

    def test_a_user_changes_its_key_and_an_agent_with_a_list_of_keys_refuses_the_new_one(self):
        echo = self.echo_server()
        broker = self.broker()
        user_dir = self.enrol_user(broker)
        self.agent(broker, "--user", f"key:{self.keys['alice']}")
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"])
        port = forwarder.ports[0]
        with dial(port) as live:
            self.shell(live, b"before\n")
            new = self.renew("culvert", broker, user_dir, "--rotate-key")
            forwarder.signal(signal.SIGHUP)
            forwarder.stderr.expect(f"certificate renewed for the new key {new}")
            self.shell(live, b"after\n")
            self.assertFalse(self.echoes(port))
            forwarder.stderr.expect("is not on this agent's list of users")
            self.shell(live, b"still there\n")

    def echoes(self, port):
        try:
            return echo_through(port, b"hello")
        except OSError:
            return False

    def test_a_pinned_key_is_not_moved(self):
        echo = self.echo_server()
        broker = self.broker()
        agent = self.agent(broker)
        agent_dir = f"{broker.directory}-agent-{AGENT}"
        old = self.keys[AGENT]
        self.renew("culvert-agent", broker, agent_dir, "--rotate-key")
        agent.signal(signal.SIGHUP)
        agent.stderr.expect("certificate renewed for the new key")
        done = self.run_to_end(self.connect_command(broker, "--agent-key", f"{AGENT}={old}",
                                                    f"{AGENT}:{HOST}:{echo.port}"))
        self.assertEqual(255, done.returncode, done)
        self.assertIn("as --agent-key says", done.stderr.decode())

    def test_renewing_without_a_new_key_keeps_it(self):
        broker = self.broker()
        agent = self.agent(broker)
        agent_dir = f"{broker.directory}-agent-{AGENT}"
        self.assertEqual(self.keys[AGENT], self.renew("culvert-agent", broker, agent_dir))
        agent.signal(signal.SIGHUP)
        agent.stderr.expect("certificate renewed$")

    def test_a_key_that_nothing_vouches_for_is_refused(self):
        echo = self.echo_server()
        t = self.tunnel(echo.port)
        self.assertTrue(echo_through(t.port, b"hello"))
        t.agent.kill()
        token = self.write("again.token", self.admin(t.broker, "token", "create", "--agent", AGENT))
        self.command(binary("culvert-agent"), "enroll", "--force", "--broker", t.broker.address,
                     "--token-file", token, "--state-dir",
                     self.path(f"{t.broker.directory}-agent-{AGENT}"))
        self.agent(t.broker)
        done = self.run_to_end(self.connect_command(t.broker, f"{AGENT}:{HOST}:{echo.port}"))
        self.assertEqual(255, done.returncode, done)
        self.assertIn("THE KEY OF AGENT", done.stderr.decode())
        self.assertTrue(eventually(lambda: not self.echoes(t.port)))
