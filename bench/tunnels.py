"""What the benchmarks share: programs started as the system tests start them, and ssh -L."""

import os
import pwd
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tests",
                                "system"))

from harness import HOST, SystemTest, need, reserved_port  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


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


def _family(pids):
    """These processes and their descendants, all that are alive: {pid: fields of stat after the
    name}"""
    stats, children = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        stats[int(name)] = fields
        children.setdefault(int(fields[1]), []).append(int(name))
    family, waiting = {}, list(pids)
    while waiting:
        pid = waiting.pop()
        if pid in stats:
            family[pid] = stats[pid]
        waiting += children.get(pid, [])
    return family


def processor_seconds(pids):
    """Of these processes and their descendants, those that have ended included."""
    return sum(sum(map(int, stat[11:15])) for stat in _family(pids).values()) / TICKS


def resident(pids, kind="Private_"):
    """Bytes that these processes and their descendants occupy and share with no other. Of the kind
    "Private_Dirty", only what they have written: pages of a library count as shared while another
    process has it, too, and this does not change with that."""
    total = 0
    for pid in _family(pids):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as smaps:
                total += sum(int(line.split()[1]) * 1024 for line in smaps if line.startswith(kind))
        except (FileNotFoundError, ProcessLookupError):
            continue  # a child that has ended meanwhile
    return total


def start_ssh(bench, *targets):
    """ssh -L with Debian's client and server, and keys of its own: (server, client, ports)"""
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
    ports = [bench.enterContext(reserved_port()) for _ in targets]
    forwards = [word for local, target in zip(ports, targets)
                for word in ("-L", f"{HOST}:{local}:{HOST}:{target}")]
    client = bench.start(
        [need("ssh", "openssh-client"), "-F", "/dev/null", "-v", "-N", "-i",
         bench.path("user_key"), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
         "UserKnownHostsFile=/dev/null", "-p", str(port), *forwards,
         f"{pwd.getpwuid(os.geteuid()).pw_name}@{HOST}"])
    client.stderr.expect("Entering interactive session")
    return server, client, ports
