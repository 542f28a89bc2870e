"""bench/tcp-conformance: TCP itself passes it, Culvert does, and socat does not."""

import json
import os
import shlex
import unittest

from harness import HOST, SystemTest, binary, need, note, reserved_port

BENCH = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "bench")
CONFORMANCE = os.path.join(BENCH, "tcp-conformance")
LIMIT = 150


class Conformance(SystemTest):
    def rows(self, code, *args):
        done = self.run_to_end([CONFORMANCE, "--json", *args], timeout=LIMIT)
        self.assertEqual((code, b""), (done.returncode, done.stderr), done)
        result = json.loads(done.stdout)
        self.assertEqual(result["differing"], sum(not row["as_tcp"] for row in result["rows"]))
        return {row["name"]: row for row in result["rows"]}

    def started(self, way):
        build = os.path.dirname(os.path.dirname(binary("culvert")))
        return "exec " + shlex.join([os.path.join(BENCH, "tcp_conformance_table.py"), build,
                                     "start", way])

    def test_tcp_itself_passes_every_row(self):
        with reserved_port() as port:
            address = f"{HOST}:{port}"
            rows = self.rows(0, "--listen", address, "--backend", address)
        self.assertGreaterEqual(len(rows), 21)

    def test_culvert_passes_every_row(self):
        self.check_rows("Culvert")

    def test_culvert_passes_every_row_over_streams(self):
        self.check_rows("Culvert, streams")

    def check_rows(self, way):
        rows = self.rows(0, "--start", self.started(way))
        kills = [name for name in rows if " killed while " in name]
        self.assertEqual(6, len(kills), kills)
        for name, row in rows.items():
            if row["detail"]:
                note(f"{name}: {row['detail']}")

    def test_relay_that_passes_only_bytes_does_not(self):
        need("socat", "socat")
        rows = self.rows(1, "--start", self.started("socat"))
        for name in ("reset by the client, idle", "refused backend",
                     "relay killed while data goes down"):
            self.assertIn("end of file", rows[name]["detail"])
        for name in ("half-close by the client, 256 KiB the other way after it",
                     "2,000 writes of one byte, echoed"):
            self.assertTrue(rows[name]["as_tcp"], rows[name])


if __name__ == "__main__":
    unittest.main()
