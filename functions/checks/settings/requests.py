"""Check and normalise the settings of a check. A wrong field raises InvalidFieldsError (422, with fields)."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from functions.checks.schedule.expression import ScheduleInvalidError, find_zone, parse_schedule
from functions.checks.settings.check_settings import CheckSettings, without_program
from functions.errors import BadRequestError, FieldProblem, InvalidFieldsError
from functions.http.validation import checked, read_object
from functions.messages.variables import Environment, name_problem

ENV_MAX_BYTES = 2_560
"""As it is sealed for a run, escaped and with the names twice: KMS encrypts 4,096 bytes in a call."""
SETTINGS_MAX_BYTES = 32_768
"""As a row holds them, without the program. So a page of 100 checks fits into an answer."""


class InboundEvent(BaseModel):
    """Any JSON object of at most 1,400 bytes, or 65,536 with `event_as: stdin`. The program gets it."""

    model_config = ConfigDict(extra="allow")


ChangedSettings = create_model(
    "ChangedSettings",
    __doc__="Body of PATCH /api/checks/{id}. Missing fields keep their values; null resets a field to its default.",
    __config__=ConfigDict(extra="forbid", defer_build=True),
    **{  # type: ignore[call-overload]  # the names are those of the fields
        name: (
            Annotated[field.annotation, "of CheckSettings", *field.metadata] | None,
            Field(default=None, description=field.description),
        )
        for name, field in CheckSettings.model_fields.items()
    },
)
"""For the OpenAPI document only, so it is built with it: the merged settings are validated."""


class RunNowRequest(BaseModel):
    """Body of POST /api/checks/{id}/run; optional."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    affects_state: bool = Field(default=True, description="false: a test; the state stays, and no event is sent.")
    event: dict[str, JsonValue] | None = Field(
        default=None,
        description="Data for the program, in JSON: at most 1,400 bytes, or 65,536 with event_as stdin.",
    )


def new_settings(raw: bytes, now_ms: int) -> CheckSettings:
    """Return the settings of a new check. Raises BadRequestError, InvalidFieldsError."""
    return _settings(object_of(raw), now_ms)


def changed_settings(before: CheckSettings, raw: bytes, now_ms: int) -> CheckSettings:
    """Return the settings after a change. Raises BadRequestError, InvalidFieldsError."""
    changes = object_of(raw)
    stored = before.stored()
    if changes.get("schedule", before.schedule) != before.schedule and "spread_minutes" not in changes:
        stored.pop("spread_minutes", None)  # its default follows the schedule
    return _settings({name: value for name, value in {**stored, **changes}.items() if value is not None}, now_ms)


def object_of(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body. Raises BadRequestError."""
    body, constants = read_object(raw)
    if constants:
        raise BadRequestError("The body is not valid JSON: NaN and Infinity are no JSON numbers.")
    return body


def _settings(body: dict[str, Any], now_ms: int) -> CheckSettings:
    settings = checked(CheckSettings, body)
    settings.run_request({})
    problems = []
    spread_minutes = settings.spread_minutes
    try:
        find_zone(settings.timezone)  # also without a schedule: runs show their times in it
        if settings.schedule is not None:
            schedule = parse_schedule(settings.schedule, settings.timezone)
            spread_minutes = schedule.default_spread_minutes(now_ms) if spread_minutes is None else spread_minutes
    except ScheduleInvalidError as invalid:
        field = "timezone" if str(invalid).startswith("timezone") else "schedule"
        problems.append(FieldProblem(field, str(invalid)))
    try:
        if settings.faster_while_failing is not None:
            parse_schedule(settings.faster_while_failing)
    except ScheduleInvalidError as invalid:
        problems.append(FieldProblem("faster_while_failing", str(invalid)))
    problems += _env_problems(settings.env)
    size = len(json.dumps(without_program(settings.stored()), separators=(",", ":")))
    if size > SETTINGS_MAX_BYTES:
        text = f"All settings but the program have {size:,} bytes in JSON, the limit is {SETTINGS_MAX_BYTES:,}."
        problems.append(FieldProblem("assertions", f"{text} Shorten the texts."))
    if settings.fail_after.needed > settings.fail_after.of:
        problems.append(FieldProblem("fail_after.needed", "Must be at most fail_after.of."))
    slug = settings.slug or _slug_of(settings.name)
    if not slug:
        problems.append(FieldProblem("slug", "The name has no letter or digit for it. Send a slug."))
    if problems:
        raise InvalidFieldsError(tuple(problems))
    return settings.model_copy(update={"slug": slug, "spread_minutes": spread_minutes})


def _env_problems(env: Mapping[str, str]) -> list[FieldProblem]:
    problems = [
        FieldProblem(f"env.{name[:64]}", problem) for name in env if (problem := name_problem(name)) is not None
    ]
    problems += [FieldProblem(f"env.{name[:64]}", "A value has no NUL character.") for name in env if "\0" in env[name]]
    if len(Environment(dict(env), tuple(env)).text.encode()) > ENV_MAX_BYTES:
        problems.append(FieldProblem("env", f"At most {ENV_MAX_BYTES:,} bytes of names and values, as JSON."))
    return problems


def _slug_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:64].strip("-")
