"""What an administrator sees of runners and their tokens. Each `TypedDict` is a schema of the OpenAPI document."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from events.vocabulary import Language
from functions.clock import to_rfc3339
from functions.http.openapi.bodies import Time
from functions.submissions.runners.runner_store import RunnerToken, SeenRunner

type RunnerState = Literal["live", "draining", "unable", "silent"]


class RunnerBody(TypedDict):
    """One runner, as its last report describes it."""

    node_id: Annotated[str, Field(description="Its name; of a runner that joined with a token, that of the token.")]
    state: Annotated[
        RunnerState,
        Field(
            description="`live`: it reported within a minute. `draining`: it takes no more work. "
            "`unable`: it said why it cannot work. `silent`: its last report is older."
        ),
    ]
    version: str
    slots: int
    slots_busy: int
    languages: list[Language]
    network_support: bool
    reported_at: Time
    problem: str | None


class RunnerList(TypedDict):
    """The runners of the last 24 h, by name."""

    items: list[RunnerBody]


class RunnerTokenBody(TypedDict):
    """The properties of a token."""

    name: str
    created_at: Time
    revoked_at: Time | None
    runner: Annotated[RunnerBody | None, Field(description="The runner of this name; null without a report in 24 h.")]


class CreatedRunnerTokenBody(RunnerTokenBody):
    """A new token."""

    token: Annotated[str, Field(description="The token itself. It is shown here and never again.")]
    listener: Annotated[str, Field(description="Address and port at which this machine takes runners.")]
    fingerprint: Annotated[
        str | None,
        Field(description="Of the machine's certificate, if it made that itself. The runner's host pins it."),
    ]


class RunnerTokenList(TypedDict):
    """All tokens, by name. A revoked one stays for 90 days."""

    items: list[RunnerTokenBody]


def runner_body(seen: SeenRunner, now_ms: int) -> RunnerBody:
    """Return the body of a runner."""
    one = seen.heartbeat
    return {
        "node_id": one.node_id,
        "state": _state(seen),
        "version": one.runner_version,
        "slots": one.slots,
        "slots_busy": one.slots_busy,
        "languages": [Language(name) for name in one.languages],
        "network_support": bool(one.network_support),
        "reported_at": to_rfc3339(now_ms - seen.age_ms),
        "problem": one.problem,
    }


def runner_token_body(token: RunnerToken, seen: SeenRunner | None, now_ms: int) -> RunnerTokenBody:
    """Return the body of a token. `seen`: the runner of its name."""
    return {
        "name": token.name,
        "created_at": token.created_at,
        "revoked_at": token.revoked_at,
        "runner": None if seen is None else runner_body(seen, now_ms),
    }


def created_token_body(record: RunnerToken, token: str, listener: str, fingerprint: str) -> CreatedRunnerTokenBody:
    """Return the body of a new token."""
    return {
        **runner_token_body(record, None, 0),
        "token": token,
        "listener": listener,
        "fingerprint": fingerprint or None,
    }


def _state(seen: SeenRunner) -> RunnerState:
    if seen.is_live:
        return "live"
    if seen.is_unable:
        return "unable"
    return "draining" if seen.is_recent else "silent"
