"""What TCP does between two programs, it does through the tunnel: ends, resets, stalls."""

import hashlib
import select
import socket
import threading
import time
import unittest

from harness import (AGENT, HOST, KIB, MIB, PATIENCE, SystemTest, Task, dial, echo_through,
                     eventually, fate, how_it_ends, is_broken_soon, need, note, payload, read_all,
                     read_exactly, reserved_port, reset, round_trip, write_until_blocked)


class HalfClose(SystemTest):
    def through(self, handler):
        self.server = self.serve(handler)
        return self.enterContext(dial(self.tunnel(self.server.port).port))

    def test_client_ends_first_and_gets_the_whole_answer(self):
        request, reply = payload(100_000, 1), payload(MIB, 2)

        def handler(stream):
            got = read_all(stream)
            stream.sendall(reply)
            return got

        client = self.through(handler)
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(reply, read_all(client))
        self.assertEqual(request, self.server.result())

    def test_server_ends_first_and_gets_the_whole_answer(self):
        greeting, answer = payload(100_000, 3), payload(MIB, 4)

        def handler(stream):
            stream.sendall(greeting)
            stream.shutdown(socket.SHUT_WR)
            return read_all(stream)

        client = self.through(handler)
        self.assertEqual(greeting, read_all(client))
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(answer, self.server.result())

    def test_netcat_ends_its_direction_and_reads_on(self):
        nc = need("nc", "netcat-openbsd")
        content = payload(3 * MIB, 5)
        self.write("content", content)

        def handler(stream):
            stream.sendall(hashlib.sha256(read_all(stream)).hexdigest().encode())

        port = self.tunnel(self.serve(handler).port).port
        with open(self.path("content"), "rb") as stdin:
            done = self.run_to_end([nc, "-N", HOST, str(port)], stdin=stdin)
        self.assertEqual(0, done.returncode, done)
        self.assertEqual(hashlib.sha256(content).hexdigest(), done.stdout.decode())

    def test_end_before_the_first_byte_from_the_client(self):
        def handler(stream):
            got = read_all(stream)
            stream.sendall(b"late")
            return got

        client = self.through(handler)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(b"late", read_all(client))
        self.assertEqual(b"", self.server.result())

    def test_end_before_the_first_byte_from_the_server(self):
        def handler(stream):
            stream.shutdown(socket.SHUT_WR)
            return read_all(stream)

        client = self.through(handler)
        self.assertEqual(b"", read_all(client))
        client.sendall(b"late")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(b"late", self.server.result())

    def test_connection_without_a_byte_ends_in_order(self):
        client = self.through(read_all)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual("eof", how_it_ends(client))
        self.assertEqual(b"", self.server.result())

    def test_half_closed_connection_stays_usable(self):
        def handler(stream):
            self.assertEqual(b"", read_all(stream))
            for _ in range(20):
                stream.sendall(b"tick")
                time.sleep(0.1)

        client = self.through(handler)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(b"tick" * 20, read_all(client))


