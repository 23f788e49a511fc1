"""Types of message fields that carry a rule: ids, times, names from closed lists."""

import re
from datetime import UTC, datetime
from typing import Annotated

from events.variables import are_variables
from events.vocabulary import Language
from sandbox_runtime.messages.codec import Check

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CORRELATION_ID = re.compile(r"[0-9A-Za-z._~:=+/-]{1,128}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3,6}Z")
_OUTPUT_KEY = re.compile(r"outputs/[0-9a-f-]{36}/[0-9a-f-]{36}/(stdout|stderr)")
_CASE_OUTPUT_KEY = re.compile(r"outputs/[0-9a-f-]{36}/[0-9a-f-]{36}/case-[0-9]{1,3}-stdout")
_CASES_KEY = re.compile(r"outputs/[0-9a-f-]{36}/[0-9a-f-]{36}/cases")
_JUDGING_KEY = re.compile(r"judge-inputs/[0-9A-Za-z/_-]{1,200}")
_STORED_FILE_KEY = re.compile(r"files/[0-9A-Za-z/_-]{1,200}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def one_of(*choices: str) -> Check:
    """One of these words."""
    return Check(frozenset(choices).__contains__, "one of " + ", ".join(choices))


def length(minimum: int, maximum: int) -> Check:
    """Bounds of a text's or byte string's length, both included."""
    return Check(lambda value: minimum <= len(value) <= maximum, f"{minimum} to {maximum} long")


def at_least(minimum: float) -> Check:
    """Lower bound, included."""
    return Check(lambda value: value >= minimum, f"at least {minimum}")


def matching(pattern: re.Pattern[str], expected: str) -> Check:
    """A text that a pattern matches as a whole."""
    return Check(lambda text: pattern.fullmatch(text) is not None, expected)


def is_uuid(text: str) -> bool:
    """Lower-case UUID with dashes."""
    return _UUID.fullmatch(text) is not None


def is_file_name(text: str) -> bool:
    """A name of a file in a jail: no path, and no name that starts with a dot or a dash."""
    return _FILE_NAME.fullmatch(text) is not None


def is_correlation_id(text: str) -> bool:
    """1 to 128 characters that no log or query needs to escape."""
    return _CORRELATION_ID.fullmatch(text) is not None


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """Parse what `Timestamp` accepts."""
    return datetime.fromisoformat(text)


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


Uuid = Annotated[str, Check(is_uuid, "a UUID")]
Timestamp = Annotated[str, Check(_is_time, "an RFC 3339 time in UTC with milliseconds")]
CorrelationId = Annotated[str, Check(is_correlation_id, "a correlation id")]
NodeId = Annotated[str, length(1, 128)]
LanguageName = Annotated[str, one_of(*Language)]
IsolationMode = Annotated[str, one_of("strict", "permissive")]
CgroupBackend = Annotated[str, one_of("cgroup_v1", "cgroup_v2")]
OutputKey = Annotated[str, matching(_OUTPUT_KEY, "outputs/<submission>/<execution>/<stream>")]
CaseOutputKey = Annotated[str, matching(_CASE_OUTPUT_KEY, "outputs/<submission>/<execution>/case-<index>-stdout")]
CasesKey = Annotated[str, matching(_CASES_KEY, "outputs/<submission>/<execution>/cases")]
JudgingKey = Annotated[str, matching(_JUDGING_KEY, "judge-inputs/<name>")]
StoredFileKey = Annotated[str, matching(_STORED_FILE_KEY, "files/<name>")]
Sha256 = Annotated[str, matching(_SHA256, "a SHA-256 in hexadecimal")]
Variables = Annotated[dict[str, str], Check(are_variables, "variables that a program may get")]
Count = Annotated[int, at_least(0)]
Amount = Annotated[float, at_least(0)]
Positive = Annotated[float, Check(lambda value: value > 0, "above 0")]
PositiveCount = Annotated[int, at_least(1)]
Arguments = Annotated[
    tuple[Annotated[str, length(0, 1024), Check(lambda text: "\0" not in text, "without NUL")], ...],
    length(0, 64),
]
