"""The files of the console, read on first use.

Every file has the version in its URL, a hash of all of them. So browsers keep a file for good, and a new deployment is
never mixed with an old one.
"""

import functools
import gzip
import hashlib
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
PAGE: Final = "index.html"
ICON: Final = "icon.svg"
TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Media types of the served files, by the end of their names."""

_BASE = b"BASE/"
"""Stands in the page for the folder of the other files."""
_VERSION_CHARS = 16


@functools.cache
def version() -> str:
    """Return the version of all files together."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:_VERSION_CHARS]


def page(raw_path: str) -> bytes:
    """Return the page, with addresses relative to the path of its request: `/`, `/prod/` or `/prod`."""
    folder = raw_path.rpartition("/")[2]
    base = f"{folder}/" if folder else ""
    return (FOLDER / PAGE).read_bytes().replace(_BASE, f"{base}console/{version()}/".encode())


@functools.cache
def names() -> frozenset[str]:
    """Return the names of the served files."""
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)


@functools.cache
def compressed(name: str) -> bytes:
    """Return the gzip of a file."""
    return gzip.compress((FOLDER / name).read_bytes(), mtime=0)
