"""Connect, Listen and Accept over WebSockets, by a client that knows nothing of gRPC."""

import asyncio
import base64
import json
import os
import socket
import ssl
import subprocess
import threading
import unittest

import websockets

import programs
import stubs
from realm import CURL, NAME, RealmTest

PROJECT = "projects/default"
VERSIONS = ("v1", "v1alpha2")
BASE = "2"  # the capability of windows and half-close, as bits


def b64(data):
    return base64.b64encode(data).decode()


async def receive(stream):
    """The next message: ("data", {…})."""
    message = await asyncio.wait_for(stream.recv(), programs.WAIT)
    assert isinstance(message, str), message
    (kind, content), = json.loads(message).items()
    return kind, content


async def receive_kind(stream, kind):
    """The content of the next message of `kind`; others are dropped."""
    while True:
        found, content = await receive(stream)
        if found == kind:
            return content


async def end_of(stream):
    """The code and the words of the close frame; what comes before it is dropped."""
    try:
        while True:
            await asyncio.wait_for(stream.recv(), programs.WAIT)
    except websockets.ConnectionClosed as closed:
        return closed.rcvd.code, closed.rcvd.reason


def open_request(agent, **more):
    return json.dumps({"openRequest": {"project": PROJECT, "name": "someone",
                                       "providerName": agent, "service": "tcp", **more}})


def echo_at_the_end(listener):
    """Sends back what one connection has said, once it has finished saying it."""
    stream, _ = listener.accept()
    with stream:
        said = b""
        while data := stream.recv(65536):
            said += data
        stream.sendall(said)


class Target:
    def __init__(self, test):
        self.listener = socket.create_server(("127.0.0.1", 0))
        test.addCleanup(self.listener.close)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}".encode()
        self.thread = threading.Thread(target=echo_at_the_end, args=(self.listener,), daemon=True)
        self.thread.start()


async def ask_with_half_close(stream, target):
    """Half of the channel ends, and the answer comes all the same."""
    await receive_kind(stream, "openResponse")
    question = os.urandom(100_000)
    for number, start in enumerate(range(0, len(question), 10_000), 1):
        await stream.send(json.dumps({"data": {
            "id": number, "bytes": b64(question[start:start + 10_000]),
            "endOfStream": start + 10_000 >= len(question)}}))
    answer = b""
    is_over = False
    while not is_over:
        data = await receive_kind(stream, "data")
        answer += base64.b64decode(data.get("bytes", ""))
        is_over = data.get("endOfStream", False)
    assert answer == question, (len(answer), len(question))
    await stream.send(json.dumps({"ack": {"id": data["id"]}}))
    close = await receive_kind(stream, "close")
    await stream.send(json.dumps({"ack": {"id": close["id"]}}))
    target.thread.join(programs.WAIT)