class Reset(SystemTest):
    def test_reset_by_the_client_is_a_reset_at_the_server(self):
        server = self.serve(lambda stream: (read_exactly(stream, 5), how_it_ends(stream)))
        tunnel = self.tunnel(server.port)
        client = dial(tunnel.port)
        client.sendall(b"hello")
        time.sleep(0.2)  # idle: not while anything is under way
        reset(client)
        self.assertEqual((b"hello", "reset"), server.result())
        for program in (tunnel.agent, tunnel.forwarder):
            program.stderr.expect("ended after .*connection reset")

    def test_reset_by_the_server_is_a_reset_at_the_client(self):
        def handler(stream):
            read_exactly(stream, 5)
            reset(stream)

        tunnel = self.tunnel(self.serve(handler).port)
        client = self.enterContext(dial(tunnel.port))
        client.sendall(b"hello")
        self.assertEqual("reset", how_it_ends(client))
        for program in (tunnel.agent, tunnel.forwarder):
            program.stderr.expect("ended after .*connection reset")

    def test_reset_at_once_by_the_client(self):
        seen = []
        tunnel = self.tunnel(self.serve(lambda stream: seen.append(how_it_ends(stream))).port)
        before = tunnel.descriptors()
        for _ in range(50):
            reset(dial(tunnel.port))
        self.assertTrue(eventually(lambda: all(
            count <= before[name] + 3 for name, count in tunnel.descriptors().items())),
            (before, tunnel.descriptors()))
        with dial(tunnel.port) as client:
            client.shutdown(socket.SHUT_WR)
            self.assertEqual("eof", how_it_ends(client))
        # Most never reach the server; what does must not look like an end in order.
        self.assertEqual(1, seen.count("eof"), seen)

    def test_reset_in_mid_transfer_upwards(self):
        server = self.serve(how_it_ends)
        client = dial(self.tunnel(server.port).port)
        client.sendall(payload(4 * MIB))
        reset(client)
        self.assertEqual("reset", server.result())

    def test_reset_in_mid_transfer_downwards(self):
        def handler(stream):
            stream.sendall(payload(4 * MIB))
            reset(stream)

        client = self.enterContext(dial(self.tunnel(self.serve(handler).port).port))
        self.assertEqual("reset", how_it_ends(client))

    def test_reset_after_the_other_direction_ended(self):
        def handler(stream):
            self.assertEqual(b"", read_all(stream))
            stream.sendall(b"partial answer")
            reset(stream)

        client = self.enterContext(dial(self.tunnel(self.serve(handler).port).port))
        client.shutdown(socket.SHUT_WR)
        self.assertEqual("reset", how_it_ends(client))

    def test_reset_by_the_client_while_the_server_does_not_read(self):
        stalled, go_on = threading.Event(), threading.Event()

        def handler(stream):
            stalled.wait(PATIENCE)
            broken = is_broken_soon(stream)
            go_on.wait(PATIENCE)
            return broken, how_it_ends(stream)

        server = self.serve(handler)
        client = dial(self.tunnel(server.port).port)
        block = bytes(64 * KIB)
        sent = write_until_blocked(client, lambda offset: block)
        note(f"{sent / MIB:.1f} MiB taken before the writer stalled")
        stalled.set()
        reset(client)
        time.sleep(0.5)
        go_on.set()
        self.assertEqual((True, "reset"), server.result())

    def test_reset_by_the_server_while_the_client_does_not_read(self):
        def handler(stream):
            block = bytes(64 * KIB)
            sent = write_until_blocked(stream, lambda offset: block)
            reset(stream)
            return sent

        server = self.serve(handler)
        client = self.enterContext(dial(self.tunnel(server.port).port))
        note(f"{server.result() / MIB:.1f} MiB taken before the writer stalled")
        self.assertTrue(is_broken_soon(client))
        self.assertEqual("reset", how_it_ends(client))

    def test_close_with_unread_data_is_a_reset_at_the_client(self):
        def handler(stream):
            select.select([stream], [], [], PATIENCE)  # it is there, and is not read

        client = self.enterContext(dial(self.tunnel(self.serve(handler).port).port))
        client.sendall(b"never read")
        self.assertEqual("reset", how_it_ends(client))

    def test_close_with_unread_data_is_a_reset_at_the_server(self):
        def handler(stream):
            stream.sendall(b"never read")
            return how_it_ends(stream)

        server = self.serve(handler)
        client = dial(self.tunnel(server.port).port)
        select.select([client], [], [], PATIENCE)
        client.close()
        self.assertEqual("reset", server.result())


class Refusal(SystemTest):
    def refused(self, tunnel, port, words):
        began = time.monotonic()
        self.assertEqual("reset", fate(port))
        took = time.monotonic() - began
        note(f"refused in {took * 1000:.1f} ms")
        self.assertLess(took, 2)
        for program in (tunnel.agent, tunnel.forwarder):
            program.stderr.expect(words)

    def test_refused_dial_is_a_reset_with_the_reason_in_both_logs(self):
        with reserved_port() as nobody:
            tunnel = self.tunnel(nobody)
            self.refused(tunnel, tunnel.port, "connection refused")

    def test_denied_target_is_a_reset_with_the_reason_in_both_logs(self):
        tunnel = self.tunnel(9)
        denied = self.forwarder(tunnel.broker, forwards=[f"0:{AGENT}:127.0.0.2:9"])
        self.assertEqual("reset", fate(denied.ports[0]))
        for program in (tunnel.agent, denied):
            program.stderr.expect("denied.*127.0.0.2:9 .*allow list")

    def test_unknown_name_is_a_reset_with_the_reason_in_both_logs(self):
        broker = self.broker()
        agent = self.agent(broker, allow=["nowhere.invalid:*"])
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:nowhere.invalid:22"])
        self.assertEqual("reset", fate(forwarder.ports[0]))
        for program in (agent, forwarder):
            program.stderr.expect("unreachable.*nowhere.invalid")

    def test_nothing_is_allowed_by_default(self):
        echo = self.echo_server()
        broker = self.broker()
        agent = self.agent(broker, allow=())
        agent.stderr.expect("nothing is allowed")
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:{echo.port}"])
        self.assertEqual("reset", fate(forwarder.ports[0]))
        self.assertEqual(0, echo.served)

    def test_unknown_agent_is_a_reset_at_once(self):
        broker = self.broker()
        forwarder = self.forwarder(broker, forwards=["0:nobody:22"])
        # A broker that has just started waits for agents that may be about to come back.
        self.assertEqual("reset", fate(forwarder.ports[0]))
        began = time.monotonic()
        self.assertEqual("reset", fate(forwarder.ports[0]))
        self.assertLess(time.monotonic() - began, 2)
        forwarder.stderr.expect("unknown agent: .*nobody")


