"""culvert rendezvous: tokens that are not good, and who may not have any."""

import time

from harness import (AGENT, HOST, PATIENCE, binary, eventually, how_it_ends, is_broken_soon,
                     read_exactly)
from meeting import LIFETIME, RendezvousTest, Side, is_silent


class Refusals(RendezvousTest):
    def test_tokens_that_are_wrong_or_used_are_refused(self):
        consumer, provider = self.ask()
        wrong = Side(f"consumer {'00' * 32} {HOST}:{consumer.address[1]} 0")
        self.assert_refused(wrong)
        first = self.come(consumer)
        self.assertTrue(is_silent(first, 0.2))
        self.assert_refused(consumer)
        second = self.come(provider, b"hello")
        self.assertEqual(b"hello", read_exactly(first, 5))
        self.assert_refused(consumer)
        self.assert_refused(provider)
        second.sendall(b"still there")
        self.assertEqual(b"still there", read_exactly(first, 11))

    def test_tokens_are_good_for_as_long_as_it_says(self):
        consumer, provider = self.ask()
        begin = time.monotonic()
        waits = self.come(consumer)
        waits.settimeout(LIFETIME + PATIENCE)
        self.assertEqual("eof", how_it_ends(waits))
        self.assertGreater(time.monotonic() - begin, LIFETIME - 2)
        self.assert_refused(provider)

    def test_a_user_has_so_many_and_no_more(self):
        for _ in range(16):
            self.ask()
        self.assertIn("too many rendezvous of yours that wait (limit 16)", self.refused())
        # Another user is not concerned.
        other = self.enrol(self.at, "user", "bob")
        self.command(*self.argv(directory=other))

    def test_a_revoked_key_cuts_what_it_asked_for(self):
        streams = self.meet()
        waiting = self.ask()
        self.admin(self.at, "revoke", "--user", "alice")
        for stream in streams:
            self.assertTrue(is_broken_soon(stream))
            self.assertEqual("reset", how_it_ends(stream))
        self.assert_refused(waiting[0])
        self.assertIn("revoked", self.refused())

    def test_with_an_agent_the_policy_is_asked_for_as_long_as_it_lasts(self):
        self.assertIn("no rule", self.refused("--with", AGENT))
        self.admin(self.at, "policy", "allow", "--user", "alice", "--agent", AGENT, "--service",
                   "rendezvous")
        self.assertIn(f"agent {AGENT} is not online here", self.refused("--with", AGENT))
        self.agent(self.at)
        one, other = self.meet("--with", AGENT)
        apart = self.meet()
        self.admin(self.at, "policy", "revoke", "--user", "alice", "--agent", AGENT, "--service",
                   "rendezvous")
        for stream in (one, other):
            self.assertEqual("reset", how_it_ends(stream))
        # What was of no agent goes on.
        apart[0].sendall(b"still")
        self.assertEqual(b"still", read_exactly(apart[1], 5))

        # Records reach the file a moment later; those of the refusals above carried no bytes.
        cuts = []
        self.assertTrue(eventually(lambda: cuts.extend(
            record for record in self.audit("--kind", "deny", "--agent", AGENT)
            if "bytes_sent" in record) or cuts))
        cut = cuts[-1]
        self.assertEqual(("rendezvous", 1, 1, "PERMISSION_DENIED"),
                         (cut["service"], cut["bytes_sent"], cut["bytes_received"], cut["code"]))

    def test_a_key_of_the_agent_that_is_revoked_cuts_it_too(self):
        self.admin(self.at, "policy", "allow", "--user", "alice", "--agent", AGENT, "--service",
                   "rendezvous")
        self.agent(self.at)
        one, other = self.meet("--with", AGENT)
        self.admin(self.at, "revoke", "--agent", AGENT)
        for stream in (one, other):
            self.assertEqual("reset", how_it_ends(stream))

    def test_an_agent_may_not_ask_for_one_of_no_agent(self):
        agent = self.enrol(self.at, "agent", AGENT)
        done = self.run_to_end(self.argv(directory=agent))
        self.assertNotEqual(0, done.returncode)
        self.assertEqual(b"", done.stdout)

    def test_bad_input_is_one_line(self):
        for args, words in ((["extra"], "unexpected argument"), (["--with", "no/name"], "--with"),
                            (["--insecure"], "unknown option --insecure")):
            self.assertIn(words, self.refused(*args, code=2))
        self.assertIn("no identity", self.refused(directory="nowhere"))

    def test_without_a_data_port_there_is_none(self):
        other = self.broker("--data-port", "off")
        directory = self.enrol(other, "user", "alice")
        done = self.run_to_end([binary("culvert"), "rendezvous", "--broker", other.address,
                                "--state-dir", self.path(directory)])
        self.assertEqual((1, b""), (done.returncode, done.stdout))
        self.assertIn(b"has no data port", done.stderr)
