"""The end of a run: apply what runners report, and write the final state, quota and webhooks in one transaction.

`submit` calls this for direct runs, `record` for queued runs, and `sweep` for runs that the platform failed.
"""

import json
import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from events import MessageInvalidError
from events.completed import ExecutionCompleted
from events.judged import Completed, JudgeCompleted, JudgeProgress
from events.message import as_fields
from events.runner import CompletionsMessage, ExecutionStarted, RunnerHeartbeat, parse_completions_message
from events.vocabulary import Actor, Cause, Integrity, Phase, Verdict
from functions.aws.dynamodb.table import tries
from functions.aws.dynamodb.transaction import transact
from functions.aws.payloads import Payloads
from functions.clock import from_rfc3339, to_rfc3339
from functions.env import Env
from functions.errors import UnavailableError
from functions.failpoint import reach
from functions.files.store import ArtifactStore
from functions.projects.quota_store import QuotaStore, network_bytes
from functions.submissions.completed_event import JudgeRuns, RunWebhooks, judge_runs, on_final, report_end
from functions.submissions.model import (
    INLINE_OUTPUT_MAX_BYTES,
    NOT_RUN,
    PENDING_MAX_MS,
    Claim,
    Completion,
    Kind,
    Status,
    Submission,
)
from functions.submissions.results.overview import RunCounts
from functions.submissions.runners.store import ControlObjects, RunnerStore
from functions.submissions.store import SubmissionStore, with_completion
from functions.telemetry import warn
from functions.webhooks.deliveries.publication import DeliveryHints, Hint, Publication, pending_hints
from functions.webhooks.deliveries.store import DeliveryStore

# Final states of submissions, from the messages of runners and from failures of the platform.

NOT_BEGUN = "the run was cancelled before it began"
WARNINGS_MAX_BYTES = 16_384
"""Of a compiler. A runner sends no more; an attacked one might."""


def completion_of(runs: JudgeRuns, payloads: Payloads, message: Completed, row: Submission) -> Completion:
    """Convert a runner's message. Output that is too large for the row is stored in the bucket.

    Raises MessageInvalidError if the result of a judge run does not fit its row.
    """
    if isinstance(message, JudgeCompleted) != (row.kind is Kind.JUDGE):
        raise MessageInvalidError("", "the result is of another kind than the submission")
    if isinstance(message, JudgeCompleted):
        return runs.completion(message, row)
    stdout, stdout_key = _store_stream(payloads, message, "stdout")
    stderr, stderr_key = _store_stream(payloads, message, "stderr")
    return Completion(
        **message.common_values(),
        result=as_fields(message.result),
        integrity=message.integrity.value,
        compilation=_compilation(message.compile_stderr),
        artifacts=None if row.artifact_patterns is None else _artifacts(message),
        stdout=stdout,
        stdout_key=stdout_key,
        stdout_size_bytes=message.stdout.size_bytes if stdout is None else len(stdout),
        stderr=stderr,
        stderr_key=stderr_key,
        stderr_size_bytes=message.stderr.size_bytes if stderr is None else len(stderr),
    )


def platform_failure(cause: Cause, error_message: str, at_ms: int) -> Completion:
    """Return the final state of a submission that the platform could not run."""
    return _without_run(Verdict.IE, cause, error_message, at_ms)


def cancelled(row: Submission, at_ms: int) -> Completion:
    """Return the final state of a cancelled submission whose runner, if it has one, has not sent its end."""
    if row.status is Status.PENDING:
        return _without_run(Verdict.IE, Cause.CANCELLED_BEFORE_START, NOT_BEGUN, at_ms)
    return _without_run(Verdict.SIG, Cause.CANCELLED, "the run was cancelled", at_ms, int(signal.SIGKILL))


def _without_run(
    verdict: Verdict, cause: Cause, error_message: str, at_ms: int, signal_number: int | None = None
) -> Completion:
    return Completion(
        completed_at=to_rfc3339(at_ms),
        result={
            "verdict": verdict.value,
            "cause": cause.value,
            "actor": Actor.JUDGE.value,
            "phase": Phase.RUN.value,
            "exit_code": None,
            "signal": signal_number,
            "error_message": error_message,
        },
        integrity=Integrity.WRITE_ERROR.value,
        stdout=b"",
        stderr=b"",
    )


