"""The event `check.requested` of the project's bus: others start checks by id, slug or tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from events import MessageInvalidError
from functions.checks.events.start import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.checks.events.start import Starter
    from functions.checks.settings.model import Check
    from functions.checks.settings.store import CheckStore

EVENT_REQUESTED = "check.requested"
_Name = Annotated[str, Field(min_length=1, max_length=256)]


class CheckRequested(BaseModel):
    """The `detail` of the event: the project, and one of check id, slug and tag.

    `event_id`: a repeat with the same one runs nothing; without it, the id that EventBridge gave the event.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    project_id: _Name
    check_id: _Name | None = None
    slug: _Name | None = None
    tag: _Name | None = None
    event_id: _Name | None = None
    event: dict[str, JsonValue] | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, envelope: Mapping[str, Any]) -> CheckRequested:
        """Read an event as a rule's target gets it. Raises MessageInvalidError."""
        try:
            request = cls.model_validate(envelope.get("detail"))
        except ValidationError as error:
            places = sorted({".".join(map(str, problem["loc"][:1])) or "detail" for problem in error.errors()})
            raise MessageInvalidError(EVENT_REQUESTED, f"wrong {', '.join(places)}") from None
        if sum(name is not None for name in (request.check_id, request.slug, request.tag)) != 1:
            raise MessageInvalidError(EVENT_REQUESTED, "needs one of check_id, slug and tag")
        return request if request.event_id else request.model_copy(update={"event_id": str(envelope.get("id"))})


@dataclass(frozen=True, slots=True)
class RequestedRuns:
    """Starts the checks that an event asks for. Repeating the call is safe."""

    store: CheckStore
    starter: Starter

    def start(self, request: CheckRequested) -> None:
        """Start the checks. Raises MessageInvalidError if there is none, and the errors of the table."""
        checks = self._checks(request)
        if not checks:
            raise MessageInvalidError(EVENT_REQUESTED, "the project has no such check")
        reason = f"requested by the event {request.event_id}"
        self.starter.start_all(checks, Cause(f"bus:{request.event_id}", reason, request.event))

    def _checks(self, request: CheckRequested) -> list[Check]:
        if request.tag is not None:
            return [check for check in self.store.list_all(request.project_id) if request.tag in check.settings.tags]
        check_id = request.check_id or self.store.id_of_slug(request.project_id, request.slug or "")
        check = None if check_id is None else self.store.get(request.project_id, check_id)
        return [] if check is None else [check]