class WebSocketTest(unittest.TestCase):
    """Without identities, on loopback."""

    def setUp(self):
        self.broker = programs.Program("culvert-broker", "serve", "--listen", "127.0.0.1:0",
                                       "--insecure")
        self.addCleanup(self.broker.stop)
        self.address = self.broker.wait_for(r"listening on (127\.0\.0\.1:\d+)").group(1)
        self.web = self.broker.wait_for(r"web (127\.0\.0\.1:\d+)").group(1)

    def connect(self, what, **options):
        return websockets.connect(f"ws://{self.web}/{what}", **options)

    def test_a_consumer_reaches_an_agent_and_ends_half_of_the_channel(self):
        programs.start_agent(self, self.address, "127.0.0.1:*")

        async def run(version):
            target = Target(self)
            async with self.connect(version + ":connect") as stream:
                await stream.send(open_request("edge-1", arg=b64(target.address), caps=BASE,
                                               window="4000000"))
                await ask_with_half_close(stream, target)

        for version in VERSIONS:
            with self.subTest(version=version):
                asyncio.run(run(version))

    def test_a_provider_and_a_consumer_that_both_speak_json(self):
        async def provide(listen, version):
            offer = await receive_kind(listen, "openChannelResponse")
            async with self.connect(version + ":accept") as accept:
                await accept.send(json.dumps({"openRequest": {
                    "project": PROJECT, "name": "web-1", "sessionId": self.session,
                    "channelId": offer["channelId"]}}))
                data = await receive_kind(accept, "data")
                said = base64.b64decode(data["bytes"])
                await accept.send(json.dumps({"data": {"id": "1", "bytes": b64(said[::-1])}}))
                await receive_kind(accept, "close")
                await accept.send(json.dumps({"ack": {"id": "2"}}))

        async def run(version):
            async with self.connect(version + ":listen") as listen:
                await listen.send(json.dumps({"openRequest": {"project": PROJECT,
                                                              "name": "web-1"}}))
                self.session = (await receive_kind(listen, "listening"))["sessionId"]
                provider = asyncio.create_task(provide(listen, version))
                async with self.connect(version + ":connect") as stream:
                    await stream.send(open_request("web-1", arg=b64(b"localhost:7")))
                    await receive_kind(stream, "openResponse")
                    await stream.send(json.dumps({"data": {"id": "1", "bytes": b64(b"abc")}}))
                    data = await receive_kind(stream, "data")
                    self.assertEqual(base64.b64decode(data["bytes"]), b"cba")
                    await stream.send(json.dumps({"close": {"id": "2"}}))
                    await receive_kind(stream, "ack")
                    await provider
                # Both have left, the one after the other, and the broker has said nothing else.
                self.assertEqual((stream.close_code, stream.close_reason), (1000, ""))

        for version in VERSIONS:
            with self.subTest(version=version):
                asyncio.run(run(version))

    def test_binary_messages_are_protobuf(self):
        programs.start_agent(self, self.address, "127.0.0.1:*")
        pb = stubs.V1.pb
        target = Target(self)

        async def run():
            async with self.connect("v1:connect") as stream:
                await stream.send(pb.ConnectRequest(open_request=pb.ConnectRequest.OpenRequest(
                    project=PROJECT, name="someone", provider_name="edge-1", service="tcp",
                    arg=target.address)).SerializeToString())
                answer = await asyncio.wait_for(stream.recv(), programs.WAIT)
                self.assertIsInstance(answer, bytes)
                self.assertTrue(pb.ConnectResponse.FromString(answer).HasField("open_response"))
                await stream.send(pb.ConnectRequest(data=pb.Data(id=1, bytes=b"x"))
                                  .SerializeToString())
                await stream.send(pb.ConnectRequest(close=pb.Close(id=2)).SerializeToString())
                acked = 0
                while acked < 2:
                    message = pb.ConnectResponse.FromString(
                        await asyncio.wait_for(stream.recv(), programs.WAIT))
                    acked = max(acked, message.ack.id)

        asyncio.run(run())

    def test_why_a_stream_ended_is_in_the_close_frame(self):
        async def ending(message, what="v1:connect"):
            async with self.connect(what) as stream:
                await stream.send(message)
                return await end_of(stream)

        rows = (
            ("{", 1007, "JSON of a ConnectRequest"),
            ('{"nothing": 1}', 1007, "nothing"),
            ("{}", 4003, ""),
            (b"\xff\xff\xff", 4003, ""),
            ('{"ping": {}}', 4003, ""),
            (open_request("nobody", arg=b64(b"localhost:7")), 4005, "nobody"),
        )
        for message, code, words in rows:
            with self.subTest(message=message):
                got, reason = asyncio.run(ending(message))
                self.assertEqual(got, code, reason)
                self.assertIn(words, reason)

    def test_frames_that_break_the_protocol_end_it(self):
        def shake():
            raw = socket.create_connection(("127.0.0.1", int(self.web.split(":")[1])), timeout=20)
            raw.sendall(b"GET /v1:connect HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                        b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += raw.recv(1)
            self.assertIn(b" 101 ", head)
            self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head)
            return raw

        mask = b"\0\0\0\0"
        rows = (
            ("not masked", b"\x81\x02{}", 1002),
            ("a bit of no extension", b"\xc1\x82" + mask + b"{}", 1002),
            ("no such opcode", b"\x83\x80" + mask, 1002),
            ("a long ping", b"\x89\xfe\x00\x7e" + mask + b"x" * 126, None),
            ("goes on with nothing", b"\x80\x80" + mask, 1002),
            ("no UTF-8", b"\x81\x81" + mask + b"\xff", 1007),
            ("too long", b"\x82\xff" + (1 << 21).to_bytes(8, "big") + mask + b"x", 1009),
        )
        for what, frame, code in rows:
            with self.subTest(what=what), shake() as raw:
                raw.sendall(frame)
                answer = b""
                while part := raw.recv(4096):
                    answer += part
                self.assertEqual(answer[0], 0x88, answer)
                got = int.from_bytes(answer[2:4], "big") or None
                self.assertEqual(got, code, answer)
        with self.subTest(what="a ping"), shake() as raw:
            raw.sendall(b"\x89\x82" + mask + b"hi")
            self.assertEqual(raw.recv(4), b"\x8a\x02hi")

    def test_pages_of_browsers_open_nothing(self):
        for field in ("Origin: http://localhost", "Host: rebound.example", "Host: 10.0.0.1"):
            done = subprocess.run(
                [CURL, "-sS", "-i", "-H", field, "-H", "Upgrade: websocket", "-H",
                 "Connection: Upgrade", "-H", "Sec-WebSocket-Version: 13", "-H",
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"http://{self.web}/v1:connect"],
                capture_output=True, check=True, timeout=programs.WAIT)
            self.assertRegex(done.stdout.decode(), "^HTTP/1.1 403 ")

    def test_without_a_handshake_there_is_none(self):
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        rows = (
            ([], 426),
            (["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 8", key], 426),
            (["Upgrade: websocket", "Connection: close", "Sec-WebSocket-Version: 13", key], 426),
            (["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"], 400),
            (["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
              "Sec-WebSocket-Key: eA=="], 400),
        )
        for fields, code in rows:
            arguments = [word for field in fields for word in ("-H", field)]
            done = subprocess.run([CURL, "-sS", "-i", *arguments, f"http://{self.web}/v1:connect"],
                                  capture_output=True, check=True, timeout=programs.WAIT)
            self.assertRegex(done.stdout.decode(), f"^HTTP/1.1 {code} ")
        done = subprocess.run([CURL, "-sS", "-i", f"http://{self.web}/v1:connect?name=a"],
                              capture_output=True, check=True, timeout=programs.WAIT)
        self.assertRegex(done.stdout.decode(), "^HTTP/1.1 400 ")

    def test_a_channel_ends_where_its_websocket_is_cut(self):
        programs.start_agent(self, self.address, "127.0.0.1:*")
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(programs.WAIT)
        target = f"127.0.0.1:{listener.getsockname()[1]}".encode()

        async def run():
            async with self.connect("v1:connect") as stream:
                await stream.send(open_request("edge-1", arg=b64(target)))
                await receive_kind(stream, "openResponse")
                stream.transport.abort()

        asyncio.run(run())
        connection, _ = listener.accept()
        with connection, self.assertRaises(ConnectionResetError):
            connection.settimeout(programs.WAIT)
            connection.recv(1)


