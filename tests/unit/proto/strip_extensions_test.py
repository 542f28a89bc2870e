#!/usr/bin/env python3
"""Tests scripts/strip_extensions.py. usage: strip_extensions_test.py PROJECT_DIR PROTOC"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

PROJECT, PROTOC = pathlib.Path(sys.argv[1]), sys.argv[2]
SCRIPT = PROJECT / "scripts" / "strip_extensions.py"

HEAD = 'syntax = "proto3";\n\npackage ntt;\n\n'


def run(source, out):
    return subprocess.run([sys.executable, SCRIPT, source, out], capture_output=True, text=True)


class StripExtensions(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.source = pathlib.Path(scratch.name, "source")
        self.out = pathlib.Path(scratch.name, "out")
        (self.source / "ntt").mkdir(parents=True)

    def strip(self, text):
        (self.source / "ntt" / "a.proto").write_text(HEAD + text)
        result = run(self.source, self.out)
        self.assertEqual(result.returncode, 0, result.stderr)
        return (self.out / "ntt" / "a.proto").read_text().removeprefix(HEAD)

    def refuse(self, text):
        (self.source / "ntt" / "a.proto").write_text(HEAD + text)
        result = run(self.source, self.out)
        self.assertEqual(result.returncode, 1)
        self.assertFalse((self.out / "ntt" / "a.proto").exists())
        return result.stderr

    def test_the_protos_of_the_project_compile_without_additions(self):
        result = run(PROJECT / "proto", self.out)
        self.assertEqual(result.returncode, 0, result.stderr)
        files = [str(f.relative_to(self.out)) for f in sorted(self.out.rglob("*.proto"))]
        self.assertGreaterEqual(len(files), 13)
        descriptors = self.out / "all.bin"
        subprocess.run([PROTOC, "-I.", "-o", descriptors, *files], cwd=self.out, check=True)
        self.assertIn(b"BrokerService", descriptors.read_bytes())
        self.assertNotIn(b"culvert", descriptors.read_bytes())

    def test_an_addition_goes_with_its_comment_and_the_rest_stays(self):
        self.assertEqual(
            self.strip(
                "message M {\n  // One.\n  string a = 1;\n  // Two,\n  // in two lines.\n"
                "  bytes b = 100;  // And here.\n  // = 100;\n  string c = 99;\n}\n"
            ),
            "message M {\n  // One.\n  string a = 1;\n  // = 100;\n  string c = 99;\n}\n",
        )

    def test_additions_of_every_form_go(self):
        self.assertEqual(
            self.strip(
                'import "culvert/v1/x.proto";\n\nmessage M {\n  repeated string a = 100;\n'
                "  map<string, culvert.v1.X> b = 0x65;\n"
                "  optional bool c = 102 [deprecated = true];\n"
                "  culvert.v1.VeryLongName\n      d = 103;\n  oneof o {\n    bool e = 1;\n"
                "    culvert.v1.X f = 104;\n  }\n}\n"
            ),
            "message M {\n  oneof o {\n    bool e = 1;\n  }\n}\n",
        )

    def test_a_number_that_cannot_be_removed_is_refused(self):
        self.assertIn("number 100 is left", self.refuse("enum E {\n  A = 0;\n  B = 100;\n}\n"))

    def test_a_public_field_of_our_type_is_refused(self):
        text = 'import "culvert/v1/x.proto";\nmessage M {\n  culvert.v1.X a = 1;\n}\n'
        self.assertIn("a use of culvert is left", self.refuse(text))

    def test_two_fields_on_one_line_are_refused(self):
        text = "message M {\n  bool a = 100; bool b = 1;\n}\n"
        self.assertIn("two statements on one line", self.refuse(text))

    def test_a_folder_without_protos_is_refused(self):
        self.assertEqual(run(self.source, self.out).returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