class Bytes(SystemTest):
    def test_small_messages_wait_for_nothing(self):
        echo = self.echo_server()
        with dial(self.tunnel(echo.port).port) as client:
            trips = sorted(round_trip(client) for _ in range(500))
        note(f"round trip of a byte: half within {trips[250] * 1000:.2f} ms, "
             f"99 of 100 within {trips[495] * 1000:.2f} ms")
        # Far above what it takes, below the 40 ms of an ACK that is held back.
        self.assertLess(trips[250], 0.02)

    def test_single_byte_writes_arrive_in_order(self):
        echo = self.echo_server()
        data = payload(5_000, 6)
        with dial(self.tunnel(echo.port).port) as client:
            def send():
                for value in data:
                    client.sendall(bytes([value]))

            sending = Task(send)
            self.assertEqual(data, read_exactly(client, len(data)))
            sending.result()

    def test_both_directions_at_once(self):
        up, down = payload(4 * MIB, 7), payload(4 * MIB, 8)

        def exchange(stream, own):
            def send():
                stream.sendall(own)
                stream.shutdown(socket.SHUT_WR)

            sending = Task(send)
            got = read_all(stream)
            sending.result()
            return got

        server = self.serve(lambda stream: exchange(stream, down))
        with dial(self.tunnel(server.port).port) as client:
            self.assertEqual(down, exchange(client, up))
        self.assertEqual(up, server.result())

    def test_echo_of_64_mib(self):
        echo = self.echo_server()
        port = self.tunnel(echo.port).port
        data = payload(64 * MIB, 9)
        began = time.monotonic()
        self.assertTrue(echo_through(port, data))
        note(f"64 MiB there and back: {128 / (time.monotonic() - began):.0f} MiB/s")

    def test_reader_that_pauses_gets_everything_downwards(self):
        data = payload(48 * MIB, 10)
        server = self.serve(lambda stream: stream.sendall(data))
        with dial(self.tunnel(server.port).port) as client:
            time.sleep(3)
            self.assertEqual(hashlib.sha256(data).digest(),
                             hashlib.sha256(read_all(client)).digest())

    def test_reader_that_pauses_gets_everything_upwards(self):
        data = payload(48 * MIB, 11)

        def handler(stream):
            time.sleep(3)
            return hashlib.sha256(read_all(stream)).digest()

        server = self.serve(handler)
        with dial(self.tunnel(server.port).port) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual("eof", how_it_ends(client))
        self.assertEqual(hashlib.sha256(data).digest(), server.result())

    def test_urgent_data_does_no_harm(self):
        echo = self.echo_server()
        with dial(self.tunnel(echo.port).port) as client:
            round_trip(client, b"before")
            client.send(b"!", socket.MSG_OOB)
            client.sendall(b"after")
            # The urgent byte is not part of the stream, or is where SO_OOBINLINE says so.
            self.assertIn(read_exactly(client, 5), (b"after", b"!afte"))

    def test_ipv6_target(self):
        server = self.serve(lambda stream: stream.sendall(read_all(stream)), host="::1")
        broker = self.broker()
        self.agent(broker, allow=["[::1]:*"])
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:[::1]:{server.port}"])
        self.assertTrue(echo_through(forwarder.ports[0], payload(100_000, 12)))

    def test_name_as_target(self):
        server = self.serve(lambda stream: stream.sendall(read_all(stream)))
        broker = self.broker()
        self.agent(broker, allow=["localhost:*"])
        forwarder = self.forwarder(broker, forwards=[f"0:{AGENT}:localhost:{server.port}"])
        self.assertTrue(echo_through(forwarder.ports[0], payload(100_000, 13)))


if __name__ == "__main__":
    unittest.main()
