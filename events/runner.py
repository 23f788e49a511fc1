"""What runners report while they live, all messages of their queue, and the object by which they are controlled."""

import hashlib
import json
import re
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import force_setattr

from events.completed import ExecutionCompleted, FromExecution
from events.evidence import CgroupBackend, IsolationMode
from events.judged import JudgeCompleted, JudgeProgress
from events.message import Message, Names, NodeId, ShortText, Time, parse
from events.vocabulary import Language

MAX_PROBLEM_CHARS = 2000
MAX_CONTROL_BYTES = 65_536
Slots = Annotated[int, Meta(ge=0, le=100_000)]
Versions = Annotated[dict[ShortText, ShortText], Meta(max_length=64)]

_TAG = re.compile(r"[0-9a-f]{16}(-[0-9]{1,3})?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ExecutionStarted(FromExecution, frozen=True, kw_only=True, tag="execution_started"):
    """A runner has started the submission."""

    TIMES = ("started_at",)


class RunnerHeartbeat(Message, frozen=True, kw_only=True, tag="runner_heartbeat"):
    """A runner is alive; its capacity, languages and controls. Or it is not: `problem` says why it cannot work.

    `languages` leaves out those of a newer runner that this version does not know. `toolchains`: versions by language.
    `network_support`: whether it takes runs with network; an older runner does not say. `packages`: versions of the
    packages that Python programs may import.
    """

    TIMES = ("sent_at",)

    node_id: NodeId
    runner_version: ShortText
    sent_at: Time
    slots: Slots
    slots_busy: Slots
    languages: Annotated[tuple[str, ...], Meta(max_length=64)]
    toolchains: Versions
    isolation_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    controls: Names
    problem: Annotated[str, Meta(min_length=1, max_length=MAX_PROBLEM_CHARS)] | None = None
    network_support: bool | None = None
    packages: Versions | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        force_setattr(self, "languages", tuple(Language(name) for name in self.languages if name in Language))


type CompletionsMessage = ExecutionStarted | ExecutionCompleted | JudgeCompleted | JudgeProgress | RunnerHeartbeat
_COMPLETIONS: tuple[type[CompletionsMessage], ...] = (
    *(ExecutionStarted, ExecutionCompleted, JudgeProgress, JudgeCompleted, RunnerHeartbeat),
)


def parse_completions_message(text: str | bytes) -> CompletionsMessage:
    """Parse a message of the completions queue. Raises MessageInvalidError."""
    return parse(text, *_COMPLETIONS)


def cancelled_in(text: bytes) -> list[str]:
    """Return the ids of cancelled submissions. An object that cannot be read names none."""
    return list(_entries(text, "cancelled"))


def watched_in(text: bytes) -> dict[str, int]:
    """Return the ids of watched submissions, each with the end of its watch in epoch milliseconds."""
    return {each: until_ms for each, until_ms in _entries(text, "watched").items() if type(until_ms) is int}


def _entries(text: bytes, name: str) -> dict[str, Any]:
    try:
        entries = json.loads(text)[name].items()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {each: until_ms for each, until_ms in entries if is_submission_id(each)}


def execution_tag(node_id: str, started_at: str) -> str:
    """Return the name of one execution of a submission in answers about its output. It hides the runner."""
    return hashlib.sha256(f"{node_id} {started_at}".encode()).hexdigest()[:16]


def is_execution_tag(text: object) -> bool:
    """Whether this may be the name of an execution. One that began again has the number of its beginning, too."""
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


def is_submission_id(text: object) -> bool:
    """Whether this may be the id of a submission."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None
