"""Runs of transforms: they begin for a delivery, and their ends write its body. See `webhooks.sending.transforms`.

A program that is known to be sound runs directly while its sender waits for a moment, and has no row: its end changes
the delivery. If its sender dies, the hint comes again. Any other run has a row, and goes through the batch queue.
"""

import uuid
from collections.abc import Collection
from dataclasses import replace
from threading import BoundedSemaphore
from types import MappingProxyType
from typing import Final

from events.completed import ExecutionCompleted
from events.vocabulary import Profile, Verdict
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import RateLimitedError, UnavailableError
from functions.failpoint import reach
from functions.http.long_poll import long_poll
from functions.ids import new_id
from functions.projects.model import Project
from functions.projects.quota_store import QuotaStore
from functions.projects.store import ProjectStore
from functions.submissions.accept.acceptance import Charge, QuotaAdmission
from functions.submissions.completed_event import PlanTransformEnd
from functions.submissions.direct import RunnerSlowError, RunnerUnavailableError, runner_client
from functions.submissions.model import Kind, Status, Submission
from functions.submissions.queues import Queues, execution_requested
from functions.submissions.results.results import output_if_kept
from functions.submissions.runners.fleet import Fleet
from functions.submissions.store import SubmissionStore
from functions.telemetry import warn
from functions.ttl_cache import TtlCache
from functions.webhooks.deliveries.model import TransformedDelivery
from functions.webhooks.deliveries.publication import Publication
from functions.webhooks.endpoints.model import Transform
from functions.webhooks.sending.transforms import Begun, TransformEnd, TransformRun, Transforms

LIMITS: Final = MappingProxyType({"wall_time_secs": 5, "memory_mb": 256, "output_kb": 512})
"""The limits of each run. The CPU time is the language's, for which a runner sets up its next run.

A body has at most 256 KiB.
"""
_TTL_SECS = 86_400
_DISABLED_RETRY_SECS = 300
_TEST_SECS = 10
_PROJECT_MS, _MOST_PROJECTS = 10_000, 1_000
_NOT_IN_TIME = f"The program has not run within {_TEST_SECS} seconds, because runners are busy. Repeat the request."


DIRECT_SECS = 1.5
"""A sender waits for so long for a direct run, more than a runner lets it wait for a slot. Then it is queued."""
SLOW_SECS = 0.25
"""A program whose run took longer is queued for SLOW_MS, so that it holds no senders."""
SLOW_MS, _MOST_SLOW = 10_000, 1_000
PAUSE_MS = 2_000
"""Nothing runs directly for so long after a runner had no slot."""


