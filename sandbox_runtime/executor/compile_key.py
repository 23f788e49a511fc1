"""What a compiled program is found by: whose it is, and all that its bytes may depend on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

from sandbox_runtime.jail.spec import JailSpec

_FORMAT = "rustbox compile key 1"


@dataclass(frozen=True, slots=True)
class CompileKey:
    """`digest` covers the project too: equal sources of two projects are two programs."""

    project_id: str
    digest: bytes


def compile_key(project_id: str, language: str, toolchain: str, step: JailSpec) -> CompileKey:
    """Key of a compile step. `step` enters whole, also what it may have more of in later versions."""
    digest = hashlib.sha256()
    for value in (_FORMAT, project_id, language, toolchain, step):
        for part in _encoded(value):
            digest.update(part)
    return CompileKey(project_id, digest.digest())


def _encoded(value: object) -> Iterator[bytes]:
    """Each value with its kind and its length before it, so that no two different values have one encoding."""
    if isinstance(value, bytes):
        yield from (b"b", _count(value), value)
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        yield from (b"s", _count(text), text)
    elif isinstance(value, int | float | None):
        text = repr(value).encode()
        yield from (b"n", _count(text), text)
    elif isinstance(value, tuple):
        yield from (b"t", _count(value))
        for item in value:
            yield from _encoded(item)
    elif is_dataclass(value):
        names = tuple(field.name for field in fields(value))
        yield from _encoded((type(value).__name__, names, tuple(getattr(value, name) for name in names)))
    else:
        # What is not understood must not be left out of a key.
        raise TypeError(f"a {type(value).__name__} has no encoding")


def _count(value: bytes | tuple[object, ...]) -> bytes:
    return len(value).to_bytes(8)
