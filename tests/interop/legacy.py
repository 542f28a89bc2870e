"""A consumer and a provider written from the public protos alone."""

import queue
import threading

import grpc

PROJECT = "projects/default"
LIMIT = 30  # seconds that a stream may live

_END = object()


def only_known(message):
    """`message`, which must hold no field that its proto does not know."""
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise AssertionError("a legacy peer was sent a field that it does not know")
    return message


class Stream:
    """A bidirectional stream that is written from any thread."""

    def __init__(self, method, request_type, metadata=None):
        self._out = queue.Queue()
        self._type = request_type
        self._responses = method(iter(self._out.get, _END), timeout=LIMIT, metadata=metadata)

    def send(self, **member):
        self._out.put(self._type(**member))

    def finish(self):
        """No more will be sent."""
        self._out.put(_END)

    def cancel(self):
        self._responses.cancel()
        self.finish()

    def receive(self):
        """The next message, None at an orderly end. grpc.RpcError otherwise."""
        message = next(self._responses, None)
        return None if message is None else only_known(message)

    def end(self):
        """Waits for the end: its status code."""
        try:
            while self.receive() is not None:
                pass
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK


class Channel:
    """One end of a channel: numbers what it sends, checks the numbers of what it gets."""

    def __init__(self, pb, stream):
        self._pb = pb
        self.stream = stream
        self.sent = 0
        self.received = 0

    def send_data(self, data, ack_required=False):
        self.sent += 1
        self.stream.send(data=self._pb.Data(id=self.sent, bytes=data, ack_required=ack_required))

    def send_close(self):
        self.sent += 1
        self.stream.send(close=self._pb.Close(id=self.sent))

    def send_ack(self):
        self.stream.send(ack=self._pb.Ack(id=self.received))

    def receive(self):
        """("data", bytes, ack_required), ("ack", id), ("close",), ("error", text) or None."""
        message = self.stream.receive()
        if message is None:
            return None
        kind = message.WhichOneof("message")
        body = getattr(message, kind)
        if kind == "ack":
            return kind, body.id
        if kind in ("data", "close", "error"):
            self.received += 1
            if body.id != self.received:
                raise AssertionError(f"{kind} {body.id} after {self.received - 1}")
        if kind == "data":
            return kind, body.bytes, body.ack_required
        return (kind, body.message) if kind == "error" else (kind,)

    def receive_ack(self, number):
        """Waits until everything up to `number` is acknowledged, and nothing beyond it."""
        acked = 0
        while acked < number:
            acked = self.receive_kind("ack")[1]
        if acked != number:
            raise AssertionError(f"ack {acked}, expected {number}")

    def receive_kind(self, kind):
        """The next message of `kind`; others are dropped."""
        while True:
            message = self.receive()
            if message is None:
                raise AssertionError(f"stream ended without {kind}")
            if message[0] == kind:
                return message


class Consumer:
    """Opens channels."""

    def __init__(self, version, broker, channel=None, name="legacy", metadata=None):
        self._pb = version.pb
        self._name = name
        self._metadata = metadata
        self._channel = channel or grpc.insecure_channel(broker)
        self._stub = version.grpc.BrokerServiceStub(self._channel)

    def close(self):
        self._channel.close()

    def open(self, provider, service, arg=b""):
        """The channel. AssertionError with the message of a channel_open_error."""
        stream = Stream(self._stub.Connect, self._pb.ConnectRequest, self._metadata)
        request = self._pb.ConnectRequest.OpenRequest(
            project=PROJECT, name=self._name, provider_name=provider, service=service, arg=arg
        )
        stream.send(open_request=request)
        answer = stream.receive()
        if not answer.HasField("open_response"):
            raise ConnectionRefusedError(answer.channel_open_error.message)
        return Channel(self._pb, stream)


class Provider:
    """Offers services: functions that are called with each channel and its arg, on a thread."""

    def __init__(self, version, broker, name, services):
        self._pb = version.pb
        self._name = name
        self._services = services
        self._threads = []
        self.failures = []
        self._channel = grpc.insecure_channel(broker)
        self._stub = version.grpc.BrokerServiceStub(self._channel)
        self._listen = Stream(self._stub.Listen, self._pb.ListenRequest)
        request = self._pb.ListenRequest.OpenRequest(project=PROJECT, name=name)
        self._listen.send(open_request=request)
        self._session = self._listen.receive().listening.session_id
        self._start(self._serve)

    def close(self):
        """Ends in order; raises what a service raised."""
        self._listen.finish()
        for thread in self._threads:
            thread.join()
        self._channel.close()
        if self.failures:
            raise self.failures[0]

    def _start(self, function, *arguments):
        def guarded():
            try:
                function(*arguments)
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(error)

        thread = threading.Thread(target=guarded)
        self._threads.append(thread)
        thread.start()

    def _serve(self):
        while (message := self._listen.receive()) is not None:
            offer = message.open_channel_response
            service = self._services.get(offer.service)
            if service is None:
                refusal = self._pb.ListenRequest.ChannelOpenError(
                    channel_id=offer.channel_id, message=f"no service {offer.service}"
                )
                self._listen.send(channel_open_error=refusal)
            else:
                self._start(service, self._accept(offer.channel_id), offer.arg)

    def _accept(self, channel_id):
        stream = Stream(self._stub.Accept, self._pb.AcceptRequest)
        request = self._pb.AcceptRequest.OpenRequest(
            project=PROJECT, name=self._name, session_id=self._session, channel_id=channel_id
        )
        stream.send(open_request=request)
        return Channel(self._pb, stream)


def serve_ping(channel, _arg):
    """Answers each PING with PONG until the consumer closes."""
    while True:
        message = channel.receive()
        if message is None or message[0] == "close":
            channel.send_ack()
            channel.stream.finish()
            channel.stream.end()
            return
        if message[0] == "data":
            assert message[1] == b"PING", message
            channel.send_data(b"PONG")
            channel.send_ack()
