"""Submissions, their completions and idempotency claims."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil
from typing import Annotated, Any

from events.files import PlacedFile, read_files, write_files
from events.judged import SIGN_OF_LIFE_SECS
from events.network import NetworkSecret, read_secrets, write_secrets
from events.program import Program
from events.variables import Environment
from events.vocabulary import CANCELLATIONS, Cause, Verdict
from functions.aws.dynamodb.row_codec import JSON, NOT_STORED, OMIT_DEFAULT, As, to_json
from functions.projects.model import QuotaClaim, in_flight_entry
from functions.webhooks.deliveries.model import TransformedDelivery
from functions.webhooks.vocabulary import EVENT_COMPLETED, EVENT_JUDGED

INLINE_INPUT_MAX_BYTES = 8_192
"""Code and stdin that are larger together go to the bucket: each poll reads the whole row, each change writes it."""
INLINE_OUTPUT_MAX_BYTES = 65_536
"""stdout and stderr that are larger together go to the bucket."""
PENDING_MAX_MS = 6 * 3_600_000
"""The sweeper ends a run that has been pending for longer."""
NOT_RUN = "the submission was not run within 6 hours"
CLAIM_SECS = 86_400
"""Retention of an Idempotency-Key."""
COMPILE_BUDGET_SECS = 30
RUN_GRACE_SECS = 60
"""The sweeper repeats a run older than the compile budget + the wall budget + this."""
JUDGE_SILENCE_SECS = 4 * SIGN_OF_LIFE_SECS
"""The sweeper repeats a judge run whose runner has been silent for so long: it sends progress each minute."""
LONGEST_RUN_MS = 5 * 3_600_000
"""From its start on. A longer judge run counts as lost, even if its runner still sends progress."""
DIRECT_DUE_SECS = 35
"""The sweeper queues a direct run without a result after this time: no request lasts longer than 30 s."""
CASES_PER_RUN = 10
"""Cases of a judge run that count as one run in the quota of a day."""
FREE_SLOT_SECS = 300
"""A judge run that uses its slots for longer counts as one run more in the quota of a day for each minute more."""
_MOST_SLOT_SECS = 86_400
"""The count of a runner that was broken into is not believed beyond this."""


LINE_MAX_CHARS = 120
LINE_MAX_BYTES = 300
"""As JSON in the row: the index of the list has each line too."""
_READ_FOR_LINE_BYTES = 4_096
_BEFORE_PYTHONS_ERROR = b"Traceback ("

MARK_OF_CHECK = "check_run_id"
"""Metadata of the submissions of checks."""


class Kind(StrEnum):
    """A run executes a program once. A judge run executes it on many cases. A transform writes the body of a webhook.

    No list, no client and no check sees transforms: the end of one changes its delivery, and removes its row.
    """

    RUN = "run"
    JUDGE = "judge"
    TRANSFORM = "transform"


class Status(StrEnum):
    """pending -> running -> completed | error. The last two are final."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    ERROR = "error"


