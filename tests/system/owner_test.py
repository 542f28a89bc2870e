"""Root on a state directory that is another user's: what it does there is that user's."""

import os
import re
import unittest

from harness import AGENT, SystemTest, binary

NOBODY = 65534


@unittest.skipUnless(os.geteuid() == 0, "only root can give files away")
class Owner(SystemTest):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o711)  # nobody has to get through it

    def give_away(self, directory):
        path = self.path(directory)
        for name in [path, *(os.path.join(path, name) for name in os.listdir(path))]:
            os.chown(name, NOBODY, NOBODY)
        return path

    def assert_all_nobodys(self, path):
        owners = {name: os.stat(os.path.join(path, name)).st_uid for name in os.listdir(path)}
        self.assertEqual({NOBODY}, set(owners.values()), owners)

    def refusal(self, *argv, code=1):
        done = self.run_to_end(argv)
        self.assertEqual((code, b""), (done.returncode, done.stdout), done)
        return done.stderr.decode()

    def test_an_agents_identity_is_renewed_for_its_owner(self):
        broker = self.broker()
        path = self.give_away(self.enrol(broker, "agent", AGENT))
        for args in ([], ["--rotate-key"]):
            said = self.command(binary("culvert-agent"), "renew", "--state-dir", path, *args)
            self.assertIn(f"renewed agent {AGENT}", said)
            self.assert_all_nobodys(path)
        # What goes on running does not change whom it runs as.
        self.assertIn("run this as that user",
                      self.refusal(binary("culvert-agent"), "run", "--state-dir", path, code=2))

    def test_a_users_commands_work_for_its_owner(self):
        broker = self.broker()
        path = self.give_away(self.enrol_user(broker))
        state = ["--state-dir", path]
        self.assertIn("broker     ok", self.command(binary("culvert"), "whoami", *state))
        self.assertIn(AGENT, self.command(binary("culvert"), "known-agents", "list", *state))
        self.command(binary("culvert"), "known-agents", "add", "edge-2", self.keys[AGENT], *state)
        self.command(binary("culvert"), "agents", *state)
        self.command(binary("culvert"), "renew", *state)
        self.assert_all_nobodys(path)

    def test_an_authority_is_used_as_its_owner(self):
        path = self.path("machine")
        os.mkdir(path, 0o700)
        os.chown(path, NOBODY, NOBODY)
        self.command(binary("culvert-broker"), "ca", "create", "--state-dir", path)
        self.assert_all_nobodys(path)
        with open(os.path.join(path, "ca.pem"), encoding="ascii") as file:
            ca_cert = self.write("ca.pem", file.read())
        flags = ["--state-dir", self.path("broker"), "--ca-cert", ca_cert]
        self.run_to_end([binary("culvert-broker"), "serve", "--listen", "127.0.0.1:0", *flags])
        requests = self.write("requests", self.command(
            binary("culvert-broker"), "ca", "requests", "--json", *flags[:2]))
        os.chmod(requests, 0o600)  # root's
        done = self.run_to_end([binary("culvert-broker"), "ca", "sign", "--in", requests, "--out",
                                self.path("signed"), "--state-dir", path])
        self.assertEqual((0, b""), (done.returncode, done.stdout), done)
        self.assertRegex(self.command(binary("culvert-broker"), "ca", "import", "--in",
                                      self.path("signed"), *flags[:2]), "^imported for the broker")
        self.assert_all_nobodys(path)

    def test_a_link_is_followed_only_if_root_made_it(self):
        broker = self.broker()
        path = self.give_away(self.enrol_user(broker))
        link = self.path("link")
        os.symlink(path, link)
        renew = [binary("culvert"), "renew", "--state-dir", link]
        self.assertTrue(re.search("^renewed", self.command(*renew)))
        self.assert_all_nobodys(path)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        for name in (link, link + "/"):
            self.assertIn("symbolic link of another user", self.refusal(*renew[:3], name))
