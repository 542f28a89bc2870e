#!/usr/bin/env python3
"""Writes the public protos without Culvert's additions.

usage: strip_extensions.py SRC_PROTO_DIR OUT_DIR

Copies ntt/ and goten/ from SRC_PROTO_DIR to OUT_DIR and leaves out every field numbered 100 and
above with its comment, and the imports of culvert/v1 that only those fields need. Code generated
from the result is that of a client that has never heard of Culvert.
"""

import pathlib
import re
import sys

FIRST_ADDITION = 100
PUBLIC_DIRS = ("ntt", "goten")

# Comments and string literals come first, so that nothing inside them is taken for a statement.
TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<word>[A-Za-z_][\w.]*|\.[A-Za-z_][\w.]*)
      | (?P<number>\d\w*)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
FIELD = re.compile(
    r"(?:repeated |optional )?(?:map < [\w.]+ , [\w.]+ >|[\w.]+) \w+ = (\w+)(?: \[.*)? ;"
)
CULVERT_IMPORT = re.compile(r'import (?:public |weak )?"culvert/[^"]*" ;')


class StripError(Exception):
    """The source is not as expected; nothing that was written is to be trusted."""


def statements(text):
    """Yields (start, end, words): each statement up to its `;`, `{` or `}`, comments left out."""
    start, words = None, []
    for token in TOKEN.finditer(text):
        if token.lastgroup in ("space", "comment"):
            continue
        if start is None:
            start = token.start()
        words.append(token.group())
        if token.group() in (";", "{", "}"):
            yield start, token.end(), " ".join(words)
            start, words = None, []
    if words:
        raise StripError(f"unfinished statement: {' '.join(words)}")


def is_addition(words):
    field = FIELD.fullmatch(words)
    return field is not None and int(field.group(1), 0) >= FIRST_ADDITION


def cut(text, start, end):
    """Removes text[start:end], the comment lines right above it and the rest of its last line."""
    start = text.rfind("\n", 0, start) + 1
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above:start].strip().startswith("//"):
            break
        start = above
    rest = text.find("\n", end)
    rest = len(text) if rest < 0 else rest
    if text[end:rest].strip() and not text[end:rest].strip().startswith("//"):
        raise StripError(f"two statements on one line: {text[start:rest].strip()}")
    return text[:start] + text[rest + 1 :]


def strip(text):
    """Returns `text` without additions and without imports of culvert/."""
    # From the end, so that what was found before stays in place.
    for start, end, words in reversed(list(statements(text))):
        if is_addition(words) or CULVERT_IMPORT.fullmatch(words):
            text = cut(text, start, end)
    return re.sub(r"\n{3,}", "\n\n", text)


def check(text):
    """Looks, in another way than strip(), for anything that should be gone."""
    bare = TOKEN.sub(lambda t: " " if t.lastgroup == "comment" else t.group(), text)
    for number in re.findall(r"=\s*(0[xX][0-9a-fA-F]+|\d+)", bare):
        if int(number, 16 if number[:2] in ("0x", "0X") else 10) >= FIRST_ADDITION:
            raise StripError(f"number {number} is left")
    if "culvert" in bare:
        raise StripError("a use of culvert is left")


def main(arguments):
    if len(arguments) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    source, out = map(pathlib.Path, arguments)
    files = [f for d in PUBLIC_DIRS for f in sorted((source / d).rglob("*.proto"))]
    if not files:
        print(f"strip_extensions.py: no public protos in {source}", file=sys.stderr)
        return 1
    for file in files:
        try:
            text = strip(file.read_text(encoding="utf-8"))
            check(text)
        except StripError as error:
            print(f"strip_extensions.py: {file}: {error}", file=sys.stderr)
            return 1
        target = out / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
