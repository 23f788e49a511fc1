"""Check and normalise the settings of a check. A wrong field raises InvalidFieldsError (422, with fields)."""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from events.limits import ceilings
from events.variables import NAME_PATTERN
from events.vocabulary import ALIASES, LANGUAGES, Language, Profile
from functions.checks.assertions import PATH_PATTERN
from functions.checks.schedule import MINUTE_MS, ScheduleInvalidError, in_zone, parse_schedule
from functions.checks.settings.check_settings import (
    ONLY_OF_PROGRAMS,
    CheckKind,
    CheckSettings,
    group_problems,
    quiet_problems,
    schedule_problems,
    without_program,
)
from functions.checks.state import MAX_OF_RUNS
from functions.errors import BadRequestError, FieldProblem
from functions.http.validation import Problems, StrictModel, checked, read_object
from functions.submissions.accept.program_fields import variable_problems
from functions.submissions.accept.requests import CODE_MAX_BYTES, STDIN_MAX_BYTES, ProgramRules, read_submission

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


class RunNowRequest(StrictModel):
    """Body of POST /api/checks/{id}/run; optional."""

    affects_state: bool = Field(default=True, description="false: a test; the state stays, and no event is sent.")
    event: dict[str, JsonValue] | None = Field(
        default=None,
        description="Data for the program, in JSON: at most 1,400 bytes, or 65,536 with event_as stdin.",
    )


type MoreRules = Callable[[CheckSettings], Iterable[FieldProblem]]
"""Rules that need more than the settings."""


