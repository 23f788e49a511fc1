"""Remove directories of the jail from compiler output for the client.

A guest chooses the text and the worker reads it. So the expressions must not backtrack.
"""

import re

# A path where compilers name a file: not after a letter, as in a quotation, and not in an echoed line of the source.
_DIRECTORIES = re.compile(rb"(?<![\w./-])/(?:box|tmp|opt|usr|lib|lib64)/(?:[\w.+~=-]++/)*+")
# Python echoes lines of the source with blanks before them, and begins the line of a warning with the path.
_PYTHON_PLACE = re.compile(rb'^(  File "|)/box/', re.MULTILINE)
_ECHOED_LINE = re.compile(rb"\s*+\d*+\s*+\|")


def without_paths(text: bytes) -> bytes:
    """Reduce each path of the jail to its file name. Lines that echo the source stay unchanged."""
    lines = text.splitlines(keepends=True)
    return b"".join(line if _ECHOED_LINE.match(line) else _DIRECTORIES.sub(b"", line) for line in lines)


def without_python_paths(text: bytes) -> bytes:
    """Reduce the path of the source to its file name, in what Python says about a source that it refuses."""
    return _PYTHON_PLACE.sub(rb"\1", text)
