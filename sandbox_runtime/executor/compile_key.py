"""Keys of the compile cache: a digest of the project and of everything that the compiled bytes may depend on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

from sandbox_runtime.jail.spec import JailSpec

_FORMAT = "rustbox compile key 1"


@dataclass(frozen=True, slots=True)
class CompileKey:
    """`digest` covers the project too: equal sources of two projects have different keys."""

    project_id: str
    digest: bytes


def compile_key(project_id: str, language: str, toolchain: str, step: JailSpec) -> CompileKey:
    """Build the key of a compile step. All fields of `step` enter the digest, also fields added later."""
    digest = hashlib.sha256()
    for value in (_FORMAT, project_id, language, toolchain, step):
        for part in _encoded(value):
            digest.update(part)
    return CompileKey(project_id, digest.digest())


def _encoded(value: object) -> Iterator[bytes]:
    """Encode a value with its kind and length in front, so that different values have different encodings."""
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
        # Fail instead of leaving an unknown value out of the key.
        raise TypeError(f"a {type(value).__name__} has no encoding")


def _count(value: bytes | tuple[object, ...]) -> bytes:
    return len(value).to_bytes(8)