def next_times(schedule: str, timezone: str, now_ms: int, count: int) -> list[str]:
    """Return the next times of a schedule, in its zone. Raises InvalidFieldsError."""
    problems = Problems()
    problems.add(schedule_problems(schedule, timezone))
    problems.refuse()
    times = parse_schedule(schedule, timezone).times_after(now_ms, now_ms // MINUTE_MS * MINUTE_MS)
    return [in_zone(time, timezone) for time in islice(times, count)]


def new_settings(raw: bytes, now_ms: int, more: MoreRules = lambda _: ()) -> CheckSettings:
    """Return the settings of a new check. Raises BadRequestError, ForbiddenError, InvalidFieldsError."""
    return _settings(object_of(raw), now_ms, Problems(), more)


def changed_settings(before: CheckSettings, raw: bytes, now_ms: int, more: MoreRules = lambda _: ()) -> CheckSettings:
    """Return the settings after a change. Raises BadRequestError, ForbiddenError, InvalidFieldsError."""
    changes, problems = object_of(raw), Problems()
    if changes.get("kind", before.kind) != before.kind:
        problems.add([FieldProblem("kind", "A check keeps its kind. Create another check.")])
        del changes["kind"]
    stored = before.stored()
    if changes.get("network") is not None and "profile" not in changes:
        stored.pop("profile", None)  # the profile of a check with network
    if changes.get("schedule", before.schedule) != before.schedule and "spread_minutes" not in changes:
        stored.pop("spread_minutes", None)  # its default follows the schedule
    merged = {name: value for name, value in {**stored, **changes}.items() if value is not None}
    return _settings(merged, now_ms, problems, more)


def object_of(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body. Raises BadRequestError."""
    body, constants = read_object(raw)
    if constants:
        raise BadRequestError("The body is not valid JSON: NaN and Infinity are no JSON numbers.")
    return body


def _settings(body: dict[str, Any], now_ms: int, problems: Problems, more: MoreRules) -> CheckSettings:
    settings = checked(CheckSettings, body, problems=problems)
    if settings.network is not None and not settings.is_heartbeat and "profile" not in settings.model_fields_set:
        settings = settings.model_copy(update={"profile": Profile.AGENT})
    if settings.is_heartbeat:
        problems.add(_heartbeat_problems(settings))
    elif settings.language or not problems.is_refused("kind"):
        problems.add_refused(_missing_program(settings))
        read_submission(settings.program(), ProgramRules(tuple(Language)), problems)
    problems.add(schedule_problems(settings.schedule, settings.timezone))
    problems.add(_faster_problems(settings))
    problems.add(variable_problems(settings.env))
    problems.add(quiet_problems("quiet", settings.quiet))
    problems.add(group_problems(settings.group))
    problems.add(_size_problems(settings))
    problems.add(_file_problems(settings))
    if settings.fail_after.needed > settings.fail_after.of:
        text = "Must be at most fail_after.of."
        problems.add([FieldProblem("fail_after.needed", text, of=("fail_after.of",))])
    slug = settings.slug or _slug_of(settings.name)
    if not slug:
        text = "The name has no letter or digit for it. Send a slug."
        problems.add([FieldProblem("slug", text, of=("name",))])
    problems.add(more(settings))
    problems.refuse()
    return settings.model_copy(update={"slug": slug, "spread_minutes": _spread_minutes(settings, now_ms)})


def _spread_minutes(settings: CheckSettings, now_ms: int) -> int | None:
    """Return the spread, by default that of the schedule. A heartbeat has none."""
    if settings.spread_minutes is not None or settings.schedule is None or settings.is_heartbeat:
        return settings.spread_minutes
    return parse_schedule(settings.schedule, settings.timezone).default_spread_minutes(now_ms)


def _faster_problems(settings: CheckSettings) -> Iterator[FieldProblem]:
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


def _missing_program(settings: CheckSettings) -> Iterator[FieldProblem]:
    for name in ("language", "code"):
        if not getattr(settings, name):
            yield FieldProblem(name, "This field is required.")


def _heartbeat_problems(settings: CheckSettings) -> Iterator[FieldProblem]:
    """Yield the settings that a heartbeat does not have, and the one that it needs."""
    for name in ONLY_OF_PROGRAMS:
        if getattr(settings, name) != CheckSettings.model_fields[name].get_default():
            yield FieldProblem(name, "A heartbeat has no program, so this field has no effect. Leave it out.")
    if settings.schedule is None:
        yield FieldProblem("schedule", "A heartbeat needs a schedule: when its pings come. Example: rate(1 day)")


def _slug_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:64].strip("-")


_ONLY_OF_ONE_CHECK = ("slug", "name", "kind", "file", "stdin_file")
_LANGUAGES = {"enum": [*sorted(Language), *sorted(ALIASES)]}
_SUFFIXES = {suffix: language for language, row in LANGUAGES.items() for suffix in row.suffixes}
_VARIABLE = {"pattern": NAME_PATTERN}


def _with(each: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of objects that have no such field, or one that fits."""
    return {"properties": {each: schema}}


class JsonSchema(BaseModel):
    """A JSON Schema."""

    model_config = ConfigDict(extra="allow")


def file_schema() -> dict[str, Any]:
    """Return the JSON Schema of checks.yaml: settings of a check with `file` for `code`, and `defaults` for all checks.

    The command line validates offline, by a schema of project.yaml that has this one in it. After a change, write it:
    `python -m tests.contract.project_schema`
    """
    settings = CheckSettings.model_json_schema()
    models = settings.pop("$defs")
    models["FailAfter"]["allOf"] = [
        {"if": _with("of", {"maximum": most}), "then": _with("needed", {"maximum": most})}
        for most in range(1, MAX_OF_RUNS)
    ]
    standard = ceilings(Language.PYTHON, Profile.AGENT)  # checks keep the standard ceilings
    for each in ("cpu_time_secs", "wall_time_secs", "memory_mb", "output_kb"):
        number = next(kind for kind in models["RequestLimits"]["properties"][each]["anyOf"] if "maximum" in kind)
        number["maximum"] = getattr(standard, each)
    models["JsonAssertion"]["properties"]["path"]["pattern"] = PATH_PATTERN
    fields = dict(settings["properties"])
    del fields["code"]
    slug = next(kind for kind in fields["slug"]["anyOf"] if kind.get("type") == "string")
    fields["slug"] = {**slug, "description": "Identifies the check in its project. A check keeps its history under it."}
    fields["name"] = {**fields["name"], "description": "For people. Default: the slug."}
    fields["language"] = {
        **_LANGUAGES,
        "x-suffixes": _SUFFIXES,
        "description": "Default: from the suffix of the file.",
    }
    fields["file"] = {
        "type": "string",
        "minLength": 1,
        "x-max-bytes": CODE_MAX_BYTES,
        "description": "The program, relative to checks.yaml.",
        "examples": ["totals.py"],
    }
    fields["stdin_file"] = {
        "type": "string",
        "minLength": 1,
        "x-max-bytes": STDIN_MAX_BYTES,
        "description": "The standard input of the program, relative to checks.yaml, in place of `stdin`.",
        "examples": ["prices.csv"],
    }
    fields["env"] = {
        **fields["env"],
        "propertyNames": _VARIABLE,
        "description": "Environment variables of the program. $NAME is taken from the environment of `rustbox`, "
        "so that no secret lies in this file; $$ is a dollar sign.",
        "examples": [{"API_TOKEN": "$API_TOKEN"}],
    }
    shared = {each: field for each, field in fields.items() if each not in _ONLY_OF_ONE_CHECK}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "checks.yaml",
        "description": "Checks of a Rustbox project, for `rustbox checks`.",
        "type": "object",
        "properties": {
            "defaults": {"$ref": "#/$defs/Defaults"},
            "checks": {"type": "array", "items": {"$ref": "#/$defs/Check"}},
        },
        "required": ["checks"],
        "additionalProperties": False,
        "$defs": {
            **models,
            "Check": {**_model("One check.", fields, ["slug"]), **_KINDS, "allOf": [_JUDGE_LIMITS]},
            "Defaults": _model("Settings of every check that has none of its own.", shared, []),
        },
    }


_KINDS = {
    "if": {"properties": {"kind": {"const": CheckKind.HEARTBEAT.value}}, "required": ["kind"]},
    "then": {
        "required": ["schedule"],
        "properties": {each: {"not": {}} for each in ("file", "stdin_file", *ONLY_OF_PROGRAMS) if each != "code"},
    },
    "else": {"required": ["file"]},
}
"""The fields of each kind: a heartbeat has no program."""


_JUDGE_LIMITS = {
    "if": _with("profile", {"const": Profile.JUDGE.value}),
    "then": _with(
        "limits", _with("wall_time_secs", {"maximum": ceilings(Language.PYTHON, Profile.JUDGE).wall_time_secs})
    ),
}


def _model(description: str, fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    ordered = {each: fields[each] for each in sorted(fields, key=lambda each: (each not in _ONLY_OF_ONE_CHECK, each))}
    return {
        "description": description,
        "type": "object",
        "properties": ordered,
        "required": required,
        "additionalProperties": False,
    }


@functools.cache
def schema_text() -> str:
    """Return the schema as JSON."""
    return json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"
