"""What the system tests share: the three programs, servers beside the agent, and TCP endpoints.

The programs are found through CULVERT_BIN_DIR, which CTest sets. Every port is chosen by the
kernel, every wait has an end, and only processes that were started here are killed.
"""

import contextlib
import hashlib
import os
import queue
import random
import re
import resource
import select
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HOST = "127.0.0.1"
AGENT = "edge-1"

# For whatever has to happen soon on a busy machine; no test waits this long when all is well.
PATIENCE = 30.0

KIB = 1024
MIB = 1024 * 1024


def raise_descriptor_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


raise_descriptor_limit()


# --- small things ---


def note(text):
    """A measured value, for the record."""
    print(f"  {text}", flush=True)


def payload(size, seed=1):
    source = random.Random(seed)
    return b"".join(source.randbytes(min(64 * MIB, size - start))
                    for start in range(0, size, 64 * MIB))


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def eventually(predicate, timeout=PATIENCE, interval=0.02):
    """The first true value of `predicate`, or its last one when the time is over."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(interval)


def need(program, package, where=None):
    """The path of a program that a Debian package brings; fails the test if it is not there."""
    found = shutil.which(program, path=where or os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise AssertionError(f"{program} is missing: install the Debian package {package}")
    return found


def binary(name):
    directory = os.environ.get("CULVERT_BIN_DIR")
    if not directory:
        raise AssertionError("CULVERT_BIN_DIR is not set: it names the directory of the programs")
    path = os.path.join(directory, name)
    if not os.access(path, os.X_OK):
        raise AssertionError(f"{path} is missing: build the programs first")
    return path


def sanitized():
    """Whether the programs are built with AddressSanitizer, whose memory is no measure of ours."""
    with open(binary("culvert"), "rb") as file:
        return b"__asan_init" in file.read()


@contextlib.contextmanager
def reserved_port(host=HOST):
    """A port for a server that cannot ask the kernel for one.

    It stays bound without listening: nobody else is given it, a server that sets SO_REUSEADDR may
    listen on it, and until then connections to it are refused.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, 0))
        yield holder.getsockname()[1]


# --- processes ---


