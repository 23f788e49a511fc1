"""A call of a check with its outcome: a row of the log of calls."""

from dataclasses import dataclass
from enum import StrEnum


class CallOutcome(StrEnum):
    """What became of a call."""

    RAN = "ran"
    REPEATED = "repeated"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """One call. `at`: RFC 3339. A call that is not genuine has neither id nor type: anybody may have chosen them."""

    at: str
    outcome: CallOutcome
    reason: str = ""
    event_id: str = ""
    event_type: str = ""
    run_id: str | None = None
    size_bytes: int = 0
