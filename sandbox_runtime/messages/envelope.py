"""The envelope of every message: `type` and `version` beside the keys of a dataclass."""

import json
from dataclasses import dataclass
from types import MappingProxyType

from sandbox_runtime.messages.codec import MessageInvalidError, load, read, write
from sandbox_runtime.messages.completed import ExecutionCompleted
from sandbox_runtime.messages.judged import JudgeCompleted, JudgeProgress
from sandbox_runtime.messages.judging import JudgeRequested
from sandbox_runtime.messages.requested import ExecutionRequested
from sandbox_runtime.messages.rules import LanguageName, Uuid
from sandbox_runtime.messages.started import ExecutionStarted, RunnerHeartbeat

VERSION = 1
_FILE_FIELDS = frozenset({"files", "compile_args", "file_size_mb", "open_files"})
_NEWER_FIELDS: MappingProxyType[object, tuple[tuple[int, frozenset[str]], ...]] = MappingProxyType(
    {
        ExecutionRequested: ((3, _FILE_FIELDS | {"args", "artifacts"}), (2, frozenset({"network"}))),
        JudgeRequested: ((3, frozenset({"judging_object"})), (2, _FILE_FIELDS)),
    }
)
"""Versions above VERSION, and the fields that need them: a runner that does not know a field refuses the version."""
TYPES = MappingProxyType(
    {
        ExecutionRequested: "execution_requested",
        ExecutionStarted: "execution_started",
        ExecutionCompleted: "execution_completed",
        RunnerHeartbeat: "runner_heartbeat",
        JudgeRequested: "judge_requested",
        JudgeProgress: "judge_progress",
        JudgeCompleted: "judge_completed",
    }
)


type Request = ExecutionRequested | JudgeRequested
type Completed = ExecutionCompleted | JudgeCompleted

_REQUESTS: MappingProxyType[object, type[Request]] = MappingProxyType(
    {TYPES[kind]: kind for kind in (ExecutionRequested, JudgeRequested)}
)


@dataclass(frozen=True, slots=True)
class Addressee:
    """The ids of an execution, for its completion."""

    submission_id: Uuid
    execution_id: Uuid
    language: LanguageName


@dataclass(frozen=True, slots=True)
class JudgeAddressee(Addressee):
    """The same of a judge run."""


def parse[T](kind: type[T], text: str | bytes) -> T:
    """Read one message of a type. Raises MessageInvalidError."""
    return read(kind, _opened(kind, load(text)))


def serialise(message: object) -> str:
    """Write one message as compact JSON."""
    kind, fields = type(message), write(message)
    envelope = {"type": TYPES[kind], "version": _version(kind, fields), **fields}
    return json.dumps(envelope, separators=(",", ":"), allow_nan=False)


def parse_request(text: str | bytes) -> Request:
    """Read a request. Raises MessageInvalidError."""
    fields = load(text)
    kind = _request_type(fields)
    return read(kind, _opened(kind, fields))


def addressee(text: str | bytes) -> Addressee | None:
    """Read the ids of a request that may be invalid otherwise. None: they cannot be read.

    Also None for a newer version of the message, because a newer runner may understand it.
    """
    try:
        fields = load(text)
        kind = _request_type(fields)
        fields = _opened(kind, fields)
        to = JudgeAddressee if kind is JudgeRequested else Addressee
        return read(to, {name: fields.get(name) for name in ("submission_id", "execution_id", "language")})
    except MessageInvalidError:
        return None


def _request_type(fields: dict[str, object]) -> type[Request]:
    """Return the type of a request. A newer function may request something that this runner does not know."""
    name = fields.get("type")
    kind = _REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageInvalidError("type", f"must be one of {', '.join(map(str, _REQUESTS))}")
    return kind


def _opened(kind: type, fields: dict[str, object]) -> dict[str, object]:
    if fields.pop("type", None) != TYPES[kind]:
        raise MessageInvalidError("type", f"must be {TYPES[kind]}")
    version = fields.pop("version", None)
    expected = _version(kind, fields)
    if version != expected or not isinstance(version, int) or isinstance(version, bool):
        raise MessageInvalidError("version", f"must be {expected}")
    return fields


def _version(kind: type, fields: dict[str, object]) -> int:
    """Return the version that the fields of a message need."""
    limits = fields.get("limits")
    names = {*fields, *(limits if isinstance(limits, dict) else ())}
    return next((version for version, newer in _NEWER_FIELDS.get(kind, ()) if newer & names), VERSION)
