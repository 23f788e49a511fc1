"""The settings of a check: the form of requests, of the row and of its runs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field

from events.variables import MAX_VARIABLES, Environment
from events.vocabulary import Language, Profile
from functions.checks.assertions import MAX_PATH_CHARS, PATH_PATTERN, Assertions, Path, to_stored
from functions.checks.schedule import ScheduleInvalidError, find_zone, parse_schedule
from functions.checks.settings.triggers import SLUG, EventAs, Trigger
from functions.checks.state import MAX_OF_RUNS, MAX_RETRIES, QuietTime, Rules
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import FieldProblem
from functions.http.validation import Problems, StrictModel, Text, checked_line, checked_moment
from functions.submissions.accept.program_fields import ARTIFACTS, ArtifactsRequest, CompileArgs, Files, RequestLimits
from functions.submissions.accept.requests import (
    CODE_MAX_BYTES,
    STDIN_MAX_BYTES,
    NetworkRequest,
    ProgramRules,
    SubmitRequest,
    ValidSubmission,
    check_submission,
)
from functions.webhooks.deliveries.model import TOKEN


def schedule_problems(schedule: str | None, timezone: str, place: str = "") -> Iterator[FieldProblem]:
    """Yield the problems of both fields. `place`: of the object that has them, with a dot at its end."""
    try:
        find_zone(timezone)
    except ScheduleInvalidError as invalid:
        yield FieldProblem(f"{place}timezone", str(invalid))
        timezone = "UTC"
    try:
        if schedule is not None:
            parse_schedule(schedule, timezone)
    except ScheduleInvalidError as invalid:
        yield FieldProblem(f"{place}schedule", str(invalid))


MOST_TIMES = 10
MOST_TAGS = 50
_WEEK_MINUTES = 7 * 1440
TAG = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"


class Quiet(StrictModel):
    """Minutes after each time of a schedule in which changes of the state are not sent."""

    schedule: Text = Field(
        max_length=200, description="When it begins: a cron expression.", examples=["cron(0 2 * * ? *)"]
    )
    minutes: int = Field(ge=1, le=_WEEK_MINUTES, description="How long it lasts.", examples=[60])
    timezone: Text = Field(default="UTC", max_length=64, description="IANA time zone.", examples=["Europe/Berlin"])

    @property
    def time(self) -> QuietTime:
        return QuietTime(parse_schedule(self.schedule, self.timezone), self.minutes)


QuietTimes = Annotated[list[Quiet], Field(max_length=MOST_TIMES)]


class TagQuietTimes(StrictModel):
    """Body of PUT /api/quiet-times: quiet times of all checks with a tag."""

    tags: dict[Annotated[str, Field(pattern=TAG)], QuietTimes] = Field(
        max_length=MOST_TAGS,
        description="Quiet times by tag. They replace those before.",
        examples=[{"database": [{"schedule": "cron(0 2 ? * SUN *)", "minutes": 120}]}],
    )


def quiet_problems(field: str, times: Iterable[Quiet]) -> Iterator[FieldProblem]:
    """Yield the schedules and time zones that cannot be used."""
    for index, quiet in enumerate(times):
        place = f"{field}.{index}."
        problems = list(schedule_problems(quiet.schedule, quiet.timezone, place))
        yield from problems
        if not problems and quiet.time.schedule.cron is None:
            text = "A quiet time begins at times of a clock, not at a rate. Example: cron(0 2 * * ? *)"
            yield FieldProblem(f"{place}schedule", text)


GITHUB_API: Final = "https://api.github.com"
_HTTP_URL = r"^https?://[!-~]+$"


class GithubStatus(StrictModel):
    """The status of the commit whose signed GitHub event started the run."""

    # https://docs.github.com/en/rest/commits/statuses#create-a-commit-status

    token: Annotated[str, Field(pattern=TOKEN)] = Field(
        repr=False,
        description="May write commit statuses of the repository. Sealed, and never shown again: it reads ***. "
        "Send *** in a change to keep it.",
    )
    context: Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(checked_line)] | None = Field(
        default=None, description="Label of the status. Default: rustbox/ and the slug.", examples=["rustbox/tests"]
    )
    api_url: Annotated[str, Field(pattern=_HTTP_URL, max_length=200)] = Field(
        default=GITHUB_API,
        description="Of GitHub Enterprise Server: https://HOST/api/v3. The rules are those of webhook URLs.",
    )


class Report(StrictModel):
    """Where the end of a run is told, beside webhooks."""

    github_status: GithubStatus

    def with_token(self, token: str) -> Self:
        return self.model_copy(update={"github_status": self.github_status.model_copy(update={"token": token})})


MOST_WAIT_SECS: Final = 900
"""The longest delay of a message of SQS."""


class Grouping(StrictModel):
    """Calls with one key, such as the pushes to one branch: they are one run after silence, or run in order.

    At most `at_most` runs are unfinished.
    """

    key: Path | None = Field(
        default=None,
        max_length=MAX_PATH_CHARS,
        description="Path of a text, number or boolean in the event. Calls with the same value are a group, and so are "
        "all calls without one. Default: all calls of the check are one group.",
        examples=["$.ref"],
        json_schema_extra={"pattern": PATH_PATTERN},
    )
    debounce_secs: int | None = Field(
        default=None,
        ge=1,
        le=MOST_WAIT_SECS,
        description="Calls are one run, when none has come for so long: that of the latest. The others are superseded. "
        "Default: each call runs, in order.",
    )
    most_secs: int | None = Field(
        default=None,
        ge=1,
        le=MOST_WAIT_SECS,
        description=f"With debounce_secs: a run starts so long after the first call at the latest, if fewer than "
        f"at_most are unfinished. Default: {MOST_WAIT_SECS}.",
    )
    at_most: int = Field(
        default=1, ge=1, le=100, description="Runs of a key that may be unfinished, with their retries. Others wait."
    )

    def wait_ends_ms(self, first_ms: int, last_ms: int) -> int:
        """Return when the wait of calls ends; `first_ms`, `last_ms`: the times of the first and of the last one."""
        if self.debounce_secs is None:
            return first_ms
        most_secs = self.most_secs or MOST_WAIT_SECS
        return min(last_ms + self.debounce_secs * MS_PER_SEC, first_ms + most_secs * MS_PER_SEC)


def group_problems(group: Grouping | None) -> Iterator[FieldProblem]:
    """Yield the times that do not fit together."""
    if group is None or group.most_secs is None:
        return
    if group.debounce_secs is None:
        yield FieldProblem("group.most_secs", "Only with debounce_secs.", of=("group.debounce_secs",))
    elif group.most_secs < group.debounce_secs:
        text = f"Must be at least debounce_secs ({group.debounce_secs})."
        yield FieldProblem("group.most_secs", text, of=("group.debounce_secs",))


_MOST_GRACE_MINUTES = 720
"""Half of the time that an idempotency key is kept: a repeat of an accepted run always finds its submission."""
_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_EVENT = r"^[!-+\--~]([ -+\--~]{0,126}[!-+\--~])?$"
"""Printable ASCII without commas: a header that came twice has a comma."""
SOURCE_FIELDS = frozenset({"code", "stdin", "files"})
"""Settings in the row of a check's source; lists of checks do not show them."""
HIDDEN = "***"
"""Shown in place of a variable's value."""


