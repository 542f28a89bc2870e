"""The OpenAPI document of the web port, against the protos and against what is served."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor

import stubs
from realm import RealmTest

VERSIONS = ("v1", "v1alpha2")
WELL_KNOWN = {"google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
              "google.protobuf.Empty": {"type": "object"}}
SCALARS = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "uint32"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64"},
}


def all_protos():
    """A pool of our protos with every field of ours, which the stubs of a legacy client lack."""
    with tempfile.NamedTemporaryFile() as file:
        root = str(stubs.ROOT / "proto")
        names = [f"ntt/proxies/{version}/{name}.proto" for version in VERSIONS
                 for name in ("broker", "project_service")]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{root}",
                        "-I" + str(pathlib.Path(grpc_tools.__file__).parent / "_proto"),
                        "--include_imports",
                        "--descriptor_set_out=" + file.name, *names], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for proto in files.file:
        pool.Add(proto)
    return pool


class OpenApiTest(RealmTest):
    def setUp(self):
        super().setUp()
        self.document = self.curl("/openapi.json").json()
        self.schemas = self.document["components"]["schemas"]
        self.pool = all_protos()

    def operations(self):
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield path, method.upper(), operation

    def expected(self, field):
        """The schema that a field must have."""
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return {"type": "object",
                    "additionalProperties": self.expected(field.message_type.fields_by_name["value"])}
        if field.label == FieldDescriptor.LABEL_REPEATED:
            return {"type": "array", "items": self.expected_value(field)}
        return self.expected_value(field)

    def expected_value(self, field):
        kind = field.message_type or field.enum_type
        if kind is None:
            return SCALARS[field.type]
        if kind.full_name == "google.protobuf.FieldMask":
            return None  # text, with words about it
        return WELL_KNOWN.get(kind.full_name, {"$ref": "#/components/schemas/" + kind.full_name})

    def test_every_schema_is_in_the_protos_and_back(self):
        messages = 0
        for name, schema in self.schemas.items():
            if name == "google.rpc.Status":
                continue
            with self.subTest(schema=name):
                if "enum" in schema:
                    enum = self.pool.FindEnumTypeByName(name)
                    self.assertEqual(schema["enum"], [value.name for value in enum.values])
                    continue
                messages += 1
                message = self.pool.FindMessageTypeByName(name)
                fields = {field.json_name: field for field in message.fields}
                self.assertEqual(set(schema["properties"]), set(fields))
                for key, value in schema["properties"].items():
                    expected = self.expected(fields[key])
                    if expected is None:
                        self.assertEqual(value["type"], "string")
                    else:
                        self.assertEqual(value, expected, key)
        self.assertGreater(messages, 60)

    def test_every_method_of_the_services_has_an_operation_and_back(self):
        methods = {}
        for version in VERSIONS:
            for service in ("ProjectService", "BrokerService"):
                for method in self.pool.FindServiceByName(
                        f"ntt.proxies.{version}.{service}").methods:
                    methods[method.full_name] = method
        found = set()
        for path, verb, operation in self.operations():
            with self.subTest(path=path, verb=verb):
                name = operation["operationId"].removesuffix(".PATCH")
                found.add(name)
                self.assertEqual(path.split("/")[1].split(":")[0], name.split(".")[2])
                self.check_operation(verb, operation, methods[name])
        self.assertEqual(found, set(methods))

    def check_operation(self, verb, operation, method):
        answers = operation["responses"]
        output = {"$ref": "#/components/schemas/" + method.output_type.full_name}
        if method.full_name.split(".")[3] == "BrokerService":
            self.assertEqual(answers["101"]["x-websocket-response"], output)
        else:
            (schema,) = (content["schema"] for content in answers["200"]["content"].values())
            is_empty = method.output_type.full_name == "google.protobuf.Empty"
            self.assertEqual(schema, {"type": "object"} if is_empty else output)
        # A field of the request is in the query, the path or the body, and nothing else is.
        places = {"name" if parameter["in"] == "path" else parameter["name"].split(".")[0]
                  for parameter in operation["parameters"]}
        if method.name in ("CreateProject", "UpdateProject"):
            places = places - {"name"} | {"project"}
        if "101" not in answers:
            self.assertEqual(places, {field.json_name for field in method.input_type.fields})
        self.assertEqual("requestBody" in operation, verb in ("POST", "PUT", "PATCH"))

    def test_every_operation_is_served_and_every_parameter_known(self):
        who = self.curl_administrator()
        for path, verb, operation in self.operations():
            with self.subTest(path=path, verb=verb):
                project = "default" if verb in ("GET", "PATCH") else "nobody"
                address = path.replace("{project}", project)
                # Without anybody's name: known, but refused or not understood.
                answer = self.curl(address, "-X", verb,
                                   *(["--json", "{}"] if "requestBody" in operation else []))
                self.assertEqual(answer.code, 401, answer.body)
                if "101" in operation["responses"]:
                    self.assertEqual(self.curl(address, *who).code, 426)
                self.check_parameters(who, verb, address, operation)

    def check_parameters(self, who, verb, address, operation):
        """No parameter of the document is unknown; the values are not what they ought to be."""
        for parameter in operation["parameters"]:
            if parameter["in"] != "query":
                continue
            answer = self.curl(f"{address}?{parameter['name']}=%ff", *who, "-X", verb,
                               *(["--json", "{}"] if "requestBody" in operation else []))
            self.assertNotIn("no such field", answer.body, parameter["name"])
            if verb == "GET":
                self.assertNotEqual(answer.code, 404, answer.body)

    def test_one_version_alone(self):
        for version in VERSIONS:
            document = self.curl(f"/{version}/openapi.json").json()
            self.assertEqual(document["openapi"], "3.0.3")
            self.assertEqual(document["info"]["version"], version)
            for path in document["paths"]:
                self.assertRegex(path, rf"^/{version}[/:]")
            text = json.dumps(document)
            self.assertEqual(re.findall(r"ntt\.proxies\.(\w+)\.", text).count(version),
                             text.count("ntt.proxies."))


if __name__ == "__main__":
    unittest.main()
