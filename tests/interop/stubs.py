"""Code for a client that has never heard of Culvert: generated from the protos without additions."""

import importlib
import os
import pathlib
import subprocess
import sys
import tempfile

from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSIONS = ("v1", "v1alpha2")

_work = tempfile.TemporaryDirectory(prefix="culvert-interop-")


def _generate():
    protos, code = (os.path.join(_work.name, name) for name in ("proto", "code"))
    subprocess.run(
        [sys.executable, str(ROOT / "scripts/strip_extensions.py"), str(ROOT / "proto"), protos],
        check=True,
    )
    os.mkdir(code)
    files = [str(path.relative_to(protos)) for kind in ("ntt/proxies", "goten/types")
             for path in sorted(pathlib.Path(protos, kind).rglob("*.proto"))]
    arguments = ["protoc", f"-I{protos}", f"--python_out={code}", f"--grpc_python_out={code}"]
    if protoc.main(arguments + files) != 0:
        raise RuntimeError("protoc failed")
    sys.path.insert(0, code)


class Version:
    """The messages and the stub of one version of the protocol."""

    def __init__(self, name):
        self.name = name
        self.pb = importlib.import_module(f"ntt.proxies.{name}.broker_pb2")
        self.grpc = importlib.import_module(f"ntt.proxies.{name}.broker_pb2_grpc")
        self.projects = importlib.import_module(f"ntt.proxies.{name}.project_service_pb2")
        self.projects_grpc = importlib.import_module(
            f"ntt.proxies.{name}.project_service_pb2_grpc")
        self.Project = importlib.import_module(f"ntt.proxies.{name}.project_pb2").Project


_generate()
V1 = Version("v1")
V1ALPHA2 = Version("v1alpha2")
