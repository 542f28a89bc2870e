"""Proxies that keep a copy of what they carry, and a search for secrets in what a process knows."""

import asyncio
import base64
import contextlib
import os
import re
import ssl
import threading

from harness import HOST, KIB, MIB, PATIENCE

# A secret is looked for in pieces, so that a copy of a part of it is found too.
PIECE = 16


def forms(secret):
    """What a copy of any PIECE of `secret` looks like: as it is, backwards, in hex and in base64 at
    each of its three alignments."""
    found = set()
    for start in range(0, len(secret) - PIECE + 1, PIECE):
        piece = secret[start:start + PIECE]
        found |= {piece, piece[::-1], piece.hex().encode(), piece.hex().upper().encode()}
        for shift in range(3):
            text = base64.b64encode(bytes(shift) + piece + bytes(3))
            # Without the characters that depend on what is beside the piece.
            first, end = -(-shift * 8 // 6), (shift + PIECE) * 8 // 6
            found |= {text[first:end], text[first:end].translate(bytes.maketrans(b"+/", b"-_"))}
    return found


class Search:
    """For any of these secrets, each with all its forms."""

    def __init__(self, *secrets):
        self._pattern = re.compile(b"|".join(re.escape(form)
                                             for secret in secrets for form in forms(secret)))

    def finds(self, data):
        return self._pattern.search(data) is not None


class Recording:
    """A TCP proxy in front of a broker that keeps what both sides said: `up` and `down`.

    `outer` and `inner` are TLS contexts for the two sides: with them it is what is inside the TLS
    of the broker's own connections, as the broker reads it and writes it.
    """

    def __init__(self, address, outer=None, inner=None):
        host, port = address.rsplit(":", 1)
        self._host, self._port = host, int(port)
        self._outer, self._inner = outer, inner
        self.up, self.down = bytearray(), bytearray()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, HOST, 0, ssl=self._outer))
        self.address = "%s:%d" % self._server.sockets[0].getsockname()
        return self

    def __exit__(self, *unused):
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _run(self, what):
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE)

    async def _stop(self):
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed in the next turn

    async def _serve(self, reader, writer):
        writers = [writer]
        try:
            name = "broker.culvert.internal" if self._inner else None
            there_reader, there_writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._inner, server_hostname=name)
            writers.append(there_writer)
            await asyncio.gather(self._carry(reader, there_writer, self.up),
                                 self._carry(there_reader, writer, self.down))
        except OSError:
            pass  # the programs hear of it by the end of the connection
        finally:
            for one in writers:
                one.transport.abort()

    @staticmethod
    async def _carry(reader, writer, record):
        with contextlib.suppress(OSError):
            while data := await reader.read(256 * KIB):
                record += data
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()


def contexts(broker_directory, identity):
    """The TLS of a Recording that opens a program's connection to its broker, which takes the keys
    of both: what neither a network nor a broker has."""
    outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    outer.load_cert_chain(os.path.join(broker_directory, "server.pem"),
                          os.path.join(broker_directory, "server-key.pem"))
    inner = ssl.create_default_context(cafile=os.path.join(broker_directory, "ca.pem"))
    inner.load_cert_chain(identity)
    for context in (outer, inner):
        context.set_alpn_protocols(["h2"])
    return outer, inner


def readable_memory(pid):
    """The mappings of a process that can be read, each in parts: (address, bytes)."""
    part, overlap = 4 * MIB, 64  # no form of a piece is longer
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        lines = maps.readlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in lines:
            bounds, rights = line.split()[:2]
            if not rights.startswith("r") or "[vvar" in line:  # the kernel's, never read this way
                continue
            begin, end = (int(bound, 16) for bound in bounds.split("-"))
            while begin < end:
                memory.seek(begin)
                data = memory.read(min(part, end - begin))
                if not data:
                    raise AssertionError(f"memory of {pid} at {begin:x} cannot be read")
                yield begin, data
                begin += len(data) if begin + len(data) == end else max(1, len(data) - overlap)


def files_below(directory):
    """(path, content) of every regular file."""
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    yield path, file.read()
