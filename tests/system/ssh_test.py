"""A real OpenSSH server behind the agent: sessions, copies, git, and the end of standard input."""

import os
import pwd
import select
import signal
import subprocess
import termios
import time
import unittest

from harness import (AGENT, HOST, KIB, MIB, PATIENCE, SystemTest, eventually, need, note, payload,
                     reserved_port, sha256_of)

TRANSFER = 120.0  # seconds; for the longest copy


class SshTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.sshd = need("sshd", "openssh-server")
        for program in ("ssh", "scp", "sftp", "ssh-keygen"):
            need(program, "openssh-client")
        self.start_server()
        self.ssh_tunnel = self.tunnel(self.server_port)
        self.write_client_config()

    # --- the server: own keys, own configuration, loopback ---

    def start_server(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # what privilege separation needs
        for name in ("host_key", "user_key"):
            made = self.run_to_end(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                                    self.path(name)])
            self.assertEqual(0, made.returncode, made)
        self.server_port = self.enterContext(reserved_port())
        self.write("sshd_config", f"""
ListenAddress {HOST}:{self.server_port}
HostKey {self.path("host_key")}
AuthorizedKeysFile {self.path("user_key.pub")}
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
PidFile none
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
""")
        server = self.start([self.sshd, "-D", "-e", "-f", self.path("sshd_config")], name="sshd")
        server.stderr.expect(f"Server listening on {HOST} port {self.server_port}")

    # --- the client: `edge-1` goes through the forwarder, `proxied` by culvert connect ---

    def write_client_config(self):
        with open(self.path("host_key.pub"), encoding="ascii") as key:
            kind, blob = key.read().split()[:2]
        self.write("known_hosts", f"{AGENT} {kind} {blob}\n")
        self.write("ssh_config", f"""
Host *
  HostKeyAlias {AGENT}
  UserKnownHostsFile {self.path("known_hosts")}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  IdentityFile {self.path("user_key")}
  IdentitiesOnly yes
  IdentityAgent none
  BatchMode yes
  ControlMaster no
  LogLevel ERROR
  User {pwd.getpwuid(os.geteuid()).pw_name}
""")

    def client(self, program, *args):
        return [program, "-F", self.path("ssh_config"), *args]

    def ssh(self, *args):
        return self.client("ssh", "-p", str(self.ssh_tunnel.port), *args)

    def check(self, argv, **options):
        """Runs a command that has to succeed; returns what it wrote."""
        options.setdefault("timeout", TRANSFER)
        done = self.run_to_end(argv, **options)
        self.assertEqual(0, done.returncode, done.stderr.decode(errors="replace"))
        return done.stdout

    def make_file(self, name, size, seed=1):
        return self.write(name, payload(size, seed))


