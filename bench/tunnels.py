"""What the benchmarks share: programs started as the system tests start them, and ssh -L."""

import os
import pwd
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tests",
                                "system"))

from harness import HOST, SystemTest, need, reserved_port  # noqa: E402


def bench_of(test_class):
    """What system tests of this class start, without a test: to be used in a `with`."""
    class Bench(test_class):
        def runTest(self):
            """For unittest: this is no test."""

        def __enter__(self):
            self.processes = []
            try:
                self.setUp()
            except BaseException:
                self.doCleanups()
                raise
            return self

        def __exit__(self, *unused):
            self.doCleanups()

    return Bench


Bench = bench_of(SystemTest)


def start_ssh(bench, target):
    """ssh -L with Debian's client and server, and keys of its own: (server, client, port)"""
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", bench.path(name)],
                       check=True)
    port = bench.enterContext(reserved_port())
    bench.write("sshd_config", f"""
ListenAddress {HOST}:{port}
HostKey {bench.path("host_key")}
AuthorizedKeysFile {bench.path("user_key.pub")}
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
MaxSessions 1000
""")
    server = bench.start([need("sshd", "openssh-server"), "-D", "-e", "-f",
                          bench.path("sshd_config")])
    server.stderr.expect("Server listening")
    local = bench.enterContext(reserved_port())
    client = bench.start(
        [need("ssh", "openssh-client"), "-F", "/dev/null", "-v", "-N", "-i",
         bench.path("user_key"), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
         "UserKnownHostsFile=/dev/null", "-p", str(port), "-L", f"{HOST}:{local}:{HOST}:{target}",
         f"{pwd.getpwuid(os.geteuid()).pw_name}@{HOST}"])
    client.stderr.expect("Entering interactive session")
    return server, client, local
