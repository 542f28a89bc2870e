"""A name server of the test's own: as much of DNS as the programs ask for."""

import contextlib
import socket
import struct
import threading

A, SRV, ANY_CLASS = 1, 33, 1
NO_SUCH_NAME = 3


def _name(text):
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def address(text):
    return A, socket.inet_aton(text)


def service(target, port, priority=0, weight=0):
    """`target` "." says that there is no such service."""
    return SRV, struct.pack(">HHH", priority, weight, port) + _name(target)


class NameServer:
    """Answers at port 53 of `host` for the names of `zone`, {name: [records]}, which may be changed
    at any time; as a context manager. While it is `silent` it answers nothing."""

    def __init__(self, zone):
        self.zone, self.silent, self.ttl, self.asked = zone, False, 60, []
        self._sockets, self._threads = [], []

    def listen(self, host):
        """In the network namespace of the calling thread."""
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((host, 53))
        thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
        self._sockets.append(server)
        self._threads.append(thread)
        thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for server in self._sockets:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for server in self._sockets:
            server.close()

    def count(self, name):
        return self.asked.count(name)

    def _serve(self, server):
        host = server.getsockname()[0]
        while True:
            try:
                query, peer = server.recvfrom(4096)
            except OSError:
                return
            if not query:
                return  # shut down
            answer = self._answer(query, host)
            if answer is not None:
                with contextlib.suppress(OSError):
                    server.sendto(answer, peer)

    def _answer(self, query, host):
        name, position = [], 12
        while query[position]:
            end = position + 1 + query[position]
            name.append(query[position + 1:end].decode().lower())
            position = end
        kind = struct.unpack_from(">H", query, position + 1)[0]
        question = query[12:position + 5]
        self.asked.append(".".join(name))
        if self.silent:
            return None
        # What is there differs by where it is asked: {name: {host: [records]}}, or for all the same.
        records = self.zone.get(".".join(name))
        code = NO_SUCH_NAME if records is None else 0
        if isinstance(records, dict):
            records = records[host]
        found = [data for its_kind, data in records or () if its_kind == kind]
        header = query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(found), 0, 0)
        return header + question + b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, ANY_CLASS, self.ttl, len(data)) + data
            for data in found)