class Session(SshTest):
    def test_exit_code_and_both_outputs_pass_through(self):
        done = self.run_to_end(self.ssh(HOST, "echo to-out; echo to-err >&2; exit 7"))
        self.assertEqual((7, b"to-out\n", b"to-err\n"),
                         (done.returncode, done.stdout, done.stderr))
        self.ssh_tunnel.forwarder.stderr.expect(f"{AGENT} {HOST}:{self.server_port}: ended after "
                                                r".* bytes sent, \d+ received: ")

    def test_proxy_command(self):
        content = payload(8 * MIB, 2)
        command = " ".join(self.connect_command(self.ssh_tunnel.broker, "%h:%p"))
        argv = self.client("ssh", "-p", str(self.server_port), "-o", f"ProxyCommand={command}",
                           AGENT)
        done = self.run_to_end(argv + ["exit 7"])
        self.assertEqual((7, b"", b""), (done.returncode, done.stdout, done.stderr))
        path = self.write("content", content)
        with open(path, "rb") as stdin:
            self.assertEqual(content, self.check(argv + ["cat"], stdin=stdin))

    def test_standard_input_ends_and_the_answer_comes(self):
        content = payload(32 * MIB, 3)
        path = self.write("content", content)
        with open(path, "rb") as stdin:
            self.assertEqual(content, self.check(self.ssh(HOST, "cat"), stdin=stdin))
        with open(path, "rb") as stdin:
            digest = self.check(self.ssh(HOST, "sha256sum"), stdin=stdin).split()[0].decode()
        self.assertEqual(sha256_of(path), digest)

    def test_a_remote_file_is_read_whole(self):
        path = self.make_file("content", 32 * MIB, 4)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), self.check(self.ssh(HOST, f"cat {path}")))

    def test_keys_change_in_mid_transfer(self):
        content = payload(24 * MIB, 5)
        path = self.write("content", content)
        with open(path, "rb") as stdin:
            argv = self.ssh("-v", "-o", "RekeyLimit=1M", HOST, "cat")
            done = self.run_to_end(argv, stdin=stdin, timeout=TRANSFER)
        self.assertEqual(0, done.returncode, done.stderr[-2000:])
        self.assertEqual(content, done.stdout)
        rekeyed = done.stderr.count(b"SSH2_MSG_NEWKEYS received")
        note(f"keys changed {rekeyed} times in 24 MiB each way")
        self.assertGreater(rekeyed, 10)

    def test_interactive_session(self):
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        termios.tcsetwinsize(theirs, (33, 111))
        child = subprocess.Popen(self.ssh("-tt", HOST, "exec /bin/sh"), stdin=theirs,
                                 stdout=theirs, stderr=theirs, env=self.env,
                                 start_new_session=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        os.close(theirs)
        terminal = Terminal(ours)
        terminal.say("stty -echo; echo ready-$((6 * 7))", "ready-42")
        terminal.say("stty size; tty", "33 111", "/dev/pts/")
        began = time.monotonic()
        for index in range(50):
            terminal.say(f"echo key-$(({index} + 1))", f"key-{index + 1}\r")
        note(f"50 lines typed and answered: {(time.monotonic() - began) * 20:.1f} ms each")
        # Ctrl-C reaches the foreground process, which says itself that it is there.
        terminal.say("sh -c 'echo sleeping; exec sleep 60'; echo not-this", "sleeping")
        terminal.say("\x03", end="")
        terminal.say("echo interrupted-$((1 + 1))", "interrupted-2")
        terminal.say("exit 9")
        terminal.read_to_end()
        self.assertEqual(9, child.wait(PATIENCE))
        self.assertNotIn("not-this", terminal.seen)

    def test_session_that_is_killed_leaves_nothing(self):
        before = self.ssh_tunnel.descriptors()
        client = self.start(self.ssh(HOST, "echo here; sleep 1000"))
        client.stdout.expect("here")
        client.signal(signal.SIGKILL)
        client.wait()
        self.ssh_tunnel.forwarder.stderr.expect("ended after")
        self.ssh_tunnel.agent.stderr.expect("ended after")
        self.assertTrue(eventually(lambda: all(
            count <= before[name] + 3 for name, count in self.ssh_tunnel.descriptors().items())))


class Terminal:
    """The near end of a pseudo terminal."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self.seen = ""

    def say(self, line, *answers, end="\n"):
        start = len(self.seen)
        os.write(self._descriptor, (line + end).encode())
        deadline = time.monotonic() + PATIENCE
        while not all(answer in self.seen[start:] for answer in answers):
            if time.monotonic() > deadline or not self._read(deadline):
                raise AssertionError(f"{answers} did not come: {self.seen[start:]!r}")

    def read_to_end(self):
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass

    def _read(self, deadline):
        ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 64 * KIB)
        except OSError:  # EIO: the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


class Copy(SshTest):
    SIZE = 256 * MIB

    def setUp(self):
        super().setUp()
        self.make_file("original", self.SIZE)
        self.digest = sha256_of(self.path("original"))

    def timed(self, what, argv, copy):
        began = time.monotonic()
        self.check(argv)
        note(f"{what} of 256 MiB: {self.SIZE / MIB / (time.monotonic() - began):.0f} MiB/s")
        self.assertEqual(self.digest, sha256_of(self.path(copy)))

    def test_scp_each_way(self):
        scp = self.client("scp", "-q", "-P", str(self.ssh_tunnel.port))
        self.timed("scp up", scp + [self.path("original"), f"{HOST}:{self.path('up')}"], "up")
        self.timed("scp down", scp + [f"{HOST}:{self.path('up')}", self.path("down")], "down")


class Sftp(SshTest):
    def test_batch_puts_and_gets(self):
        original = self.make_file("original", 32 * MIB, 6)
        self.write("batch", f"put {original} {self.path('up')}\n"
                            f"get {self.path('up')} {self.path('down')}\n"
                            f"rename {self.path('up')} {self.path('renamed')}\n")
        self.check(self.client("sftp", "-q", "-P", str(self.ssh_tunnel.port), "-b",
                               self.path("batch"), HOST))
        self.assertEqual(sha256_of(original), sha256_of(self.path("down")))
        self.assertEqual(sha256_of(original), sha256_of(self.path("renamed")))


class Git(SshTest):
    def setUp(self):
        super().setUp()
        need("git", "git")
        self.env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
                     "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
                     "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
                     "GIT_SSH_COMMAND": " ".join(self.client("ssh"))}

    def git(self, where, *args):
        return self.check(["git", "-C", where, *args]).decode().strip()

    def commit(self, where, name, size, seed):
        with open(os.path.join(where, name), "wb") as file:
            file.write(payload(size, seed))
        self.git(where, "add", name)
        self.git(where, "commit", "-q", "-m", f"Add {name}")

    def test_clone_and_push(self):
        origin, bare = self.path("origin"), self.path("bare.git")
        self.check(["git", "init", "-q", "-b", "main", origin])
        for index in range(20):
            self.commit(origin, f"file-{index}", 512 * KIB, 100 + index)
        self.check(["git", "clone", "-q", "--bare", origin, bare])

        url = f"ssh://{HOST}:{self.ssh_tunnel.port}{bare}"
        clone = self.path("clone")
        self.check(["git", "clone", "-q", url, clone])
        self.assertEqual(self.git(origin, "rev-parse", "HEAD"),
                         self.git(clone, "rev-parse", "HEAD"))
        self.git(clone, "fsck", "--full", "--strict")

        self.commit(clone, "answer", 4 * MIB, 200)
        self.git(clone, "push", "-q", "origin", "main")
        self.assertEqual(self.git(clone, "rev-parse", "HEAD"), self.git(bare, "rev-parse", "main"))
        self.git(bare, "fsck", "--full", "--strict")


if __name__ == "__main__":
    unittest.main()