def _store_stream(
    payloads: Payloads, message: ExecutionCompleted, name: Literal["stdout", "stderr"]
) -> tuple[bytes | None, str | None]:
    """Return the bytes for the row, or an object key: inline output may be too large for a table item."""
    stream, other = (message.stdout, message.stderr) if name == "stdout" else (message.stderr, message.stdout)
    if stream.content is None:
        return None, stream.object_key
    together = len(stream.content) + len(other.content or b"")
    if together <= INLINE_OUTPUT_MAX_BYTES or len(stream.content) <= INLINE_OUTPUT_MAX_BYTES // 2:
        return stream.content, None
    return None, payloads.put_output(message.submission_id, message.execution_id, name, stream.content)


def _artifacts(message: ExecutionCompleted) -> dict[str, Any]:
    """Return the artifacts in the form of the row."""
    return {
        "stored": [as_fields(file) for file in message.artifacts or ()],
        "skipped": [as_fields(file) for file in message.artifacts_skipped or ()],
    }


def _compilation(stderr: bytes | None) -> dict[str, str] | None:
    """Return the compiler's warnings in the form of the row."""
    return None if stderr is None else {"stderr": stderr[:WARNINGS_MAX_BYTES].decode(errors="replace")}


_TRIES = 6
"""How often one call writes again after another process has changed the row."""
_CONTENDED = "Other requests keep changing the rows of this result. Repeat the request."


@dataclass(frozen=True, slots=True)
class Ended:
    """A final submission, and the hints of its webhooks, which are not sent yet."""

    submission: Submission
    hints: tuple[Hint, ...] = ()


