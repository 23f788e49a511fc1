"""The end of a submission for others: its event, the deliveries that are wanted, the event bus, spans and metrics."""

import codecs
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError

from events.judged import JudgeCompleted, JudgeProgress
from events.vocabulary import Cause
from functions import otlp
from functions.aws.payloads import Payloads
from functions.clock import from_rfc3339
from functions.env import Env
from functions.event_log.bus import TOO_LARGE, Bus
from functions.event_log.model import CUT_SIZES, Event, event_bytes
from functions.failpoint import reach
from functions.http.parameters import result_path
from functions.submissions.model import MARK_OF_CHECK, Completion, Kind, Submission
from functions.submissions.results.results import output_if_kept
from functions.submissions.results.views import CompletedEvent, FinalResult, result_body
from functions.submissions.store import SubmissionStore
from functions.telemetry import Metric, are_by_language, metrics
from functions.webhooks.deliveries.publication import Publication, RunTarget, plan_publication
from functions.webhooks.endpoints.model import RunFacts, SubmissionKind
from functions.webhooks.endpoints.store import SubscriberCache
from functions.webhooks.vocabulary import EVENT_COMPLETED

# Spans and metrics. The runner exports nothing: it runs hostile code, and its network has no way to a collector.

_STEPS = {"set-up": "setup_ms", "compile": "compile_ms", "run": "run_ms"}
"""The runner's steps, in their order, and their times in the result's metrics."""


def root_id(submission_id: str) -> str:
    """Return the id of the span of the whole submission: the parent of all others."""
    return otlp.span_id(submission_id)


def keep_accepted(row: Submission, service: str, arrived_ms: float, now_ms: float) -> None:
    """Keep the span of the request, from its arrival at the gateway to the row and its message."""
    trace = otlp.trace_of(row.submission_id, row.traceparent)
    if trace is not None:
        root = root_id(row.submission_id)
        own = otlp.span_id(row.submission_id, "accepted")
        attributes = {"rustbox.submission_id": row.submission_id, "rustbox.project_id": row.project_id}
        otlp.keep(otlp.Span(trace.trace_id, own, root, "accepted", service, arrived_ms, now_ms, attributes))


def keep_ended(row: Submission, service: str, now_ms: float) -> None:
    """Keep the spans of a final submission: the whole, the queue, the runner's steps, and the record."""
    trace = otlp.trace_of(row.submission_id, row.traceparent)
    if trace is None:
        return
    root, runner = root_id(row.submission_id), {"host.name": row.node_id or ""}

    def child(name: str, of: str, start_ms: float, end_ms: float) -> otlp.Span:
        own = otlp.span_id(row.submission_id, name)
        return otlp.Span(trace.trace_id, own, root, name, of, start_ms, end_ms, runner if of == "runner" else {})

    created_ms = from_rfc3339(row.created_at)
    attributes = {
        "rustbox.submission_id": row.submission_id,
        "rustbox.project_id": row.project_id,
        "rustbox.language": row.language,
        "rustbox.kind": row.kind.value,
        "rustbox.verdict": row.verdict or "",
    }
    is_error = row.verdict == "IE" and row.result.get("cause") != Cause.CANCELLED_BEFORE_START
    spans = [
        otlp.Span(
            trace.trace_id, root, trace.parent_id, "submission", service, created_ms, now_ms, attributes, is_error
        )
    ]
    if row.started_at is not None:
        at_ms: float = from_rfc3339(row.started_at)
        spans.append(child("queued", service, created_ms, at_ms))
        for name, key in _STEPS.items():
            step_ms = (row.metrics or {}).get(key)
            if step_ms is not None:
                spans.append(child(name, "runner", at_ms, at_ms + step_ms))
                at_ms += step_ms
    if row.completed_at is not None:
        spans.append(child("recorded", service, from_rfc3339(row.completed_at), now_ms))
    otlp.keep(*spans)


