#!/usr/bin/env python3
"""Checks who includes whom (ARCHITECTURE.md): folders of src/ depend in one direction, and each
library behind a folder of ours is included in that folder only. Prints one line per violation."""

import pathlib
import re
import sys

# What each folder of src/ may include beside itself. "values" are the public headers below, "protos"
# the generated messages.
CORE = {"base", "values"}
ENDS = CORE | {"net", "crypto", "tunnel", "rpc", "stitch", "protos"}
ALLOWED = {
    "base": {"values"},
    "net": {"base"},
    "crypto": {"base"},
    "resource": CORE | {"crypto", "protos"},
    "store": CORE | {"crypto", "protos"},
    "config": {"base", "net", "crypto", "sdk api"},
    "tunnel": CORE | {"net", "crypto"},
    "rpc": CORE | {"net", "crypto", "tunnel", "protos"},
    "stitch": CORE | {"net", "crypto", "tunnel", "protos"},
    "sdk": ENDS | {"sdk api"},
    "agent": ENDS | {"sdk", "sdk api", "config"},
    "forwarder": ENDS | {"sdk", "sdk api", "config"},
    "web": CORE | {"net", "crypto", "rpc", "protos"},
    "broker": CORE | {"net", "crypto", "tunnel", "rpc", "store", "config", "protos", "resource",
                      "web"},
}

# Public headers that define plain values, which all sides speak of.
VALUE_HEADERS = {"culvert/bytes.h", "culvert/error_code.h"}

# Libraries that only one folder knows, by the start of what is included.
ONLY_IN = {
    "uv.h": "net",
    "uv/": "net",
    "grpc": "rpc",  # grpcpp/, grpc/, grpc++/
    "mbedtls/": "crypto",
    "psa/": "crypto",
    "openssl/": "crypto",
    "curl/": "broker",
    "boost/": "web",
    "wslay/": "web",
    "sqlite3.h": "store",
    "SQLiteCpp/": "store",
    "cxxopts.hpp": "config",
    "toml++/": "config",
    "yaml-cpp/": "forwarder",
    "systemd/": "config",
    "spdlog/": "base",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
GRPC_STUBS = re.compile(r"\.grpc\.pb\.h$")
PROTOS = re.compile(r"^(ntt|goten|culvert/v\d+)/.*\.pb\.h$")
STANDARD = re.compile(r"^[a-z_0-9]+$")


def kind_of(header, quoted):
    """The folder or kind that an include leads to; None for what no rule is about."""
    first = header.split("/")[0]
    if PROTOS.match(header):
        return "protos"
    if header in VALUE_HEADERS:
        return "values"
    if first == "culvert":
        return "sdk api"
    if first in ALLOWED and "/" in header:
        return first
    if quoted and first != "absl":
        return "unknown"
    return None


def in_module(module, header, quoted):
    """Why `header` may not be included in src/`module`, or None."""
    for start, owner in ONLY_IN.items():
        if header.startswith(start) and module != owner:
            return f"only src/{owner} may include it"
    if GRPC_STUBS.search(header) and module != "rpc":
        return "only src/rpc may include gRPC stubs"
    kind = kind_of(header, quoted)
    if kind is None or kind == module or kind in ALLOWED[module]:
        return None
    if kind == "unknown":
        return "write an include of ours from src/, of a library in <>"
    return f"src/{module} may not include {kind}"


def in_public(header):
    first = header.split("/")[0]
    if PROTOS.match(header) or (first not in ("culvert", "absl") and not STANDARD.match(header)):
        return "a public header includes only culvert/, absl/ and the standard library"
    return None


def in_example(header, quoted):
    kind = kind_of(header, quoted)
    if kind in ALLOWED or kind == "protos":
        return "an example includes only what the SDK's users have"
    return None


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(2), found.group(1) == '"'


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".h", ".hpp", ".cc", ".cpp"))


def check(root):
    violations = []
    files = 0

    def check_files(folder, why_not):
        nonlocal files
        for path in sources(folder):
            files += 1
            for number, header, quoted in includes(path):
                why = why_not(header, quoted)
                if why:
                    violations.append(f"{path.relative_to(root)}:{number}: {header}: {why}")

    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        if folder.name not in ALLOWED:
            violations.append(f"src/{folder.name}: not in {pathlib.Path(__file__).name}")
            continue
        check_files(folder, lambda header, quoted, m=folder.name: in_module(m, header, quoted))
    check_files(root / "include", lambda header, quoted: in_public(header))
    if (root / "examples").is_dir():
        check_files(root / "examples", in_example)
    return files, violations


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])
    files, violations = check(root.resolve())
    for violation in violations:
        print(violation)
    if not files:
        sys.exit("check_includes.py: no files found")
    if violations:
        sys.exit(f"check_includes.py: {len(violations)} includes go the wrong way")
    print(f"check_includes.py: {files} files, no include goes the wrong way")


if __name__ == "__main__":
    main()