class Output:
    """The lines that a process has printed so far."""

    def __init__(self, pipe):
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        with pipe:
            for line in pipe:
                with self._changed:
                    self.lines.append(line.decode(errors="replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def position(self):
        with self._changed:
            return len(self.lines)

    def expect(self, pattern, timeout=PATIENCE, start=0):
        """The match of the first line from `start` on that has `pattern`."""
        wanted = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                while start < len(self.lines):
                    if match := wanted.search(self.lines[start]):
                        return match
                    start += 1
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "the process ended" if self._ended else f"{timeout} s went by"
                    raise AssertionError(f"{why} without a line with {pattern!r}")
                self._changed.wait(left)

    def count(self, pattern):
        wanted = re.compile(pattern)
        with self._changed:
            return sum(1 for line in self.lines if wanted.search(line))

    def finish(self):
        self._thread.join(PATIENCE)


class Process:
    """A child process whose output is read all the time. As a context manager it ends with it."""

    def __init__(self, argv, name=None, env=None, **options):
        self.name = name or os.path.basename(argv[0])
        self.argv = argv
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=env, **options)
        self.pid = self._child.pid
        self.stdout = Output(self._child.stdout)
        self.stderr = Output(self._child.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.kill()

    @property
    def returncode(self):
        return self._child.poll()

    def signal(self, number):
        self._child.send_signal(number)

    def kill(self):
        if self._child.poll() is None:
            self._child.kill()
        self.wait()

    def wait(self, timeout=PATIENCE):
        """The exit code; output is complete afterwards."""
        try:
            code = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {timeout} s") from None
        self.stdout.finish()
        self.stderr.finish()
        return code

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self):
        """Bytes of memory that the process occupies."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * KIB
        return 0

    def report(self, limit=40):
        lines = [f"--- {self.name} (pid {self.pid}, exit code {self.returncode}): "
                 + " ".join(self.argv)]
        for label, output in (("out", self.stdout), ("err", self.stderr)):
            kept = output.lines[-limit:]
            if len(output.lines) > limit:
                lines.append(f"{label}: ... {len(output.lines) - limit} lines before")
            lines += [f"{label}: {line}" for line in kept]
        return "\n".join(lines)


class SystemTest(unittest.TestCase):
    """A test with a directory of its own, and the output of its processes shown if it fails."""

    # Whether the programs enrol and encrypt, as users have them, or run with --insecure.
    secure = True

    # What carries connections: None is what users have, which begins on streams and moves to
    # stitched paths as soon as it can; "stream" stays there; "stitched" begins on stitched ones.
    # CTest runs some topics once for each.
    carried_by = os.environ.get("CULVERT_CARRIED_BY")

    def run(self, result=None):
        self.processes = []
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"\n=== processes of {self.id()}", file=sys.stderr)
            for process in self.processes:
                print(process.report(), file=sys.stderr)
            sys.stderr.flush()

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="culvert-test-"))
        self.broker_directories = {}  # by address
        self.keys = {}  # of those who enrolled, by name
        # Nothing of the user's or the machine's configuration counts.
        self.write("empty.toml", "")
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("CULVERT_", "XDG_", "PG", "GIT_", "SSH_"))}
        self.env |= {"HOME": self.directory, "LC_ALL": "C.UTF-8",
                     "CULVERT_CONFIG": self.path("empty.toml")}
        if self.carried_by == "stream":
            self.env["CULVERT_PATH"] = "stream"

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        """Replaces the file as an editor does: whoever reads it sees the old one or the new one."""
        data = content if isinstance(content, bytes) else content.encode()
        with open(self.path(name + ".new"), "wb") as file:
            file.write(data)
        os.rename(self.path(name + ".new"), self.path(name))
        return self.path(name)

    # Everything below is ended with the test, the last one started first.

    def start(self, argv, **options):
        options.setdefault("env", self.env)
        process = self.enterContext(Process(argv, **options))
        self.processes.append(process)
        return process

    def run_to_end(self, argv, timeout=PATIENCE, stdin=subprocess.DEVNULL, env=None, **options):
        """Runs a command: a CompletedProcess with bytes. What it printed is in its repr."""
        return subprocess.run(argv, stdin=stdin, capture_output=True, timeout=timeout,
                              env=env or self.env, check=False, **options)

    def start_piped(self, argv):
        """A Popen with pipes at all three ends, for a test that drives them itself."""
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=self.env)

        def end():
            if child.poll() is None:
                child.kill()
            with contextlib.suppress(ValueError):  # communicate closed the pipes
                child.communicate(timeout=PATIENCE)

        self.addCleanup(end)
        return child

    def broker(self, *args, listen=f"{HOST}:0"):
        """One that comes back at the address of another one comes back with its state."""
        directory = self.broker_directories.get(listen, f"broker{len(self.broker_directories)}")
        process = self.start([binary("culvert-broker"), "serve", "--listen", listen,
                              *self.credentials(directory), *args])
        process.address = process.stdout.expect(r"^listening on (\S+)$")[1]
        process.directory = self.broker_directories[process.address] = directory
        return process

    def credentials(self, directory):
        """The flags of a program: where its identity is, or that it needs none."""
        flags = ["--state-dir", self.path(directory)]
        return flags if self.secure else [*flags, "--insecure"]

    def command(self, *argv):
        """A command that must succeed: what it printed."""
        done = self.run_to_end(argv)
        self.assertEqual((0, b""), (done.returncode, done.stderr), done)
        return done.stdout.decode()

    def admin(self, broker, *args):
        return self.command(binary("culvert-broker"), *args, "--state-dir",
                            self.path(broker.directory))

    def enrol(self, broker, role, name):
        """Gives a program its identity, unless it has one: its state directory."""
        directory = f"{broker.directory}-{role}-{name}"
        if not self.secure or os.path.exists(os.path.join(self.path(directory), "identity.pem")):
            return directory
        token = self.write(f"{name}.token", self.admin(broker, "token", "create", f"--{role}", name))
        program = "culvert-agent" if role == "agent" else "culvert"
        said = self.command(binary(program), "enroll", "--broker", broker.address, "--token-file",
                            token, "--state-dir", self.path(directory))
        self.keys[name] = re.search(r"^key id: (\S+)$", said, re.MULTILINE)[1]
        if role == "user":
            self.admin(broker, "policy", "allow", "--user", name, "--agent", "*", "--service",
                       "tcp", "--target", "*:*")
        return directory

    def enrol_user(self, broker, name="alice"):
        """One who may reach everything that the agents allow, and knows the agent."""
        self.enrol(broker, "agent", AGENT)
        directory = self.enrol(broker, "user", name)
        if self.secure and AGENT in self.keys:
            self.command(binary("culvert"), "known-agents", "add", AGENT, self.keys[AGENT],
                         "--state-dir", self.path(directory))
        return directory

    def agent(self, broker, *args, name=AGENT, allow=(f"{HOST}:*",), registered=True):
        """Waits until it is registered."""
        directory = self.enrol(broker, "agent", name)
        rules = [word for rule in allow for word in ("--allow", rule)]
        process = self.start([binary("culvert-agent"), "run", "--broker", broker.address, "--name",
                              name, *self.credentials(directory), *rules, *args])
        if registered:
            process.stderr.expect(" registered as ")
        return process

    def forwarder(self, broker, *args, forwards=()):
        """Waits until it is ready: `ports` are its local ports, in the order of `forwards`."""
        directory = self.enrol_user(broker)
        flags = [word for spec in forwards for word in ("-L", spec)]
        process = self.start([binary("culvert"), "forward", "--broker", broker.address,
                              *self.credentials(directory), *flags, *args])
        process.ports = []
        for index in range(len(forwards)):
            ready = process.stdout.expect(r"^forwarding \S+:(\d+) -> ", start=index)
            process.ports.append(int(ready[1]))
        return process

    def connect_command(self, broker, *args):
        return [binary("culvert"), "connect", "--broker", broker.address,
                *self.credentials(self.enrol_user(broker)), *args]

    def tunnel(self, *targets, broker=(), agent=(), forwarder=()):
        """The three programs: a Tunnel with a local port for each target, which is a port or a
        HOST:PORT beside the agent."""
        return Tunnel(self, targets, broker, agent, forwarder)

    def serve(self, handler, host=HOST):
        return self.enterContext(TcpServer(handler, host))

    def echo_server(self):
        return self.enterContext(EchoServer())


class Tunnel:
    def __init__(self, test, targets, broker_args, agent_args, forwarder_args):
        self.broker = test.broker(*broker_args)
        self.agent = test.agent(self.broker, *agent_args)
        forwards = [f"0:{AGENT}:{target}" for target in targets]
        echo = test.echo_server() if test.carried_by == "stitched" else None
        if echo:
            forwards.append(f"0:{AGENT}:{echo.port}")
        self.forwarder = test.forwarder(self.broker, *forwarder_args, forwards=forwards)
        self.ports = self.forwarder.ports
        if echo:
            self._park(self.ports.pop())

    def _park(self, echo_port):
        """Has both ends leave connections at the data port, for the channels that come."""
        def parked():
            with dial(echo_port) as stream:
                stream.sendall(b"x")
                read_exactly(stream, 1)
            return len(connections(self.data_port)) >= 8

        if not eventually(parked, interval=0.1):
            raise AssertionError("no connections were parked")

    @property
    def port(self):
        return self.ports[0]

    @property
    def programs(self):
        return {"broker": self.broker, "agent": self.agent, "forwarder": self.forwarder}

    def descriptors(self):
        """Without what may be parked at the data port, which comes and goes with use."""
        return {name: program.descriptors() - min(self._data_connections(program),
                                                  MOST_PARKED * (2 if name == "broker" else 1))
                for name, program in self.programs.items()}

    def _data_connections(self, program):
        inodes = connections(self.data_port)
        return sum(1 for number in os.listdir(f"/proc/{program.pid}/fd")
                   if link_of(f"/proc/{program.pid}/fd/{number}") in inodes)

    @property
    def data_port(self):
        return int(self.broker.stdout.expect(r"^data port (\d+)$")[1])

    def resident(self):
        return {name: program.resident() for name, program in self.programs.items()}


# --- TCP endpoints ---

RESETS = (ConnectionResetError, BrokenPipeError)


def dial(port, host=HOST, timeout=PATIENCE):
    stream = socket.create_connection((host, port), timeout)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


# What one program leaves at the data port at most.
MOST_PARKED = 64


def connections(port):
    """The ends on this machine of the connections at a port: {"socket:[1234]"}, by their inodes."""
    ends = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                local, remote, state = fields[1:4]
                if state == "01" and f"{port:04X}" in (local[-4:], remote[-4:]):
                    ends.add(f"socket:[{fields[9]}]")
    return ends


def link_of(path):
    """Where a symbolic link leads; nothing if it is gone."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def reset(stream):
    """Closes with an RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


def read_all(stream):
    """Every byte up to the end of the stream."""
    parts = []
    while part := stream.recv(256 * KIB):
        parts.append(part)
    return b"".join(parts)


def read_exactly(stream, size):
    data = bytearray()
    while len(data) < size:
        part = stream.recv(min(size - len(data), 256 * KIB))
        if not part:
            raise AssertionError(f"the stream ended after {len(data)} of {size} bytes")
        data += part
    return bytes(data)


def how_it_ends(stream):
    """Reads to the end: "eof" or "reset"."""
    try:
        while stream.recv(256 * KIB):
            pass
    except RESETS:
        return "reset"
    return "eof"


def fate(port, host=HOST):
    """Dials and reads to the end: "eof" or "reset", which may come before the dial is over."""
    try:
        with dial(port, host) as stream:
            return how_it_ends(stream)
    except ConnectionRefusedError:
        raise
    except RESETS:
        return "reset"


def is_broken_soon(stream, timeout=PATIENCE):
    """Whether a stream that is not read learns of a reset."""
    poller = select.poll()
    poller.register(stream, 0)  # errors and hang-ups are always told
    return bool(poller.poll(timeout * 1000))


def write_until_blocked(stream, source, quiet=1.0):
    """Writes what `source(offset)` gives until the other end takes nothing for `quiet` seconds.
    Returns how many bytes went out."""
    stream.setblocking(False)
    poller = select.poll()
    poller.register(stream, select.POLLOUT)
    sent = 0
    while poller.poll(quiet * 1000):
        sent += stream.send(source(sent))
    stream.settimeout(PATIENCE)
    return sent


class Task:
    """A function on a thread. `result` waits for it and passes an exception on."""

    def __init__(self, function, *args):
        self._result = queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(function, args), daemon=True)
        self._thread.start()

    def _run(self, function, args):
        try:
            self._result.put((function(*args), None))
        except BaseException as error:  # pylint: disable=broad-except
            self._result.put((None, error))

    def result(self, timeout=PATIENCE):
        try:
            value, error = self._result.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no result in {timeout} s") from None
        if error is not None:
            raise error
        return value


class TcpServer:
    """Runs `handler(stream)` on a thread for each connection and closes the stream after it."""

    def __init__(self, handler, host=HOST):
        self._handler = handler
        self._results = queue.Queue()
        self._streams = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=1024)
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *unused):
        # Wakes the thread in accept, which close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for stream in self._streams:
            with contextlib.suppress(OSError):
                reset(stream)

    def _accept(self):
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            stream.settimeout(PATIENCE)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._streams.append(stream)
            threading.Thread(target=self._run, args=(stream,), daemon=True).start()

    def _run(self, stream):
        outcome = (None, None)
        try:
            outcome = (self._handler(stream), None)
        except BaseException as error:  # pylint: disable=broad-except
            outcome = (None, error)
        with contextlib.suppress(OSError):
            stream.close()
        self._results.put(outcome)

    def result(self, timeout=PATIENCE):
        """What the handler returned for the next connection that it is done with."""
        try:
            value, error = self._results.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no connection was served in {timeout} s") from None
        if error is not None:
            raise error
        return value


class EchoServer:
    """Sends back what it gets, for thousands of connections on one thread."""

    CHUNK = 64 * KIB

    def __init__(self):
        self._listener = socket.create_server((HOST, 0), backlog=4096)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.open = 0
        self.served = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._wake.send(b"x")
        self._thread.join(PATIENCE)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake.close()

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._pump(key.fileobj, key.data)

    def _accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                stream, _ = self._listener.accept()
                stream.setblocking(False)
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._selector.register(stream, selectors.EVENT_READ, bytearray())
                self.open += 1
                self.served += 1

    def _pump(self, stream, waiting):
        try:
            if not waiting:
                data = stream.recv(self.CHUNK)
                if not data:
                    self._close(stream)
                    return
                waiting += data
            sent = stream.send(waiting)
            del waiting[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._close(stream)
            return
        wanted = selectors.EVENT_WRITE if waiting else selectors.EVENT_READ
        if self._selector.get_key(stream).events != wanted:
            self._selector.modify(stream, wanted, waiting)

    def _close(self, stream):
        self._selector.unregister(stream)
        stream.close()
        self.open -= 1


def echo_through(port, data, host=HOST):
    """Sends `data` to an echo server while reading it back, and ends in order. True if what came
    back is the same."""
    with dial(port, host) as stream:
        def send():
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)

        sending = Task(send)
        back = read_all(stream)
        sending.result()
        return back == data


def round_trip(stream, data=b"x"):
    """Seconds until an echo of `data` was back."""
    began = time.monotonic()
    stream.sendall(data)
    if read_exactly(stream, len(data)) != data:
        raise AssertionError("the echo differs")
    return time.monotonic() - began
