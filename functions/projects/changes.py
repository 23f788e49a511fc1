"""Changes of a project by requests, as events `project.changed`: who changed what, from where, before and after.

A route plans the event and gives its actions to the store, which writes them with the change in one transaction.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypedDict

from pydantic import Field

from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import to_rfc3339
from functions.env import Env
from functions.http.http_event import HttpEvent
from functions.http.json_body import body_text
from functions.http.openapi.bodies import Time

ADMIN_LOG = "*"
"""In place of a project's id: the log of the administrator's changes. No project has this id."""
MOST_VALUE_BYTES, MOST_BYTES = 1_024, 8_192
"""Of one value as JSON, and of all values before or after a change. A larger one is replaced by its hash and size."""
_ONLY_HASHED = frozenset({"code", "stdin", "files"})

type Action = Literal[
    "project.created",
    "project.changed",
    "project.purged",
    "key.issued",
    "key.changed",
    "key.revoked",
    "endpoint.created",
    "endpoint.changed",
    "endpoint.deleted",
    "endpoint.secret_replaced",
    "check.created",
    "check.changed",
    "check.deleted",
    "check.secret_replaced",
    "check.ping_url_replaced",
    "quiet_times.changed",
    "status_page.changed",
    "status_page.deleted",
    "problem.pushed",
    "problem.deleted",
    "secret.set",
    "secret.deleted",
    "runner_token.created",
    "runner_token.revoked",
]
type _Fields = Mapping[str, Any]


class ProjectChangedEvent(TypedDict):
    """A request has changed a project. Secret values are `***`; of an address of a receiver there is the host only."""

    type: Literal["project.changed"]
    timestamp: Time
    project_id: Annotated[str, Field(description="`*`: no project, but something of the administrator.")]
    action: Action
    subject: Annotated[str, Field(description="The id or the name of what has changed.")]
    by: Literal["key", "administrator"]
    key_prefix: Annotated[str | None, Field(description="Of the API key: its first characters. null: administrator.")]
    key_name: str | None
    address: Annotated[str, Field(description="Of the client, as the gateway saw it.")]
    before: Annotated[dict[str, Any] | None, Field(description="The changed fields. null: it is new, or a secret.")]
    after: Annotated[dict[str, Any] | None, Field(description="The same. A long value is its `sha256` and `bytes`.")]


class Change(NamedTuple):
    """A change to plan. `subject`: an id or a name. `before`, `after`: views without secrets; None: there is none.

    `hidden`: names of fields whose secret value changes.
    """

    project_id: str
    action: Action
    subject: str
    before: _Fields | None = None
    after: _Fields | None = None
    hidden: Collection[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether both views are there, and nothing differs."""
        return self.before is not None and self.after is not None and not self._names

    @property
    def _names(self) -> tuple[str, ...]:
        before, after = self.before or {}, self.after or {}
        names = dict.fromkeys((*before, *after))
        return tuple(name for name in names if before.get(name) != after.get(name) or name in self.hidden)

    def body(self, event: HttpEvent, now_ms: int) -> ProjectChangedEvent:
        """Return the body of its event. `event`: the request, which has been authenticated."""
        names = self._names
        return {
            "type": "project.changed",
            "timestamp": to_rfc3339(now_ms),
            "project_id": self.project_id,
            "action": self.action,
            "subject": self.subject,
            "by": event.caller.by,
            "key_prefix": event.caller.key_prefix,
            "key_name": event.caller.key_name,
            "address": event.request_context.http.source_ip,
            "before": None if self.before is None else _bounded(self.before, names),
            "after": None if self.after is None else _bounded(self.after, names),
        }


def _bounded(fields: _Fields, names: Sequence[str]) -> dict[str, Any]:
    left_bytes, shown = MOST_BYTES, dict[str, Any]()
    for name in (name for name in names if name in fields):
        text = body_text(fields[name]).encode(errors="replace")
        if len(text) > min(MOST_VALUE_BYTES, left_bytes) or name in _ONLY_HASHED:
            shown[name] = {"sha256": sha256(text).hexdigest(), "bytes": len(text)}
        else:
            shown[name] = fields[name]
            left_bytes -= len(text)
    return shown


class ChangeLog(Protocol):
    """Plans events of changes. `webhooks.changes` has the only one."""

    def plan(self, event: HttpEvent, change: Change, skip_endpoint_id: str | None = None) -> Any:
        """Return the planned event, with `actions` for the transaction of its change; none if nothing changes."""

    def send(self, planned: Any) -> None:
        """Have its webhooks sent, after the transaction. Never raises: the sweeper sends late ones."""


def change_log(_env: Env) -> ChangeLog:
    """Return the log of changes. The entry point provides it."""
    raise LookupError("change_log")


def record[Row](
    env: Env,
    event: HttpEvent,
    change: Change,
    write: Callable[[Sequence[Any]], Row],
    skip_endpoint_id: str | None = None,
) -> Row:
    """Write a change with its event, and return what `write` returns; None and False say that it wrote nothing.

    `write` gets actions for the transaction of the change.
    """
    log = env[change_log]
    planned = log.plan(event, change, skip_endpoint_id)
    written = write(planned.actions)
    if written is not None and written is not False:
        log.send(planned)
    return written


def record_beginning(env: Env, event: HttpEvent, change: Change) -> None:
    """Write the event of a change that is no transaction, before it: after a crash it is known that it has begun."""
    record(env, event, change, lambda actions: transact_or_raise(env.dynamodb, {"event": actions}) is None)