def report_end(final: Submission, service: str, now_ms: int) -> None:
    """Count it, and keep its spans if there is a collector. `service`: the entry point that recorded it."""
    was_cancelled = final.result.get("cause") == Cause.CANCELLED_BEFORE_START  # its IE is no fault of the platform
    verdict = Cause.CANCELLED_BEFORE_START.value if was_cancelled else final.verdict or final.kind
    language = {"language": final.language}
    dimensions = {"verdict": verdict} | (language if are_by_language() else {})
    values = [Metric("ExecutionCompleted", dimensions=dimensions, properties=language)]
    if final.started_at is not None:
        waited_ms = from_rfc3339(final.started_at) - from_rfc3339(final.created_at)
        values.append(Metric("QueueDelay", max(0, waited_ms), "Milliseconds"))
    metrics(service).write(*values)
    if otlp.is_on():
        keep_ended(final, service, now_ms)


# The event of a final submission: its body, the deliveries that its project's endpoints want, and the event bus.


class JudgeRuns(Protocol):
    """Judge runs as the parts of this slice see them. `functions.judging` implements the protocol."""

    def completion(self, message: JudgeCompleted, row: Submission) -> Completion:
        """Convert a runner's result. Raises MessageInvalidError if it does not fit the row."""
        ...

    def object_keys(self, message: JudgeCompleted) -> tuple[str, ...]:
        """Return the keys of all objects of a result."""
        ...

    def add_progress(self, message: JudgeProgress) -> None:
        """Keep finished cases for polls, unless the judge run is final."""
        ...

    def event(self, final: Submission) -> Event: ...


# The body of a `submission.completed` webhook: the result object with type and timestamp, at most 256 KiB.

MAX_BODY_BYTES = 256 * 1024


def judge_runs(_env: Env) -> JudgeRuns:
    """Return judge runs. The entry point provides them."""
    raise LookupError("judge_runs")


type PlanTransformEnd = Callable[[Submission], Publication]


def plan_transform_end(_env: Env) -> PlanTransformEnd:
    """Return what plans the end of a transform. The entry point provides it."""
    raise LookupError("plan_transform_end")


class SubmissionEvents:
    """The events of final submissions."""

    def __init__(self, env: Env) -> None:
        self._judge_runs = env[judge_runs]
        self._payloads = env[Payloads]
        self._base_url = env.settings.public_base_url

    def of(self, final: Submission) -> Event:
        """Return the event of a final submission. Without the output that was deleted, it still has the verdict."""
        if final.kind is Kind.JUDGE:
            return self._judge_runs.event(final)
        stdout, stderr = (
            output_if_kept(self._payloads, final, "stdout"),
            output_if_kept(self._payloads, final, "stderr"),
        )
        return submission_event(final, completed_body(final, stdout, stderr, self._base_url))


def submission_event(final: Submission, body: bytes) -> Event:
    """Return the event with this body."""
    return Event(
        event_id=final.submission_id,
        type=final.event_type,
        project_id=final.project_id,
        body=body,
        submission_id=final.submission_id,
        correlation_id=final.correlation_id or "",
        traceparent=final.traceparent or "",
    )


def completed_body(final: Submission, stdout: bytes, stderr: bytes, public_base_url: str) -> bytes:
    """Return the event body as JSON in UTF-8. The same submission always gives the same bytes.

    If the body would be over 256 KiB, both streams are cut to at most 8 KiB of text, or 1 KiB if that is still too
    much. It then has `truncated_in_event` and the URL of the whole result.
    """
    if len(stdout) + len(stderr) <= MAX_BODY_BYTES:
        body = event_bytes(_with_type(result_body(final, stdout, stderr)))
        if len(body) <= MAX_BODY_BYTES:
            return body
    url = public_base_url + result_path(final.submission_id)
    body = b""
    for kept_bytes in CUT_SIZES:
        result = result_body(final, _cut(stdout, kept_bytes), _cut(stderr, kept_bytes))
        result["output"]["truncated_in_event"] = True
        body = event_bytes({**_with_type(result), "result_url": url})
        if len(body) <= MAX_BODY_BYTES:
            break
    return body


def _with_type(result: FinalResult) -> CompletedEvent:
    body = {"type": EVENT_COMPLETED, "timestamp": result["completed_at"], **result}
    return cast("CompletedEvent", body)


