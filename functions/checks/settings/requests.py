"""Check and normalise the settings of a check. A wrong field raises InvalidFieldsError (422, with fields)."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from functions.checks.schedule.expression import ScheduleInvalidError, find_zone, parse_schedule
from functions.checks.settings.check_settings import ONLY_OF_PROGRAMS, CheckSettings, without_program
from functions.checks.settings.quiet_times import quiet_problems
from functions.errors import BadRequestError, FieldProblem, InvalidFieldsError
from functions.http.validation import checked, read_object
from functions.messages.languages import Profile
from functions.messages.variables import Environment, name_problem

ENV_MAX_BYTES = 2_560
"""As it is sealed for a run, escaped and with the names twice: KMS encrypts 4,096 bytes in a call."""
SETTINGS_MAX_BYTES = 32_768
"""As a row holds them, without the program. So a page of 100 checks fits into an answer."""
FILES_MAX_BYTES = 32_768
"""An item of the table has at most 400 KB, with code and stdin."""


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
    if "kind" in changes and changes["kind"] != before.kind:
        raise InvalidFieldsError((FieldProblem("kind", "A check keeps its kind. Create another check."),))
    stored = before.stored()
    if changes.get("network") is not None and "profile" not in changes:
        stored.pop("profile", None)  # the profile of a check with network
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
    if settings.network is not None and not settings.is_heartbeat and "profile" not in settings.model_fields_set:
        settings = settings.model_copy(update={"profile": Profile.AGENT})
    problems = _kind_problems(settings)
    if problems:
        raise InvalidFieldsError(tuple(problems))
    if not settings.is_heartbeat:
        settings.run_request({})
    problems = [
        *_schedule_problems(settings),
        *_env_problems(settings.env),
        *quiet_problems("quiet", settings.quiet),
        *_size_problems(settings),
        *_file_problems(settings),
    ]
    if settings.fail_after.needed > settings.fail_after.of:
        problems.append(FieldProblem("fail_after.needed", "Must be at most fail_after.of."))
    slug = settings.slug or _slug_of(settings.name)
    if not slug:
        problems.append(FieldProblem("slug", "The name has no letter or digit for it. Send a slug."))
    if problems:
        raise InvalidFieldsError(tuple(problems))
    return settings.model_copy(update={"slug": slug, "spread_minutes": _spread_minutes(settings, now_ms)})


def _spread_minutes(settings: CheckSettings, now_ms: int) -> int | None:
    """Return the spread, by default that of the schedule. A heartbeat has none."""
    if settings.spread_minutes is not None or settings.schedule is None or settings.is_heartbeat:
        return settings.spread_minutes
    return parse_schedule(settings.schedule, settings.timezone).default_spread_minutes(now_ms)


def _schedule_problems(settings: CheckSettings) -> Iterator[FieldProblem]:
    try:
        find_zone(settings.timezone)  # also without a schedule: runs show their times in it
        if settings.schedule is not None:
            parse_schedule(settings.schedule, settings.timezone)
    except ScheduleInvalidError as invalid:
        yield FieldProblem("timezone" if str(invalid).startswith("timezone") else "schedule", str(invalid))
    try:
        if settings.faster_while_failing is not None:
            parse_schedule(settings.faster_while_failing)
    except ScheduleInvalidError as invalid:
        yield FieldProblem("faster_while_failing", str(invalid))


def _size_problems(settings: CheckSettings) -> Iterator[FieldProblem]:
    size = len(json.dumps(without_program(settings.stored()), separators=(",", ":")))
    if size > SETTINGS_MAX_BYTES:
        text = f"All settings but the program have {size:,} bytes in JSON, the limit is {SETTINGS_MAX_BYTES:,}."
        yield FieldProblem("assertions", f"{text} Shorten the texts.")


def _file_problems(settings: CheckSettings) -> Iterator[FieldProblem]:
    size = sum(len(file.content_base64 or (file.content or "").encode()) for file in settings.files)
    if size > FILES_MAX_BYTES:
        text = f"The contents of a check's files have at most {FILES_MAX_BYTES:,} bytes together."
        yield FieldProblem("files", f"{text} Send larger files to /api/files, and name them by sha256.")


def _kind_problems(settings: CheckSettings) -> list[FieldProblem]:
    """Return the settings that its kind needs, and those that it does not have."""
    if not settings.is_heartbeat:
        needed = ("language",) if settings.language is None else ()
        needed = needed if settings.code else (*needed, "code")
        return [FieldProblem(name, "This field is required.") for name in needed]
    problems = [
        FieldProblem(name, "A heartbeat has no program, so this field has no effect. Leave it out.")
        for name in ONLY_OF_PROGRAMS
        if getattr(settings, name) != CheckSettings.model_fields[name].get_default()
    ]
    if settings.schedule is None:
        text = "A heartbeat needs a schedule: when its pings come. Example: rate(1 day)"
        problems.append(FieldProblem("schedule", text))
    return problems


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
