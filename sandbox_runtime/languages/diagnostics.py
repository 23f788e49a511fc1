"""Compiler output for the client: files are named as the client knows them, not by their place on this host.

The text is the guest's choice and the worker reads it: no expression here may go back over what it has passed.
"""

import re

# A path at a place where compilers name a file: not behind a quote's letter or in an echoed line of the source.
_DIRECTORIES = re.compile(rb"(?<![\w./-])/(?:box|tmp|opt|usr|lib|lib64)/(?:[\w.+~=-]++/)*+")
_ECHOED_LINE = re.compile(rb"\s*+\d*+\s*+\|")


def without_paths(text: bytes) -> bytes:
    """Leave the last part of every path of the jail; lines that echo the source stay as they are."""
    lines = text.splitlines(keepends=True)
    return b"".join(line if _ECHOED_LINE.match(line) else _DIRECTORIES.sub(b"", line) for line in lines)