def _cut(output: bytes, kept_bytes: int) -> bytes:
    """Return up to `kept_bytes` of the decoded text (invalid UTF-8 replaced), cut between characters."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(output[:kept_bytes], final=len(output) <= kept_bytes)
    return text.encode()[:kept_bytes].decode(errors="ignore").encode()


class RunWebhooks:
    """Plans webhooks of runs."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._table = env.settings.deliveries_table
        self._subscribers = env[SubscriberCache]
        self._events = env[SubmissionEvents]
        self._clock = env.clock

    def plan(self, row: Submission, final: Submission) -> Publication:
        """Return the event and its deliveries; nothing if it has no subscriber. `row`: before its end.

        A transform has no event: its end changes its own delivery.
        """
        if final.kind is Kind.TRANSFORM:
            return Publication() if final.transformed is None else self._env[plan_transform_end](final)
        subscribers = self._subscribers.get(row.project_id, row.endpoints_version).of_run(_facts(final))
        own, now = None, self._clock()
        if row.webhook_url is not None:
            own = RunTarget(row.webhook_url, row.webhook_secret_box or b"")
        if own is None and not subscribers.want(row.event_type, now):
            return Publication()
        return plan_publication(self._table, self._events.of(final), subscribers, own, now)


def _facts(final: Submission) -> RunFacts:
    """Return the values that filters compare. A judge run has no verdict here, also after a failure of the platform."""
    if final.kind is Kind.JUDGE:
        return RunFacts(SubmissionKind.JUDGE, None, final.language, final.metadata)
    kind = SubmissionKind.CHECK if MARK_OF_CHECK in final.metadata else SubmissionKind.RUN
    return RunFacts(kind, final.verdict, final.language, final.metadata)


# Put the events of final submissions on the event bus, from the stream of the submissions table.
#
# The stream holds keys only, so it never holds code or output, and a deleted submission is not announced. Lambda calls
# again from the first failed record: an event may come twice, and none is lost while the stream keeps it (24 hours).
# An event that no retry can help is skipped, because it would block all later ones for those 24 hours.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.Lambda.html

type OnFinal = Callable[[Submission], None]
"""Called with each submission that became final, before its hints are sent. It must not raise."""


def on_final(_env: Env) -> OnFinal:
    """Return what higher parts do with each submission that became final: nothing, unless the entry point says so."""
    return lambda _: None


_NEVER_ACCEPTED = frozenset({"InvalidArgument", "MalformedDetail", TOO_LARGE})
"""Error codes that depend on the event alone. Others depend on the time or on permissions.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
"""


@dataclass(frozen=True, slots=True)
class Announced:
    """The result. `refused`, `skipped`: submission id to error code of events to repeat, and of events to give up."""

    count: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


class Announcer:
    """Announces submissions: each goes to `on_final` and the bus, and again if the stream repeats it."""

    def __init__(self, env: Env) -> None:
        self._submissions = env[SubmissionStore]
        self._bus = env[Bus]
        self._events = env[SubmissionEvents]
        self._on_final = env[on_final]

    def announce(self, submission_ids: Sequence[str]) -> Announced:
        """Put the events of those that are final. Raises the errors of the table, the bucket and the bus."""
        rows = self._submissions.get_all(submission_ids)
        reach("announce.after_read")
        events: list[Event] = []
        skipped: dict[str, str] = {}
        for row in rows.values():
            if row.is_final:
                try:
                    self._on_final(row)
                    events.append(self._events.of(row))
                except (ClientError, BotoCoreError):
                    raise
                except Exception as error:  # noqa: BLE001 - a row that breaks our code breaks it at each retry
                    skipped[row.submission_id] = type(error).__name__
        codes = self._bus.publish_all(events)
        reach("announce.after_bus")
        not_put = {event.submission_id: codes[event.event_id] for event in events if event.event_id in codes}
        skipped |= {key: code for key, code in not_put.items() if code in _NEVER_ACCEPTED}
        refused = {key: code for key, code in not_put.items() if code not in _NEVER_ACCEPTED}
        return Announced(len(events) - len(not_put), refused, skipped)