FINAL_STATUSES = (Status.COMPLETED, Status.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Program):
    """One row: a program and its state. Times are RFC 3339 texts unless the name says otherwise; `ttl` is in seconds.

    Code, stdin and files are either in the row or in the object `input_key`; each output stream likewise. The
    environment is only in `environment_box`, sealed. `asked_directly`: a
    runner was called over HTTP, so no queue has a message. `webhook_secret_box`: the sealed secret of the run's own
    webhook. `endpoints_version`: the version of the project's endpoints when the run was charged. `correlation_id` and
    `traceparent`: of the request that created the row. `quota_shard`: the quota shard that counts the run.
    `redrives`: how often the sweeper sent it again, the last time at `sent_again_at`.

    `cancelled_at`: when its project cancelled it. A final row with it may have been finished before all the same.

    `artifacts`: see `Completion`. A list index has no more than the fields without a default here.

    `program_key`: the object with the request, which its client wanted to be kept for a day.

    `compilation`: the compiler's warnings of a run, or the whole compile step of a judge run.

    Of a judge run: `plan` is what scores and views need of its cases; `judging`, or the object `judging_key`, is what
    the runner needs; that of a stored problem is `judging_object` (key, size, sha256), which is not the row's own, and
    `problem` is its id and version. In the end `cases`, or the object `cases_key`, holds its results, and `case_keys`
    names the objects with whole outputs. `summary` has its kind and its number of cases from the start.
    That of all rows may have `source`, which part of the service took it, and in the end `line`, see `Completion`.

    Of a transform: `transformed` is its delivery; None: somebody tests a program, and reads the row.
    """

    submission_id: str
    project_id: str
    status: Status
    created_at: str
    ttl: int
    priority: str = "batch"
    execution_id: str = ""
    wall_budget_secs: int = 0
    args: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    compile_args: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    limits: Annotated[Mapping[str, int | float], JSON] = field(default_factory=dict)
    files: Annotated[tuple[PlacedFile, ...], As(write_files, read_files), OMIT_DEFAULT] = field(default=(), repr=False)
    network: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    secrets: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    sealed_secrets: Annotated[tuple[NetworkSecret, ...], As(write_secrets, read_secrets), OMIT_DEFAULT] = field(
        default=(), repr=False
    )
    artifact_patterns: Annotated[Any | None, JSON] = None
    environment: Annotated[Environment | None, NOT_STORED] = None
    input_key: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str | None = None
    webhook_secret_box: bytes | None = field(default=None, repr=False)
    environment_box: bytes | None = field(default=None, repr=False)
    idempotency_pk: str | None = None
    redrives: int = 0
    cancelled_at: str | None = None
    sent_again_at: str | None = None
    due_at_ms: int | None = None
    asked_directly: Annotated[bool, OMIT_DEFAULT] = False
    started_at: str | None = None
    node_id: str | None = None
    completed_at: str | None = None
    verdict: str | None = None
    summary: Annotated[Mapping[str, Any] | None, JSON] = None
    evidence: Annotated[Mapping[str, Any] | None, JSON] = None
    integrity: str | None = None
    stdout: bytes | None = field(default=None, repr=False)
    stdout_key: str | None = None
    stdout_size_bytes: Annotated[int, OMIT_DEFAULT] = 0
    stderr: bytes | None = field(default=None, repr=False)
    stderr_key: str | None = None
    stderr_size_bytes: Annotated[int, OMIT_DEFAULT] = 0
    endpoints_version: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    quota_shard: str | None = None
    artifacts: Annotated[Mapping[str, Any] | None, JSON] = None
    program_key: str | None = None
    plan: Annotated[Mapping[str, Any] | None, JSON] = None
    judging: bytes | None = field(default=None, repr=False)
    judging_key: str | None = None
    judging_object: Annotated[Mapping[str, Any] | None, JSON] = None
    problem: str | None = None
    compilation: Annotated[Mapping[str, Any] | None, JSON] = None
    cases: bytes | None = field(default=None, repr=False)
    cases_key: str | None = None
    case_keys: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    transformed: TransformedDelivery | None = None

    def with_input(self, program: Program) -> "Submission":
        """Return it with the code and the input of a program: its row may not have them."""
        values = {name: getattr(program, name) for name in ("code", "stdin", "files", "environment")}
        return replace(self, **values)

    @property
    def kind(self) -> Kind:
        return Kind((self.summary or {}).get("kind", Kind.RUN))

    @property
    def event_type(self) -> str:
        """The event that its end publishes. Its id is that of the submission."""
        return EVENT_JUDGED if self.kind is Kind.JUDGE else EVENT_COMPLETED

    @property
    def log_ids(self) -> dict[str, Any]:
        return {"correlation_id": self.correlation_id or self.submission_id, "submission_id": self.submission_id}

    @property
    def sent_at(self) -> str:
        return self.sent_again_at or self.created_at

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_STATUSES

    @property
    def was_cancelled_too_late(self) -> bool:
        """Whether it ended otherwise although its project had cancelled it: the first final state counts."""
        return self.is_final and self.cancelled_at is not None and self.result.get("cause") not in CANCELLATIONS

    @property
    def quota_claim(self) -> QuotaClaim:
        """The entry of this run in its project's quota."""
        entry = in_flight_entry(self.created_at, self.submission_id, self.idempotency_pk)
        units = ceil((self.summary or {}).get("cases", 1) / CASES_PER_RUN)
        return QuotaClaim(self.project_id, self.profile, entry, self.quota_shard, units)

    @property
    def result(self) -> Mapping[str, Any]:
        """The `result` object of a final submission."""
        return (self.summary or {}).get("result") or {}

    @property
    def metrics(self) -> Mapping[str, Any] | None:
        """The `metrics` object of a final submission; None without measurements."""
        return (self.summary or {}).get("metrics")

    @property
    def line(self) -> str | None:
        """See `Completion`; None in rows of earlier versions too."""
        return (self.summary or {}).get("line")

    @property
    def source(self) -> str | None:
        """By which way it came; None in rows of earlier versions."""
        return (self.summary or {}).get("source")

    @property
    def object_keys(self) -> tuple[str, ...]:
        inputs = (self.input_key, self.program_key, self.judging_key)
        keys = (*inputs, self.stdout_key, self.stderr_key, self.cases_key, *self.case_keys)
        return (*(key for key in keys if key), *(artifact["key"] for artifact in self.stored_artifacts))

    @property
    def stored_artifacts(self) -> Sequence[Mapping[str, Any]]:
        """The files that the program left, with the keys of their objects."""
        stored: Sequence[Mapping[str, Any]] = (self.artifacts or {}).get("stored", ())
        return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The final state of a submission. `result`, `metrics` and `evidence` have the shapes of the result object.

    Each stream is either bytes or an object key. `started_at` None keeps the value of the row. In a judge run, `result`
    is empty unless the platform failed, and `judged` holds counts and points. `has_judge_error`: a checker failed, so
    the status is `error`. `artifacts`: None if the request asked for none. `stored` has the files that the program
    left, each as in the result object with its object `key`; `skipped` has others that were asked for. `slot_secs`: for
    how long a judge run used slots.
    """

    completed_at: str
    result: Mapping[str, Any]
    integrity: str
    metrics: Mapping[str, Any] | None = None
    evidence: Mapping[str, Any] | None = None
    started_at: str | None = None
    node_id: str | None = None
    execution_id: str | None = None
    stdout: bytes | None = field(default=None, repr=False)
    stdout_key: str | None = None
    stdout_size_bytes: int = 0
    stderr: bytes | None = field(default=None, repr=False)
    stderr_key: str | None = None
    stderr_size_bytes: int = 0
    judged: Mapping[str, Any] | None = None
    has_judge_error: bool = False
    compilation: Mapping[str, Any] | None = None
    artifacts: Mapping[str, Any] | None = None
    cases: bytes | None = field(default=None, repr=False)
    cases_key: str | None = None
    case_keys: tuple[str, ...] = ()
    slot_secs: float = 0

    @property
    def more_units(self) -> int:
        """The runs that it counts as in the quota of a day, beside those that were charged at its start."""
        return ceil(max(0, min(self.slot_secs, _MOST_SLOT_SECS) - FREE_SLOT_SECS) / 60)

    @property
    def line(self) -> str | None:
        """What a list shows of it: the first line of the error, of stderr if it failed, or of stdout; None if empty.

        Of a traceback of Python it is the last line. Of a judge run, whose outputs may be secret, only an error shows.
        """
        stderr, error = self.stderr or b"", str(self.result.get("error_message") or "").encode()
        if stderr.startswith(_BEFORE_PYTHONS_ERROR):
            stderr = stderr.rstrip()[-_READ_FOR_LINE_BYTES:].rpartition(b"\n")[2]
        of_error = (stderr, error) if self.result.get("cause") == Cause.CE_COMPILE_FAILED else (error, stderr)
        streams = (self.stdout or b"", stderr) if self.verdict == Verdict.AC else (*of_error, self.stdout or b"")
        return next(filter(None, map(_line_of, streams)), None)

    @property
    def verdict(self) -> str | None:
        """The verdict of the result; None for a judge run, whose cases have verdicts."""
        return self.result.get("verdict")

    @property
    def status(self) -> Status:
        """`error` for a failure of the platform or of a checker, else `completed`."""
        return Status.ERROR if self.verdict == "IE" or self.has_judge_error else Status.COMPLETED


def _line_of(stream: bytes) -> str:
    """Return the first line with a visible character, without any that a terminal or a page would obey."""
    text = stream[:_READ_FOR_LINE_BYTES].decode(errors="replace")
    shown = (" ".join("".join(one if one.isprintable() else " " for one in line).split()) for line in text.splitlines())
    line = next(filter(None, shown), "")[:LINE_MAX_CHARS]
    while len(to_json(line)) > LINE_MAX_BYTES:
        line = line[: len(line) * 7 // 8]
    return line


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key, or the body of a judge run without one, claimed by one submission.

    `is_of_body`: it lasts only while the submission is in flight. `replaces`: the final submission that held it.
    """

    idempotency_pk: str
    body_sha256: str
    is_of_body: bool = False
    replaces: str | None = None


def idempotency_pk(project_id: str, key: str) -> str:
    """Return the partition key of a claim, with a hash of the Idempotency-Key."""
    return f"IDEMPOTENCY#{project_id}#{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()}"