class Completer:
    """Completes submissions."""

    def __init__(self, env: Env, sleep: Callable[[float], None] = time.sleep) -> None:
        self._env = env
        self._submissions = env[SubmissionStore]
        self._payloads = env[Payloads]
        self._quotas = env[QuotaStore]
        self._webhooks = env[RunWebhooks]
        self._log = env.log
        self._clock = env.clock
        self._sleep = sleep

    def complete(self, row: Submission, completion: Completion, *, only_pending: bool = False) -> Ended | None:
        """Write the final state of an existing row. None if it is final already, or gone. Then `send` the hints.

        `only_pending`: None also if a run of it has begun. Raises UnavailableError and the errors of the tables. The
        row is then as before.
        """
        final = self._final(row, completion)
        if row.transformed is not None:
            update = self._submissions.transform_end(row)
        else:
            update = self._submissions.final_update(final, completion, only_pending=only_pending)
        published = self._write([update], row, final, completion.more_units)
        return None if published is None else self._end(final, published)

    def complete_new(self, row: Submission, completion: Completion, claim: Claim | None) -> Ended:
        """Write a new row in its final state, with its claim. It has no code or input, because it never runs again.

        Raises ClaimTakenError, UnavailableError and the errors of the tables.
        """
        final = self._final(row, completion)
        for _ in range(_TRIES):
            new_final = self._submissions.new_final(final, claim)
            published = self._write(new_final, row, final, completion.more_units)
            if published is not None:
                return self._end(final, published)
            if claim is not None:
                self._submissions.check_claim(claim, except_for=row.submission_id)
            # A pending row was written although its write seemed to fail, or the key has just become free.
            ended = self.complete(row, completion)
            if ended is not None:
                return ended
            written = self._submissions.get(row.submission_id)
            if written is not None:
                return Ended(written)
        raise UnavailableError(_CONTENDED, 1)

    def fail(self, submission_id: str, cause: Cause, error_message: str) -> Submission | None:
        """Write the verdict IE because the platform could not run the submission. None if it is final or gone."""
        row = self._submissions.get(submission_id)
        if row is None or row.is_final:
            return None
        ended = self.complete(row, platform_failure(cause, error_message, self._clock()))
        if ended is None:
            return None
        self.send(ended.hints)
        return ended.submission

    def end_cancelled(self, row: Submission) -> None:
        """End a cancelled submission. Does nothing if it is final or gone."""
        ended = self.complete(row, cancelled(row, self._clock()))
        if ended is not None:
            self.send(ended.hints)

    def end_again(self, row: Submission) -> Ended:
        """Repeat the steps after the write of a final row, because the process that wrote it may have died."""
        self._quotas.release(row.quota_claim)
        self._stop_copies(row)
        return Ended(row, tuple(pending_hints(self._env[DeliveryStore].deliveries_of(row.submission_id))))

    def count_late_bytes(self, final: Submission, message: Completed) -> None:
        """Count the bytes of a run with network that was ended as not begun. A repeated message counts again."""
        evidence = None if message.evidence is None else as_fields(message.evidence)
        if used_bytes := network_bytes(evidence):
            self._quotas.network.count(final.project_id, used_bytes)

    def send(self, hints: Sequence[Hint]) -> None:
        """Send the hints of runs that have ended, ten a call. The sweeper sends those that fail."""
        try:
            self._env[DeliveryHints].send_all(hints)
        except (ClientError, BotoCoreError) as error:
            warn(self._log, "Hints not sent; the sweeper will send them", hints[0].log_ids, error)
        reach("complete.after_hint")
        self._env[RunCounts].write_due()

    def completion(self, message: Completed, row: Submission) -> Completion:
        return completion_of(self._env[judge_runs], self._payloads, message, row)

    def _final(self, row: Submission, completion: Completion) -> Submission:
        """Return the final row, whose artifacts later runs may name as soon as a client sees them."""
        final = with_completion(row, completion)
        self._env[ArtifactStore].add(final.project_id, final.submission_id, final.stored_artifacts, final.ttl)
        return final

    def _write(self, of_row: list[Any], row: Submission, final: Submission, more_units: int) -> Publication | None:
        """Write the final row, its webhooks and the release of its quota. None if a condition of the row failed."""
        webhooks = self._webhooks.plan(row, final)
        # A runner that was broken into might report bytes of runs without network.
        used_bytes = network_bytes(final.evidence) if row.needs_network else 0
        release = [self._quotas.release_action(row.quota_claim, more_units)]
        if used_bytes:
            release.append(self._quotas.network.count_action(row.project_id, used_bytes))
        for _ in tries(sleep=self._sleep):
            reach("complete.before_write")
            refusal = transact(self._env.dynamodb, {"row": of_row, "webhooks": webhooks.actions, "quota": release})
            reach("complete.after_write")
            if refusal is None:
                return webhooks if release else self._released(row, webhooks, used_bytes, more_units)
            if "row" in refusal.failed:
                return None
            if "webhooks" in refusal.failed:  # the event was cancelled
                webhooks = Publication()
            if "quota" in refusal.busy:
                # All submissions of a project write its quota item. Alone, the release does not cancel the others.
                release = []
        raise UnavailableError(_CONTENDED, 1)

    def _released(self, row: Submission, webhooks: Publication, used_bytes: int, more_units: int) -> Publication:
        try:
            self._quotas.release(row.quota_claim, more_units)
            if used_bytes:
                self._quotas.network.count(row.project_id, used_bytes)
        except (ClientError, BotoCoreError) as error:
            warn(self._log, "Quota not released; a later charge will find it", row.log_ids, error)
        return webhooks

    def _stop_copies(self, final: Submission) -> None:
        """Let no runner start a message that the sweeper sent beside the one that ran.

        Order: only a final row needs no run. So a process that dies in between leaves copies that run for nothing.
        """
        if not final.redrives:
            return  # as nearly all: an object for each would add $5 to a million runs
        try:
            self._payloads.mark_over(final.submission_id)
        except (ClientError, BotoCoreError) as error:
            warn(self._log, "A copy of a finished run may start; its result is dropped", final.log_ids, error)

    def _end(self, final: Submission, webhooks: Publication) -> Ended:
        self._stop_copies(final)
        if final.kind is Kind.TRANSFORM:
            if final.transformed is not None:
                self._payloads.delete_outputs(final.submission_id, (final.stdout_key, final.stderr_key))
            return Ended(final, webhooks.hints)
        report_end(final, self._env.service, self._clock())
        self._env[RunCounts].add(final)
        self._env[on_final](final)
        return Ended(final, webhooks.hints)


# Apply messages of the completions queue: starts, results and heartbeats; settle those of the dead-letter queues.


