"""Brokers by name: SRV records, several addresses of which the first is dead, and no name server."""

import time
import types
import unittest

from harness import AGENT, binary, eventually, need, note, read_exactly, reserved_port
from name_server import NameServer, address, service
from networked import NetworkedTest

DOMAIN = "culvert.test"
RECORD = f"_culvert._tcp.{DOMAIN}"
# The start of a program waits no longer for name servers.
FIRST_TIME = 2


class BrokerNames(NetworkedTest):
    def setUp(self):
        super().setUp()
        self.dns = self.enterContext(NameServer({}))
        self.resolvers = {}
        for host, link in ((self.near, self.near_link), (self.far, self.far_link)):
            with self.middle.entered():
                self.dns.listen(link.far_address)
            self.resolvers[host.name] = self.write(f"{host.name}.resolv",
                                                   f"nameserver {link.far_address}\n")
        # The broker's host, as each of the others sees it.
        self.dns.zone["b.test"] = self.seen_by_each(lambda link: [address(link.far_address)])

    def seen_by_each(self, records):
        return {link.far_address: records(link) for link in self.links.values()}

    def _placed(self, argv, account):
        if self._host is not None and self._host.name in self.resolvers:
            argv = [need("unshare", "util-linux"), "--mount", "sh", "-c",
                    'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                    self.resolvers[self._host.name], *argv]
        return super()._placed(argv, account)

    def move_broker(self):
        """The broker, with its state, at another port, which nobody has."""
        self.the_broker.kill()
        with self.middle.entered(), reserved_port("0.0.0.0") as port:
            self.broker_directories[f"0.0.0.0:{port}"] = self.the_broker.directory
            self.start_broker(port=port)

    def by_name(self, name):
        return types.SimpleNamespace(address=name, directory=self.the_broker.directory)

    def programs_by(self, name):
        """An agent and a forwarder that know the broker by this name; the local port."""
        target = self.far.listen()
        self.addCleanup(target.close)
        with self.on(self.far):
            agent = self.agent(self.by_name(name))
        with self.on(self.near):
            forwarder = self.forwarder(self.by_name(name),
                                       forwards=[f"0:{AGENT}:{target.getsockname()[1]}"])
        self.programs = {"agent": agent, "forwarder": forwarder}
        return forwarder.ports[0], target

    def exchange(self, client, server):
        client.sendall(b"ping")
        self.assertEqual(b"ping", read_exactly(server, 4))
        server.sendall(b"pong")
        self.assertEqual(b"pong", read_exactly(client, 4))

    def carries(self, port, target):
        self.exchange(*self.connection(port, target))

    # --- SRV ---

    def test_targets_are_used_in_turn_and_a_dead_one_is_left_out(self):
        self.start_broker()
        before = self.broker_port
        self.move_broker()
        self.dns.zone[RECORD] = [service("b.test", before, priority=1),
                                 service("b.test", self.broker_port, priority=2)]
        port, target = self.programs_by(DOMAIN)
        client, server = self.connection(port, target)
        self.exchange(client, server)
        # The other way round.
        self.the_broker.kill()
        start = time.monotonic()
        self.start_broker(port=before)
        self.exchange(client, server)
        note(f"at the other target after {time.monotonic() - start:.2f} s")
        self.carries(port, target)

    def test_new_records_are_found_when_no_broker_answers(self):
        self.start_broker()
        self.dns.ttl = 3600
        self.dns.zone[RECORD] = [service("b.test", self.broker_port)]
        port, target = self.programs_by(DOMAIN)
        client, server = self.connection(port, target)
        self.exchange(client, server)
        start = time.monotonic()
        self.move_broker()
        self.dns.zone[RECORD] = [service("b.test", self.broker_port)]
        self.exchange(client, server)
        note(f"at the new target after {time.monotonic() - start:.2f} s")
        self.carries(port, target)

    def test_without_a_record_it_is_port_7400_of_the_name(self):
        self.start_broker(port=7400)
        self.dns.zone[DOMAIN] = self.dns.zone["b.test"]
        port, target = self.programs_by(DOMAIN)
        self.carries(port, target)
        self.assertGreater(self.dns.count(RECORD), 0)

    def test_with_a_port_no_record_is_asked_for(self):
        self.start_broker()
        port, target = self.programs_by(f"b.test:{self.broker_port}")
        self.carries(port, target)
        self.assertEqual([], [name for name in self.dns.asked if name.startswith("_")])

    def test_domain_that_says_it_has_no_broker(self):
        self.start_broker()
        with self.on(self.far):
            directory = self.enrol(self.seen_over(self.far_link), "agent", AGENT)
            self.dns.zone[RECORD] = [service(".", 0)]
            done = self.run_to_end([binary("culvert-agent"), "run", "--broker", DOMAIN,
                                    *self.credentials(directory)])
        self.assertEqual(2, done.returncode, done)
        self.assertEqual(f'culvert-agent: {DOMAIN} says that it has no broker: {RECORD} SRV is "."',
                         done.stderr.decode().strip())

    def test_start_does_not_wait_for_name_servers_that_are_silent(self):
        self.start_broker()
        self.dns.zone[RECORD] = [service("b.test", self.broker_port)]
        with self.on(self.far):
            self.agent(self.by_name(DOMAIN))
        with self.on(self.near):
            self.enrol_user(self.by_name(DOMAIN))
        target = self.far.listen()
        self.addCleanup(target.close)
        self.dns.silent = True
        start = time.monotonic()
        with self.on(self.near):
            forwarder = self.forwarder(self.by_name(DOMAIN),
                                       forwards=[f"0:{AGENT}:{target.getsockname()[1]}"])
        took = time.monotonic() - start
        note(f"started after {took:.2f} s")
        self.assertLess(took, FIRST_TIME + 1)
        self.dns.silent = False
        # What is opened before the answer is there may fail; it comes all the same.
        self.assertTrue(eventually(lambda: self._opens(forwarder.ports[0], target)))

    def _opens(self, port, target):
        target.settimeout(3)
        with self.near.dial(port) as client:
            try:
                server = target.accept()[0]
            except TimeoutError:
                return False
            with server:
                server.settimeout(None)
                self.exchange(client, server)
        return True

    # --- several addresses ---

    def several_addresses(self, verdict):
        """The first address is dead in that way: it must not be long until the second is used, at
        first or again."""
        self.start_broker()
        for link in self.links.values():
            dead = link.far_address[:-1] + "3"
            self.middle.ip("address", "add", f"{dead}/24", "dev", link.device)
        self.dns.zone["two.test"] = self.seen_by_each(
            lambda link: [address(link.far_address[:-1] + "3"), address(link.far_address)])
        rules = [f"input ip daddr {link.far_address[:-1]}3 tcp dport {self.broker_port} {verdict}"
                 for link in self.links.values()]
        with self.on(self.far):
            self.enrol(self.seen_over(self.far_link), "agent", AGENT)
        with self.on(self.near):
            self.enrol_user(self.seen_over(self.near_link))
        with self.middle.rules(*rules):
            start = time.monotonic()
            port, target = self.programs_by(f"two.test:{self.broker_port}")
            client, server = self.connection(port, target)
            self.exchange(client, server)
            first = time.monotonic() - start
            self.middle.destroy_connections(self.broker_port)
            start = time.monotonic()
            self.exchange(client, server)
            again = time.monotonic() - start
            self.programs["forwarder"].stderr.expect(" path lost, resuming")
            self.the_broker.kill()
            self.restart_broker()
            start = time.monotonic()
            self.exchange(client, server)
            restarted = time.monotonic() - start
            note(f"first {first:.2f} s, again {again:.2f} s, broker restarted {restarted:.2f} s")
        self.assertLess(first, 5)
        self.assertLess(max(again, restarted), 3)

    def test_first_address_drops_packets(self):
        self.several_addresses("drop")

    def test_first_address_refuses(self):
        self.several_addresses("reject with tcp reset")


if __name__ == "__main__":
    unittest.main()
