"""The networks that the chaos tests make are as bad as they are told to be, and no worse."""

import contextlib
import os
import socket
import time
import unittest

from harness import (MIB, PATIENCE, SystemTest, Task, how_it_ends, note, payload, read_all,
                     read_exactly, round_trip)
from netlab import Host, Link


class Networks(SystemTest):
    def setUp(self):
        super().setUp()
        self.near, self.far = Host(self, "near"), Host(self, "far")
        self.link = Link(self, self.near, self.far, 1)
        self.listener = self.enterContext(self.far.listen("0.0.0.0"))
        self.port = self.listener.getsockname()[1]

    def connection(self):
        client = self.enterContext(self.near.dial(self.port, self.link.far_address))
        server = self.enterContext(self.listener.accept()[0])
        server.settimeout(PATIENCE)
        return client, server

    def transfer(self, size):
        """Seconds until the far end had it all."""
        client, server = self.connection()
        data = payload(size)
        began = time.monotonic()
        sending = Task(lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        self.assertEqual(data, read_all(server))
        sending.result()
        return time.monotonic() - began

    def echoing(self):
        client, server = self.connection()

        def echo():
            with contextlib.suppress(OSError):
                while data := server.recv(1000):
                    server.sendall(data)

        Task(echo)
        round_trip(client)
        return client

    def silent(self, client):
        """Whether what is sent now is not answered in a while."""
        client.sendall(b"x")
        client.settimeout(0.3)
        try:
            client.recv(1)
        except TimeoutError:
            return True
        finally:
            client.settimeout(PATIENCE)
        return False

    def test_untouched_network_is_fast_and_loses_nothing(self):
        rate = 64 * MIB * 8 / 1e6 / self.transfer(64 * MIB)
        note(f"{rate:.0f} Mbit/s")
        self.assertGreater(rate, 200)

    def test_delay_is_there_both_ways(self):
        client = self.echoing()
        self.link.set("delay", 30)
        self.assertGreaterEqual(round_trip(client), 0.06)
        self.link.set("delay", 0)
        self.link.set("delay", 40, "a2b")
        self.assertTrue(0.04 <= round_trip(client) < 0.08)

    def test_rate_is_kept(self):
        self.link.set("rate", 50)
        rate = 8 * MIB * 8 / 1e6 / self.transfer(8 * MIB)
        note(f"{rate:.1f} Mbit/s of 50")
        self.assertTrue(30 < rate < 50, rate)

    def test_bytes_survive_loss_and_reordering(self):
        self.link.set("rate", 100)
        self.link.set("delay", 2)
        self.link.set("loss", 1)
        self.link.set("reorder", 1)
        self.transfer(4 * MIB)
        (sent, _, lost), _ = self.link.stats()
        self.assertTrue(0.002 < lost / (sent + lost) < 0.1, (sent, lost))

    def test_cut_network_is_silent_until_it_is_mended(self):
        for direction in ("both", "a2b", "b2a"):
            with self.subTest(direction=direction):
                client = self.echoing()
                self.link.cut(direction)
                self.assertTrue(self.silent(client))
                self.link.mend(direction)
                self.assertEqual(b"x", read_exactly(client, 1))

    def test_lost_packets_of_a_port_come_again(self):
        for hook in ("input", "output"):
            with self.subTest(hook=hook):
                client = self.echoing()
                with self.far.losing(self.port, hook):
                    self.assertTrue(self.silent(client))
                self.assertEqual(b"x", read_exactly(client, 1))

    def test_injected_reset_ends_both_ends(self):
        client, server = self.connection()
        with self.far.resetting(self.port):
            client.sendall(b"x")
            self.assertEqual("reset", how_it_ends(client))
            with contextlib.suppress(ConnectionError):
                server.sendall(b"y")
            self.assertEqual("reset", how_it_ends(server))
        self.echoing()

    def test_destroyed_connections_are_reset(self):
        client, other = self.connection()[0], self.echoing()
        self.far.destroy_connections(self.port)
        self.assertEqual(["reset", "reset"], [how_it_ends(client), how_it_ends(other)])
        self.echoing()

    def test_new_address_leaves_old_connections_behind(self):
        client = self.echoing()
        self.link.new_address()
        with contextlib.suppress(OSError):
            self.assertTrue(self.silent(client))
        self.assertEqual(self.link.near_address, self.echoing().getsockname()[0])

    def test_link_that_is_down_has_no_route(self):
        client = self.echoing()
        self.link.down()
        with self.assertRaises(OSError):
            self.near.dial(self.port, self.link.far_address)
        self.link.up()
        round_trip(client)

    def test_nothing_is_left(self):
        before = os.listdir("/sys/class/net")
        host = Host(self, "another")
        Link(self, host, self.far, 2)
        self.assertEqual(before, os.listdir("/sys/class/net"))
        self.doCleanups()
        self.assertFalse(os.path.exists(host.path))


if __name__ == "__main__":
    unittest.main()
