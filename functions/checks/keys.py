"""Keys of the checks table."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from functions.aws.dynamodb.items import key

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Key

CHECK_PREFIX = "CHECK#"


def checks_pk(project_id: str) -> str:
    """Return the partition key of all checks of a project."""
    return f"PROJECT#{project_id}"


def check_key(project_id: str, check_id: str) -> Key:
    """Return the key of a check."""
    return key(checks_pk(project_id), CHECK_PREFIX + check_id)


def clock_key() -> Key:
    """Return the key of the latest time at which the schedule has fired."""
    return key("CLOCK", "CLOCK")


def ids_of_check(pk: str, sk: str) -> tuple[str, str]:
    """Return project id and check id from the key of a check."""
    return pk.removeprefix("PROJECT#"), sk.removeprefix(CHECK_PREFIX)


def source_key(project_id: str, check_id: str) -> Key:
    """Return the key of the code and stdin of a check."""
    return key(checks_pk(project_id), f"SOURCE#{check_id}")


def good_key(project_id: str, check_id: str) -> Key:
    """Return the key of the last good output of a check."""
    return key(checks_pk(project_id), f"GOOD#{check_id}")


def slug_key(project_id: str, slug: str) -> Key:
    """Return the key that makes a slug unique."""
    return key(checks_pk(project_id), f"SLUG#{slug}")


def count_key(project_id: str) -> Key:
    """Return the key of the number of checks. It must not match CHECK_PREFIX."""
    return key(checks_pk(project_id), "CHECKS")


def requests_key(project_id: str, profile: str, hour: int) -> Key:
    """Return the key of the number of runs that a project requested in an hour since the epoch."""
    return key(checks_pk(project_id), f"REQUESTS#{profile}#{hour}")


def badge_key(token: str) -> Key:
    """Return the key of a badge."""
    return key(f"BADGE#{token}", "BADGE")


def hook_key(check_id: str) -> Key:
    """Return the key of the inbound secret of a check."""
    return key(f"HOOK#{check_id}", "HOOK")


def event_key(check_id: str, event_id: str) -> Key:
    """Return the key that makes an event of a check unique. It holds a hash: senders choose the id."""
    return key(f"INBOUND#{check_id}", hashlib.sha256(event_id.encode(errors="surrogatepass")).hexdigest())


def triggers_pk(project_id: str) -> str:
    """Return the partition key of the triggers of a project."""
    return f"TRIGGERS#{project_id}"


def trigger_key(project_id: str, check_id: str) -> Key:
    """Return the key of the trigger of a check."""
    return key(triggers_pk(project_id), check_id)


def runs_pk(project_id: str, check_id: str) -> str:
    """Return the partition key of the history of a check."""
    return f"RUNS#{project_id}#{check_id}"


def run_key(project_id: str, check_id: str, position: str) -> Key:
    """Return the key of a run, by its place in the history."""
    return key(runs_pk(project_id, check_id), position)