class SecureWebSocketTest(RealmTest):
    """With identities."""

    def connect(self, what, identity=None, token=None):
        context = ssl.create_default_context(cafile=self.ca)
        if identity is not None:
            context.load_cert_chain(identity)
        headers = {"Authorization": "Bearer " + token} if token else {}
        return websockets.connect(f"wss://{NAME}:{self.web_port}/{what}", ssl=context,
                                  server_hostname=NAME, host="127.0.0.1", port=self.web_port,
                                  extra_headers=headers)

    def start_agent(self, *arguments):
        state = self.enrol("edge-1", role="agent")
        agent = programs.Program("culvert-agent", "run", "--state-dir", state, "--allow",
                                 "127.0.0.1:*", *arguments)
        self.addCleanup(agent.stop)
        agent.wait_for("registered as")

    def test_a_token_carries_a_channel(self):
        self.start_agent("--plaintext")
        self.add_service_account()
        target = Target(self)

        async def run():
            async with self.connect("v1:connect", token=self.token()) as stream:
                await stream.send(open_request("edge-1", name="ci", arg=b64(target.address),
                                               caps=BASE, window="4000000"))
                await ask_with_half_close(stream, target)

        asyncio.run(run())

    def test_a_certificate_carries_a_channel_until_its_key_is_revoked(self):
        self.start_agent("--plaintext")
        identity = os.path.join(self.enrol("alice"), "identity.pem")
        self.admin("policy", "allow", "--user", "alice")
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        target = f"127.0.0.1:{listener.getsockname()[1]}".encode()

        async def run():
            async with self.connect("v1:connect", identity) as stream:
                await stream.send(open_request("edge-1", name="alice", arg=b64(target)))
                await receive_kind(stream, "openResponse")
                self.admin("revoke", "--user", "alice")
                return await end_of(stream)

        code, words = asyncio.run(run())
        self.assertEqual((code, "revoked" in words), (4007, True), words)

    def test_nobody_and_who_is_somebody_else_are_refused(self):
        identity = os.path.join(self.enrol("alice"), "identity.pem")

        async def ending(*who, name):
            async with self.connect("v1:connect", *who) as stream:
                await stream.send(open_request("edge-1", name=name, arg=b64(b"localhost:7")))
                return await end_of(stream)

        with self.assertRaisesRegex(Exception, "401"):
            asyncio.run(ending(name="alice"))
        self.assertEqual(asyncio.run(ending(identity, name="bob"))[0], 4007)


if __name__ == "__main__":
    unittest.main()
