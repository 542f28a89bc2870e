"""culvert rendezvous: what passes between two programs that meet by tokens, and what is left of it."""

import contextlib
import json
import signal
import socket

from harness import (HOST, KIB, MIB, Task, dial, eventually, how_it_ends, payload, read_all,
                     read_exactly, reset)
from meeting import LIFETIME, TOKEN_TIME, RendezvousTest, is_silent


class Rendezvous(RendezvousTest):
    def test_it_prints_two_lines_that_scripts_can_read(self):
        data_port = int(self.at.stdout.expect(r"^data port (\d+)$")[1])
        consumer, provider = self.ask()
        self.assertEqual(("consumer", "provider"), (consumer.role, provider.role))
        for side in (consumer, provider):
            self.assertEqual((32, (HOST, data_port), LIFETIME),
                             (len(side.token), side.address, side.seconds))
        self.assertNotEqual(consumer.token, provider.token)
        lines = [json.loads(line) for line in self.command(*self.argv("--json")).splitlines()]
        self.assertEqual(["consumer", "provider"], [line["role"] for line in lines])
        for line in lines:
            self.assertEqual({"role", "token", "address", "expires_s"}, set(line))
            self.assertEqual((64, f"{HOST}:{data_port}", LIFETIME),
                             (len(line["token"]), line["address"], line["expires_s"]))

    def test_either_side_may_come_first_and_what_it_says_early_is_heard(self):
        for first in (0, 1):
            with self.subTest(first=first):
                sides = self.ask()
                early = payload(200 * KIB, first)
                one = self.come(sides[first])
                # More than the kernel takes may wait for the other side.
                sending = Task(one.sendall, early)
                self.assertTrue(is_silent(one, 0.5))
                other = self.come(sides[1 - first])
                self.assertEqual(early, read_exactly(other, len(early)))
                sending.result()
                other.sendall(b"an answer")
                self.assertEqual(b"an answer", read_exactly(one, 9))

    def test_a_token_may_come_in_pieces(self):
        consumer, provider = self.ask()
        streams = []
        for side in (consumer, provider):
            stream = self.enterContext(dial(side.address[1], side.address[0]))
            for part in (side.token[:1], side.token[1:17], side.token[17:31]):
                stream.sendall(part)
                self.assertTrue(is_silent(stream, 0.2))
            stream.sendall(side.token[31:] + b"behind it")
            streams.append(stream)
        for stream in streams:
            self.assertEqual(b"behind it", read_exactly(stream, 9))

    def test_bytes_pass_both_ways_at_once(self):
        one, other = self.meet()
        ways = [(one, other, payload(16 * MIB, 1)), (other, one, payload(16 * MIB, 2))]
        sending = [Task(source.sendall, data) for source, _, data in ways]
        reading = [Task(read_exactly, sink, len(data)) for _, sink, data in ways]
        for task, (_, _, data) in zip(reading, ways):
            self.assertTrue(task.result() == data)
        for task in sending:
            task.result()

    def test_silence_longer_than_the_token_may_take_ends_nothing(self):
        consumer, provider = self.ask()
        first = self.come(consumer)
        self.assertTrue(is_silent(first, TOKEN_TIME + 1.5))
        second = self.come(provider)
        second.sendall(b"here")
        self.assertEqual(b"here", read_exactly(first, 4))
        self.assertTrue(is_silent(first, TOKEN_TIME + 1.5))
        first.sendall(b"after all that")
        self.assertEqual(b"after all that", read_exactly(second, 14))

    def test_one_side_may_end_and_hear_the_other_out(self):
        for which in (0, 1):
            with self.subTest(which=which):
                streams = self.meet()
                ends, goes_on = streams[which], streams[1 - which]
                ends.sendall(b"the question")
                ends.shutdown(socket.SHUT_WR)
                self.assertEqual(b"the question", read_all(goes_on))
                answer = payload(MIB)
                sending = Task(goes_on.sendall, answer)
                self.assertTrue(read_exactly(ends, MIB) == answer)
                sending.result()
                goes_on.shutdown(socket.SHUT_WR)
                self.assertEqual(b"", read_all(ends))

    def test_a_reset_is_a_reset_at_the_other_side(self):
        for which in (0, 1):
            with self.subTest(which=which):
                streams = self.meet()
                reset(streams[which])
                self.assertEqual("reset", how_it_ends(streams[1 - which]))

    def test_a_side_that_is_reset_before_the_other_comes_ends_it(self):
        consumer, provider = self.ask()
        first = self.come(consumer, b"early")
        self.assertTrue(is_silent(first, 0.2))
        reset(first)
        # The broker hears of it at once; the other token is worth nothing then.
        self.assertTrue(eventually(lambda: not self.is_waiting(provider)))

    def is_waiting(self, side):
        with dial(side.address[1], side.address[0]) as stream:
            stream.sendall(side.token)
            return is_silent(stream, 0.5)

    def test_it_is_on_record_and_no_token_is_in_any_log(self):
        consumer, provider = self.ask()
        with self.come(consumer, b"12345") as one, self.come(provider) as other:
            self.assertEqual(b"12345", read_exactly(other, 5))
            one.shutdown(socket.SHUT_WR)
            self.assertEqual(b"", read_all(other))
            other.shutdown(socket.SHUT_WR)
            self.assertEqual(b"", read_all(one))
        self.assertTrue(eventually(lambda: self.audit("--kind", "close")))
        events = [event for event in self.audit() if event.get("service") == "rendezvous"]
        self.assertEqual(["rendezvous", "open", "close"], [event["event"] for event in events])
        for event in events:
            self.assertEqual(("spiffe://culvert.internal/project/default/user/alice",
                              self.keys["alice"], events[0]["channel"]),
                             (event["principal"], event["key"], event["channel"]))
        self.assertEqual((5, 0), (events[2]["bytes_sent"], events[2]["bytes_received"]))
        with open(self.path(f"{self.at.directory}/audit.log"), "rb") as file:
            recorded = file.read()
        logged = "\n".join(self.at.stdout.lines + self.at.stderr.lines).encode()
        for side in (consumer, provider):
            for form in (side.token, side.hex.encode(), side.hex.upper().encode()):
                self.assertNotIn(form, recorded)
                self.assertNotIn(form, logged)

    def test_a_broker_that_stops_lets_those_that_met_end(self):
        one, other = self.meet()
        waiting = self.ask()
        left = self.come(waiting[0])
        self.at.signal(signal.SIGTERM)
        self.assertEqual("eof", how_it_ends(left))
        one.sendall(b"the last words")
        self.assertEqual(b"the last words", read_exactly(other, 14))
        self.assertIsNone(self.at.returncode)
        one.shutdown(socket.SHUT_WR)
        other.shutdown(socket.SHUT_WR)
        self.assertEqual((b"", b""), (read_all(one), read_all(other)))
        self.assertEqual(0, self.at.wait())

    def test_a_broker_that_ends_resets_those_that_met(self):
        streams = self.meet()
        left = self.come(self.ask()[0])
        self.at.signal(signal.SIGTERM)
        self.assertEqual("eof", how_it_ends(left))  # it has heard the first one
        self.at.signal(signal.SIGTERM)
        self.at.wait()
        for stream in streams:
            self.assertEqual("reset", how_it_ends(stream))

    def test_nothing_of_it_stays_in_the_broker(self):
        with contextlib.ExitStack() as warm:
            for stream in self.meet():
                warm.enter_context(stream)
        self.assertTrue(eventually(lambda: self.audit("--kind", "close")))
        before = self.at.descriptors()
        for _ in range(5):
            for stream in self.meet():
                stream.close()
        self.assertTrue(eventually(lambda: self.at.descriptors() <= before),
                        (before, self.at.descriptors()))