# `str`, not `Text`: behind a function, the schema would lose the pattern. pydantic refuses half characters itself.
Slug = Annotated[str, Field(pattern=SLUG)]
Tag = Annotated[str, Field(pattern=TAG)]
EventName = Annotated[str, Field(pattern=_EVENT)]
RunbookUrl = Annotated[str, Field(pattern=_HTTP_URL, max_length=150)]  # as long as a value of a chat card
NotifiedId = Annotated[str, Field(pattern=_UUID)]


def without_program(stored: dict[str, Any]) -> dict[str, Any]:
    """Return stored settings without code, stdin and files."""
    return {name: value for name, value in stored.items() if name not in SOURCE_FIELDS}


class CheckKind(StrEnum):
    """The kind of a check: it runs its own program, or a job elsewhere reports its ends."""

    PROGRAM = "program"
    HEARTBEAT = "heartbeat"


class Overlap(StrEnum):
    """What happens at a scheduled time while the run before is still going on."""

    SKIP = "skip"
    ALLOW = "allow"


class MissedRule(StrEnum):
    """What happens with runs that could not start in time."""

    RUN_LATEST = "run_latest"
    SKIP = "skip"


class FailAfter(StrictModel):
    """N of the last M runs must fail before the state is failing."""

    needed: int = Field(default=1, ge=1, le=MAX_OF_RUNS)
    of: int = Field(default=1, ge=1, le=MAX_OF_RUNS)


def _of_program(schema: dict[str, Any]) -> None:
    """Describe the code of a program: the default, no code, is that of a heartbeat."""
    schema["maxLength"] = CODE_MAX_BYTES
    schema.pop("default", None)


