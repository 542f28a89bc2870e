"""A real PostgreSQL server behind the agent: queries, pgbench, COPY each way, a cancel request."""

import glob
import hashlib
import os
import pwd
import re
import signal
import time
import unittest

from harness import (HOST, MIB, PATIENCE, SystemTest, eventually, need, note, payload,
                     reserved_port, sha256_of)

PACKAGE = "postgresql"
USER, PASSWORD = "tester", "correct horse"
COPY_BYTES = 100_000_000
TRANSFER = 120.0


class PostgresTest(SystemTest):
    def setUp(self):
        super().setUp()
        directories = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        where = directories[-1] if directories else "/nowhere"
        self.initdb = need("initdb", PACKAGE, where=where)
        self.postgres = need("postgres", PACKAGE, where=where)
        self.pgbench = need("pgbench", PACKAGE, where=where)
        need("psql", "postgresql-client")
        self.start_server()
        self.db_tunnel = self.tunnel(self.server_port)
        self.env |= {"PGHOST": HOST, "PGPORT": str(self.db_tunnel.port), "PGUSER": USER,
                     "PGPASSWORD": PASSWORD, "PGDATABASE": "postgres", "PGSSLMODE": "disable",
                     "PGCONNECT_TIMEOUT": "20", "PSQLRC": "/dev/null"}

    def start_server(self):
        # postgres refuses to run as root: then it is the account that its package made.
        data, account = self.path("data"), {}
        os.mkdir(data, 0o700)
        password_file = self.write("password", PASSWORD + "\n")
        if os.geteuid() == 0:
            try:
                entry = pwd.getpwnam("postgres")
            except KeyError:
                self.fail(f"there is no account postgres: install the Debian package {PACKAGE}")
            account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chmod(self.directory, 0o755)
            for path in (data, password_file):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        made = self.run_to_end([self.initdb, "-D", data, "-U", USER, "-A", "scram-sha-256",
                                "--pwfile", password_file, "--no-sync", "-E", "UTF8",
                                "--locale", "C"], timeout=60, cwd=data, **account)
        self.assertEqual(0, made.returncode, made.stderr.decode())
        self.server_port = self.enterContext(reserved_port())
        server = self.start([self.postgres, "-D", data, "-h", HOST, "-p", str(self.server_port),
                             "-k", data, "-F", "-c", "max_wal_size=2GB"], cwd=data, **account)
        server.stderr.expect("database system is ready to accept connections")
        # All of its children end with it.
        self.addCleanup(lambda: (server.signal(signal.SIGINT), server.wait()))

    def psql(self, *commands, timeout=PATIENCE, **options):
        flags = [word for command in commands for word in ("-c", command)]
        return self.run_to_end(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *flags],
                               timeout=timeout, **options)

    def query(self, *commands, **options):
        done = self.psql(*commands, **options)
        self.assertEqual(0, done.returncode, done.stderr.decode())
        return done.stdout.decode().strip()


class Postgres(PostgresTest):
    def test_query(self):
        self.assertEqual("42", self.query("SELECT 6 * 7"))
        self.assertEqual(str(1000 * 1001 // 2),
                         self.query("SELECT sum(n) FROM generate_series(1, 1000) AS n"))

    def test_wrong_password_is_told(self):
        done = self.psql("SELECT 1", env=self.env | {"PGPASSWORD": "wrong"})
        self.assertEqual(2, done.returncode, done)
        self.assertIn(b"password authentication failed", done.stderr)

    def test_pgbench_without_a_failed_transaction(self):
        made = self.run_to_end([self.pgbench, "-i", "-q", "-s", "5"], timeout=TRANSFER)
        self.assertEqual(0, made.returncode, made.stderr.decode())
        done = self.run_to_end([self.pgbench, "-c", "10", "-T", "5"], timeout=60)
        text = done.stdout.decode()
        self.assertEqual(0, done.returncode, done)
        self.assertIn("number of failed transactions: 0 ", text)
        self.assertGreater(int(re.search(r"actually processed: (\d+)", text)[1]), 100)
        note("pgbench -c 10: " + re.search(r"tps = .*", text)[0])

    def test_new_connection_for_each_transaction(self):
        self.run_to_end([self.pgbench, "-i", "-q", "-s", "1"], timeout=TRANSFER)
        done = self.run_to_end([self.pgbench, "-C", "-S", "-c", "4", "-t", "50"], timeout=60)
        self.assertEqual(0, done.returncode, done)
        self.assertIn(b"number of failed transactions: 0 ", done.stdout)

    def test_copy_of_100_mb_each_way(self):
        rows = 200_000
        text = payload(COPY_BYTES // 2, 21).hex().encode()
        width = len(text) // rows
        original = self.write("original", b"".join(
            b"%d\t%b\n" % (row, text[row * width:(row + 1) * width]) for row in range(rows)))
        self.assertGreaterEqual(os.path.getsize(original), COPY_BYTES)
        self.query("CREATE TABLE rows (id int, body text)")

        began = time.monotonic()
        with open(original, "rb") as stdin:
            self.query("COPY rows FROM STDIN", stdin=stdin, timeout=TRANSFER)
        up = time.monotonic() - began
        self.assertEqual(str(rows), self.query("SELECT count(*) FROM rows"))

        began = time.monotonic()
        done = self.psql("COPY (SELECT * FROM rows ORDER BY id) TO STDOUT", timeout=TRANSFER)
        down = time.monotonic() - began
        self.assertEqual(0, done.returncode, done.stderr.decode())
        self.assertEqual(sha256_of(original), hashlib.sha256(done.stdout).hexdigest())
        size = os.path.getsize(original) / MIB
        note(f"COPY of {size:.0f} MiB: {size / up:.0f} MiB/s up, {size / down:.0f} MiB/s down")

    def test_cancel_request(self):
        running = self.start(["psql", "-X", "-c", "SELECT pg_sleep(600)"])
        active = ("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                  "query LIKE '%pg_sleep(600)'")
        self.assertTrue(eventually(lambda: self.query(active) == "1"))
        running.signal(signal.SIGINT)
        self.assertEqual(1, running.wait())
        running.stderr.expect("canceling statement due to user request")

    def test_client_that_is_killed_ends_its_query(self):
        env = self.env | {"PGOPTIONS": "-c client_connection_check_interval=200"}
        running = self.start(["psql", "-X", "-c", "SELECT pg_sleep(600)"], env=env)
        active = ("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                  "query LIKE '%pg_sleep(600)'")
        self.assertTrue(eventually(lambda: self.query(active) == "1"))
        running.kill()
        self.assertTrue(eventually(lambda: self.query(active) == "0"))

    def test_server_that_ends_at_once_is_noticed(self):
        running = self.start(["psql", "-X", "-c", "SELECT pg_sleep(600)"])
        active = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        pid = eventually(lambda: self.query(active))
        self.query(f"SELECT pg_terminate_backend({pid})")
        self.assertEqual(2, running.wait())
        running.stderr.expect("terminating connection due to administrator command")


if __name__ == "__main__":
    unittest.main()