class DirectTransforms:
    """Runs transforms on a runner while their senders wait, and writes their ends.

    A quarter of the senders of this process never waits.
    """

    def __init__(self, env: Env) -> None:
        self._env, self._runner, self._quotas = env, env[runner_client], env[QuotaStore]
        self._slow = TtlCache[tuple[str, bytes], bool](SLOW_MS, _MOST_SLOW, env.clock)
        self._paused_until = 0
        self._senders = BoundedSemaphore(max(1, env.settings.webhook_senders_of_process * 3 // 4))

    def run(self, row: Submission, run: TransformRun) -> Begun | None:
        """Run it; None if it must be queued. Raises UnavailableError and the errors of the tables."""
        of, now = (run.delivery.endpoint_id, run.delivery.program), self._env.clock()
        # One whose program is new or has failed has its turn, and may take long.
        if self._runner is None or run.delivery.has_turn or self._slow.get(of) or now < self._paused_until:
            return None
        if not self._senders.acquire(blocking=False):
            return None
        message = execution_requested(replace(row, code=run.program.code.encode(), stdin=run.event), row.created_at)
        try:
            completed = self._runner.start(message, row.correlation_id, DIRECT_SECS).finish()
        except RunnerSlowError:
            self._slow.keep(of, value=True)
            return None
        except RunnerUnavailableError:
            self._paused_until = now + PAUSE_MS
            return None
        finally:
            self._senders.release()
        reach("transform.after_answer")
        if not isinstance(completed, ExecutionCompleted) or _is_large(completed):
            self._slow.keep(of, value=True)  # else each of its runs would be two
            return None
        end = _end(completed)
        if end.wall_secs > SLOW_SECS:
            self._slow.keep(of, value=True)
        return self._written(row, run.plan_end(end))

    def _written(self, row: Submission, planned: Publication) -> Begun:
        """Write the end. Raises RowsContendedError and the errors of the table; its hint then comes again."""
        actions, is_written = {"end": planned.actions, "quota": self._quotas.release_action(row.quota_claim)}, False
        try:
            is_written = transact_or_raise(self._env.dynamodb, actions) is None
            reach("transform.after_end")
        finally:
            if not is_written:
                self._quotas.release(row.quota_claim)
        # If it was refused, another sender was first, or the delivery was cancelled.
        return Begun(hint=next(iter(planned.hints), None) if is_written else None)


def _is_large(completed: ExecutionCompleted) -> bool:
    """Whether its output is in the bucket. Then it runs again from the queue, whose end reads it from there."""
    return completed.stdout.content is None or completed.stderr.content is None


class QueuedTransforms:
    """Begins runs: charges the project's quota, and runs them directly, or writes the row and sends the message."""

    def __init__(self, env: Env) -> None:
        self._env, self._store, self._admission = env, env[SubmissionStore], env[QuotaAdmission]
        self._projects = TtlCache[str, Project](_PROJECT_MS, _MOST_PROJECTS, env.clock)

    def begin(self, run: TransformRun) -> Begun:
        """Begin a run unless it was."""
        run_id = run.delivery.run_id
        if not run.is_new and self._store.get(run_id) is not None:
            return Begun()  # the sweeper repeats it if its message is lost
        try:
            row = self._row(run.project_id, run_id, run.program, run.created_at_ms)
            row, charge = self._charged(replace(row, transformed=run.delivery, correlation_id=run.correlation_id))
            ended = self._env[DirectTransforms].run(row, run)
            if ended is not None:
                return ended
            self._queue(row, charge, run.program, run.event)
        except (RateLimitedError, UnavailableError) as refused:
            return Begun(max(1, refused.retry_after_secs))
        return Begun()

    def test(self, project_id: str, program: Transform, event: bytes) -> TransformEnd:
        """Run a program now, and wait for its end. Raises RateLimitedError, UnavailableError."""
        row = replace(self._row(project_id, new_id(), program, self._env.clock()), priority="interactive")
        row, charge = self._charged(row)
        self._queue(row, charge, program, event)
        poll = self._env[long_poll]
        ended = poll.wait(row, lambda: self._store.get(row.submission_id), lambda seen: seen.is_final, _TEST_SECS)
        if ended is not None and not ended.is_final and not self._remove(row):
            ended = self._store.get(row.submission_id)
        if ended is None or not ended.is_final:
            raise UnavailableError(_NOT_IN_TIME, 5)
        end = _end_of(self._env, ended)
        self._env[Payloads].delete_outputs(ended.submission_id, (ended.stdout_key, ended.stderr_key))
        self._store.delete(ended)
        return end

    def _remove(self, row: Submission) -> bool:
        """Remove a run whose caller has left: its late end deletes its output. False if it has ended."""
        release = self._env[QuotaStore].release_action(row.quota_claim)
        actions = {"row": self._store.transform_end(row), "quota": release}
        return transact_or_raise(self._env.dynamodb, actions) is None

    def languages(self) -> Collection[str]:
        """Return the languages that runners offer, as of a few seconds ago."""
        return self._env[Fleet].languages()

    def _row(self, project_id: str, run_id: str, program: Transform, created_at_ms: int) -> Submission:
        now = self._env.clock()
        project = self._project(project_id)
        profile = Profile.JUDGE if Profile.JUDGE in project.profiles else Profile.AGENT
        return Submission(
            submission_id=run_id,
            project_id=project_id,
            status=Status.PENDING,
            language=program.language,
            profile=profile.value,
            limits=dict(LIMITS),
            created_at=to_rfc3339(created_at_ms),
            ttl=now // MS_PER_SEC + _TTL_SECS,
            execution_id=str(uuid.uuid5(uuid.UUID(run_id), "execution")),
            wall_budget_secs=LIMITS["wall_time_secs"],
            due_at_ms=now + self._env.settings.pending_redrive_secs * MS_PER_SEC,
            summary={"kind": Kind.TRANSFORM.value},
        )

    def _charged(self, row: Submission) -> tuple[Submission, Charge]:
        """Charge a run. Raises RateLimitedError, UnavailableError and the errors of the tables."""
        charge = self._admission.charge(self._project(row.project_id), row)
        return replace(row, quota_shard=charge.shard), charge

    def _queue(self, row: Submission, charge: Charge, program: Transform, event: bytes) -> None:
        """Write the row and send the message. The row has neither program nor input, which the delivery leads to.

        Raises the errors of the tables.
        """
        try:
            self._store.create(row, None)
        except Exception:
            self._admission.refund_unwritten(row, charge)
            raise
        reach("transform.after_create")
        whole = replace(row, code=program.code.encode(), stdin=event)
        try:
            self._env[Queues].send_execution(execution_requested(whole, row.created_at), row.correlation_id)
        except Exception as error:  # noqa: BLE001 - the row is due, so the sweeper sends it
            warn(self._env.log, "Transform not queued; the sweeper will send it", row.log_ids, error)

    def _project(self, project_id: str) -> Project:
        """Return a project. Raises UnavailableError while it is disabled."""
        known = self._projects.get(project_id)
        if known is not None:
            return known
        record = self._env[ProjectStore].get(project_id)
        if record is None or record.disabled_at is not None:
            raise UnavailableError("The project is disabled.", _DISABLED_RETRY_SECS)
        return self._projects.keep(project_id, record.project)


def transform_end(env: Env) -> PlanTransformEnd:
    """Return what plans the end of a transform: its delivery gets the body, or why there is none."""

    def plan(final: Submission) -> Publication:
        return env[Transforms].plan_end(final.transformed or TransformedDelivery("", ""), _end_of(env, final))

    return plan


def _end(completed: ExecutionCompleted) -> TransformEnd:
    result, measured = completed.result, completed.metrics
    wall_secs, cpu_secs = (0.0, 0.0) if measured is None else (measured.wall_time_secs, measured.cpu_time_secs)
    stdout, stderr = completed.stdout.inline, completed.stderr.inline
    return TransformEnd(result.verdict, stdout, stderr, result.error_message or result.cause, wall_secs, cpu_secs)


def _end_of(env: Env, final: Submission) -> TransformEnd:
    stdout = output_if_kept(env[Payloads], final, "stdout")
    stderr = output_if_kept(env[Payloads], final, "stderr")
    error = final.result.get("error_message") or final.result.get("cause") or ""
    wall_secs, cpu_secs = ((final.metrics or {}).get(name) or 0.0 for name in ("wall_time_secs", "cpu_time_secs"))
    return TransformEnd(final.verdict or Verdict.IE.value, stdout, stderr, error, wall_secs, cpu_secs)


def with_transform(env: Env, row: Submission) -> Submission:
    """Return the row of a transform with program and input, to run again. Raises PayloadMissingError."""
    found = None if row.transformed is None else env[Transforms].input_of(row.transformed)
    if found is None:
        raise PayloadMissingError("no such event or transform")
    program, event = found
    return replace(row, language=program.language, code=program.code.encode(), stdin=event)