class CheckSettings(StrictModel):
    """Body of POST /api/checks. An unknown field is refused."""

    name: Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(checked_line)]
    slug: Slug | None = Field(
        default=None, description="Unique in the project; identifies the check in checks.yaml. Default: from the name."
    )
    kind: CheckKind = Field(
        default=CheckKind.PROGRAM,
        strict=False,
        description="program: it runs by itself. heartbeat: a job elsewhere reports each of its ends with a ping; it "
        "has a schedule and grace_minutes, and no program.",
    )
    language: Text | None = Field(
        default=None,
        description="As in POST /api/submit. Required for a program; a heartbeat has none.",
        examples=["python"],
    )
    code: Text = Field(
        default="",
        min_length=1,
        repr=False,
        description="Required for a program.",
        json_schema_extra=_of_program,
    )
    stdin: Text = Field(default="", repr=False, json_schema_extra={"maxLength": STDIN_MAX_BYTES})
    profile: Profile = Field(default=Profile.JUDGE, strict=False)
    limits: RequestLimits | None = None
    network: NetworkRequest | None = Field(
        default=None,
        description="The hosts that the program may reach. A check with network has the agent profile. A program can "
        "send the values of env to these hosts.",
    )
    artifacts: ArtifactsRequest | None = Field(default=None, description=f"{ARTIFACTS} Results of its runs list them.")
    files: Files = Field(
        default=[],
        repr=False,
        description="Files for the program, as in POST /api/submit; their contents have at most 32,768 bytes together. "
        "Stored files (sha256) stay while the check names them.",
    )
    compile_args: CompileArgs = Field(default=[], description="Options of the compiler, one each.")
    env: dict[Text, Text] = Field(
        default={},
        repr=False,
        max_length=MAX_VARIABLES,
        description="Environment variables of the program. Sealed at rest, masked in its output, and never shown "
        "again: each value reads ***. Send *** in a change to keep a value.",
        examples=[{"API_TOKEN": "…"}],
    )
    event_as: EventAs = Field(
        default=EventAs.VARIABLE,
        strict=False,
        description="How the program gets the data of an event: as RUSTBOX_EVENT, or as its standard input.",
    )
    events: list[EventName] = Field(
        default=[],
        max_length=20,
        description="Types of signed calls that run it: pull_request also names pull_request.opened. Default: all.",
        examples=[["push", "pull_request.opened"]],
    )
    match: dict[Path, str | int | float | bool] = Field(
        default={},
        max_length=8,
        description="Values that the JSON of a signed call must have, by their paths. Other calls run nothing.",
        examples=[{"$.ref": "refs/heads/main"}],
        json_schema_extra={"propertyNames": {"pattern": PATH_PATTERN, "maxLength": MAX_PATH_CHARS}},
    )
    schedule: Text | None = Field(
        default=None,
        max_length=200,
        description="cron(30 2 * * ? *) as in EventBridge Scheduler, 30 2 * * * as in Unix, or rate(5 minutes). "
        "None: it runs on request only.",
        examples=["cron(30 2 * * ? *)", "*/5 * * * *", "rate(5 minutes)"],
    )
    timezone: Text = Field(default="UTC", max_length=64, description="IANA time zone.", examples=["Europe/Berlin"])
    spread_minutes: int | None = Field(
        default=None,
        ge=0,
        le=60,
        description="Runs start up to so much later, always the same for one check. Default: 10 for daily and rarer, "
        "none without a schedule.",
    )
    trigger: Trigger | None = Field(
        default=None,
        description="Also run it when a run of another check has ended, or a submission with some metadata.",
        examples=[{"type": "check", "slug": "import"}, {"type": "submission", "metadata": {"suite": "nightly"}}],
    )
    group: Grouping | None = Field(
        default=None,
        description="How calls that come close together run: signed calls, events, triggers and requests. Runs of the "
        "schedule are in no group.",
        examples=[{"key": "$.ref", "debounce_secs": 10, "most_secs": 120, "at_most": 1}],
    )
    overlap: Overlap = Field(default=Overlap.SKIP, strict=False, description="While the run before goes on.")
    missed: MissedRule = Field(
        default=MissedRule.RUN_LATEST, strict=False, description="For runs that could not start in time."
    )
    grace_minutes: int = Field(
        default=60,
        ge=1,
        le=_MOST_GRACE_MINUTES,
        description="How late a missed run may still start, or the ping of a heartbeat may come.",
    )
    faster_while_failing: Text | None = Field(
        default=None, max_length=200, description="One more schedule while failing.", examples=["rate(5 minutes)"]
    )
    assertions: Assertions = Field(
        default=[],
        description="All must hold. Without a verdict among them, AC is expected too; with network and without "
        "network among them, that no connection failed.",
    )
    retries: int = Field(
        default=0, ge=0, le=MAX_RETRIES, description="Repeats of a failed run, after 30, 60 and 120 s."
    )
    fail_after: FailAfter = FailAfter()
    remind_hours: int = Field(default=0, ge=0, le=720, description="Repeat the alarm while failing. 0: never.")
    notify: list[NotifiedId] = Field(
        default=[],
        max_length=50,
        description="Ids of the webhook endpoints that get the events of this check. Default, and if none of them "
        "exists any more: all of the project.",
    )
    muted_until: Annotated[Text, AfterValidator(checked_moment)] | None = Field(
        default=None, description="No events until then; history goes on.", json_schema_extra={"format": "date-time"}
    )
    quiet: QuietTimes = Field(
        default=[],
        description="When changes of the state are not sent: the minutes after each time of a cron schedule. The check "
        "runs. Afterwards one event tells the state, if it is not the one sent last.",
        examples=[[{"schedule": "cron(0 2 ? * SUN *)", "minutes": 120, "timezone": "Europe/Berlin"}]],
    )
    runbook_url: RunbookUrl | None = Field(
        default=None,
        description="A page that says what to do when the check fails. Its alarms link to it.",
        examples=["https://wiki.example.com/runbooks/totals"],
    )
    report: Report | None = Field(
        default=None,
        description="Also set the status of the commit whose signed GitHub event started the run.",
        examples=[{"github_status": {"context": "rustbox/tests", "token": "github_pat_example"}}],
    )
    should_fail: bool = Field(default=False, description="The check passes if its assertions do not hold.")
    tags: list[Tag] = Field(default=[], max_length=20)

    @property
    def is_heartbeat(self) -> bool:
        return self.kind is CheckKind.HEARTBEAT

    @property
    def rules(self) -> Rules:
        muted_until_ms = None if self.muted_until is None else from_rfc3339(self.muted_until)
        return Rules(
            failures_needed=self.fail_after.needed,
            of_runs=self.fail_after.of,
            retries=self.retries,
            remind_hours=self.remind_hours,
            muted_until_ms=muted_until_ms,
            quiet=tuple(quiet.time for quiet in self.quiet),
        )

    @property
    def stored_files(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.sha256 for entry in self.files if entry.sha256 is not None))

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        return () if self.network is None else tuple(self.network.allow or ())

    @property
    def hidden(self) -> Self:
        """The settings without the values of its variables."""
        return self.model_copy(update={"env": dict.fromkeys(self.env, HIDDEN)})

    def stored(self) -> dict[str, Any]:
        """Return them as JSON values, as a client sends them, with the defaults of a check's own fields."""
        as_given = ("trigger", "group", "report")
        values = self.model_dump(mode="json", exclude={"assertions", *as_given}, exclude_none=True)
        for name in ("code", "files", "compile_args"):
            if not values[name]:
                del values[name]
        for name in as_given:
            if (value := getattr(self, name)) is not None:
                values[name] = value.model_dump(mode="json", exclude_unset=True)
        return {**values, "assertions": to_stored(self.assertions)}

    def program(self) -> dict[str, Any]:
        """Return the fields of its program, as POST /api/submit has them."""
        names = set(SubmitRequest.model_fields) - {"env"}  # a check's variables are sealed, and opened for each run
        fields = self.model_dump(mode="json", include=names, exclude_none=True)
        return {"language": "", **fields}

    def submission(self, metadata: Mapping[str, str], environment: Environment | None = None) -> ValidSubmission:
        """Return its program as a submission. Raises BadRequestError, InvalidFieldsError."""
        body = {**self.program(), "metadata": metadata}
        valid = check_submission(body, ProgramRules(tuple(Language)), Problems())
        return replace(valid, program=replace(valid.program, environment=environment))


_OF_HEARTBEATS = (
    *("name", "slug", "kind", "schedule", "timezone", "grace_minutes", "fail_after", "remind_hours", "notify"),
    *("muted_until", "quiet", "runbook_url", "tags"),
)
ONLY_OF_PROGRAMS = tuple(name for name in CheckSettings.model_fields if name not in _OF_HEARTBEATS)
"""Settings that a heartbeat does not have."""
