"""The commit of a GitHub event. Owner, name and hash become parts of a URL, so only their strict forms are taken. Pure.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import re
from dataclasses import dataclass
from typing import Any

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. `repository`: owner/name."""

    repository: str
    sha: str


def commit_of(event_type: str, document: Any) -> Commit | None:
    """Return the commit of a `push` or a `pull_request.…`; None for other events, and for a deleted branch."""
    match event_type.partition(".")[0], document:
        case "push", {"repository": {"full_name": str(repository)}, "after": str(sha)}:
            pass
        case "pull_request", {
            "repository": {"full_name": str(repository)},
            "pull_request": {"head": {"sha": str(sha)}},
        }:
            pass
        case _:
            return None
    if not _REPOSITORY.fullmatch(repository) or not _SHA.fullmatch(sha) or not sha.strip("0"):
        return None
    return Commit(repository, sha)