class Recorder:
    """Applies messages. Repeated and late ones, and those of deleted submissions, change nothing."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self.completer = env[Completer]
        self.submissions = env[SubmissionStore]
        self.clock = env.clock

    def rows_of(self, messages: Iterable[CompletionsMessage]) -> dict[str, Submission]:
        """Read the rows that the completions among these messages need, by submission id."""
        ends = (message for message in messages if isinstance(message, ExecutionCompleted | JudgeCompleted))
        wanted = {message.submission_id for message in ends}
        return self.submissions.get_all(sorted(wanted))

    def apply(self, message: CompletionsMessage, rows: Mapping[str, Submission]) -> tuple[Hint, ...]:
        """Apply one message. `rows` holds the row of its submission, unless it is deleted.

        Returns hints for `Completer.send`, with those of the whole batch.
        """
        if isinstance(message, RunnerHeartbeat):
            self._env[RunnerStore].put_heartbeat(message)
        elif isinstance(message, ExecutionStarted):
            self._start(message)
        elif isinstance(message, JudgeProgress):
            self._env[judge_runs].add_progress(message)
        else:
            return self._complete(message, rows.get(message.submission_id))
        return ()

    def _start(self, message: ExecutionStarted) -> None:
        """Note the start of a run; stop it if its submission was deleted or cancelled before this message."""
        submission_id, node_id = message.submission_id, message.node_id
        if self.submissions.mark_started(submission_id, message.execution_id, node_id, message.started_at):
            return
        row = self.submissions.get(submission_id)
        if row is None or row.cancelled_at is not None:
            self._env[ControlObjects].cancel(node_id, submission_id)

    def _complete(self, message: Completed, row: Submission | None) -> tuple[Hint, ...]:
        outputs: tuple[str | None, ...] = ()
        if row is not None and not row.is_final:
            completion = self.completer.completion(message, row)
            ended = self.completer.complete(row, completion)
            if ended is not None:
                return ended.hints
            outputs = (completion.stdout_key, completion.stderr_key, completion.cases_key)
            row = self.submissions.get(message.submission_id)
        if row is None:  # deleted during the run: its late output goes too
            self._env[Payloads].delete_outputs(message.submission_id, (*outputs, *self._objects_of(message)))
        elif row.needs_network and row.result.get("cause") == Cause.CANCELLED_BEFORE_START:  # it had just begun
            self.completer.count_late_bytes(row, message)
        elif row.execution_id == message.execution_id:
            return self.completer.end_again(row).hints
        return ()

    def _objects_of(self, message: Completed) -> tuple[str | None, ...]:
        if isinstance(message, JudgeCompleted):
            return self._env[judge_runs].object_keys(message)
        artifacts = (file.key for file in message.artifacts or ())
        return (message.stdout.object_key, message.stderr.object_key, *artifacts)


# Settle messages of the dead-letter queues: record them if possible, else give their submission the verdict IE.
#
# A request whose submission never began is not the end: SQS counts receives, also those of a runner that dies with all
# its messages. The row is still due, so the sweeper sends it again until PENDING_MAX_MS have passed.

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def settle(body: str, recorder: Recorder) -> str:
    """Settle one message; return `hint`, `pending`, `recorded`, `ended`, `ignored` or `unreadable`."""
    # The type of the message identifies its queue.
    submission_id, kind = _read_loosely(body)
    if kind == "hint":
        return "hint"  # the row is still due, and the sweeper finds it
    if kind in {"execution_requested", "judge_requested"} and submission_id is not None:
        return _settle_request(submission_id, recorder)
    try:
        message = parse_completions_message(body)
        recorder.completer.send(recorder.apply(message, recorder.rows_of([message])))
    except MessageInvalidError:
        if submission_id is None or kind in {"execution_started", "judge_progress"}:  # the pending row is still due
            return "unreadable"
        problem = "the answer of the runner could not be read"
        failed = recorder.completer.fail(submission_id, Cause.IE_SUPERVISOR_FAILURE, problem)
        return "ended" if failed is not None else "ignored"
    return "recorded"


def _settle_request(submission_id: str, recorder: Recorder) -> str:
    row = recorder.submissions.get(submission_id)
    cause, problem = Cause.IE_SUPERVISOR_FAILURE, "the submission could not be run after several tries"
    if row is not None and row.status is Status.PENDING:
        if recorder.clock() - from_rfc3339(row.created_at) <= PENDING_MAX_MS:
            return "pending"
        cause, problem = Cause.IE_NOT_RUN, NOT_RUN
    return "ended" if recorder.completer.fail(submission_id, cause, problem) is not None else "ignored"


def submission_of(body: str) -> str | None:
    """Return the submission's id for the log; None if the message has none, or a malformed one."""
    submission_id, _ = _read_loosely(body)
    return submission_id if submission_id is not None and _UUID.fullmatch(submission_id) else None


def _read_loosely(body: str) -> tuple[str | None, str | None]:
    """Return submission id and type of a message that may be malformed; the type of a delivery hint is `hint`."""
    try:
        message = json.loads(body)
    except ValueError:
        return None, None
    if not isinstance(message, dict):
        return None, None
    if "event_id" in message and "type" not in message:
        return None, "hint"
    submission_id, kind = message.get("submission_id"), message.get("type")
    return (
        submission_id if isinstance(submission_id, str) and submission_id else None,
        kind if isinstance(kind, str) else None,
    )
