"""The steps of a run: start it as a submission, finish it when that is final, and publish its events.

Each step leases the run by moving its due time. A process that dies leaves the run due, and the step is done again:
the idempotency key finds the submission, and the end is one transaction.
"""

import secrets
from dataclasses import replace

from functions.aws.dynamodb.table import tries
from functions.checks.runs.complete import RunCompleter
from functions.checks.runs.event_bodies import events_of, is_told_state
from functions.checks.runs.groups import GroupStore
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.program import submit_program
from functions.checks.runs.report import send_report
from functions.checks.runs.run import FINAL_STATUSES, Run, RunStatus
from functions.checks.runs.start import start_followers
from functions.checks.runs.store import RunStore
from functions.checks.schedule import MINUTE_MS
from functions.checks.settings.store import Check, CheckStore
from functions.checks.settings.triggers import EndedAs
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.errors import RateLimitedError, ServiceError, UnavailableError
from functions.failpoint import reach
from functions.submissions.model import Submission
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.publication import Outbox
from functions.webhooks.sealed_secrets import UnsealError

LEASE_MS = 60_000
"""A step of a process that died is repeated after this time."""
_JITTER_SECS = 30
_WAITS = "waits until "
_WAIT_SHARE = 10
"""A waiting run waits for another tenth of the time that it is late."""
_STARTS_OTHERS = frozenset(RunStatus(status) for status in EndedAs)
POLL_MS = 120_000
"""A running run without a hint of its end is checked after this time."""


class RunSteps:
    """Does the steps of runs."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._checks, self._runs, self._submissions = env[CheckStore], env[RunStore], env[SubmissionStore]
        self._groups = env[GroupStore]
        self._completer, self._hints, self._clock = env[RunCompleter], env[CheckHints], env.clock

    def step(self, run: Run, *, has_ended: bool = False) -> None:
        """Do the next step of a run if it is due, or if its submission has ended. Repeating the call is safe."""
        now = self._clock()
        if run.due_at_ms is None or (run.due_at_ms > now and not (has_ended and run.status is RunStatus.RUNNING)):
            return
        leased = self._runs.lease(run, now + LEASE_MS)
        if leased is None:
            return
        reach("check.after_lease")
        check = self._checks.get(run.project_id, run.check_id, with_source=True)
        if check is None:
            self._drop(leased, "the check was deleted")
        elif leased.status is RunStatus.QUEUED and check.settings.is_heartbeat:
            self._drop(leased, "a heartbeat has no program to run")
        elif leased.status is RunStatus.QUEUED:
            self._start(check, leased)
        elif leased.status is RunStatus.RUNNING:
            self._look(check, leased)
        elif leased.is_withheld:
            self._publish(check, self._completer.tell(check, leased))
        elif leased.status is RunStatus.MISSED and not leased.events:
            self._publish(check, self._completer.miss(check, leased))
        else:
            self._publish(check, leased)

    def _drop(self, run: Run, reason: str) -> None:
        """End a run that can neither start nor change a state."""
        status = run.status if run.status in FINAL_STATUSES else RunStatus.SKIPPED
        ended = replace(run, status=status, reason=reason, due_at_ms=None, events=())
        for _ in tries():
            group = self._groups.release(self._checks.get(run.project_id, run.check_id), run)
            if self._runs.put_leased(ended, run, group.actions):
                self._hints.try_send_next(run, group.next)
                return
            if not group.actions:
                return

    def _start(self, check: Check, run: Run) -> None:
        try:
            submission = submit_program(self._env, check, run)
        except (RateLimitedError, UnavailableError) as error:
            self._later(check, run, error)
            return
        except UnsealError:
            self._publish(
                check, self._completer.refuse(check, run, "the values of env cannot be opened: send them again")
            )
            return
        except ServiceError as error:  # the program is refused, and would be again
            self._publish(check, self._completer.refuse(check, run, error.message))
            return
        reach("check.after_accept")
        due_at_ms, submission_id = self._clock() + POLL_MS, submission.submission_id
        reason = "" if run.reason.startswith(_WAITS) else run.reason
        running = replace(
            run, status=RunStatus.RUNNING, submission_id=submission_id, due_at_ms=due_at_ms, reason=reason
        )
        is_noted = self._runs.put_leased(running, run)
        reach("check.after_start")
        if is_noted:
            # If it ended before we noted it, the hint of its end came too early.
            latest = self._submissions.get(submission_id)
            if latest is None or latest.is_final:
                self._finish(check, running, latest)

    def _later(self, check: Check, run: Run, error: RateLimitedError | UnavailableError) -> None:
        """Try again later, until the grace is over: then the run is missed."""
        now = self._clock()
        from_ms = run.scheduled_ms if run.group is None else run.group.from_ms
        late_ms = now - from_ms - check.spread_ms
        if late_ms > check.settings.grace_minutes * MINUTE_MS:
            missed = replace(run, status=RunStatus.MISSED, reason=f"not accepted in time: {error.message}")
            self._publish(check, self._completer.miss(check, missed))
            return
        # Random, so that the waiting runs of a project do not all come back in the same second.
        # The later they are, the longer they wait: a client may have requested very many.
        waited_secs = late_ms // MS_PER_SEC // _WAIT_SHARE
        delay_secs = max(1, error.retry_after_secs, waited_secs) + secrets.randbelow(_JITTER_SECS)
        due_at_ms = now + delay_secs * MS_PER_SEC
        waiting = replace(run, reason=f"{_WAITS}{check.in_zone(due_at_ms)}: {error.message}", due_at_ms=due_at_ms)
        if self._runs.put_leased(waiting, run):
            self._hints.send(waiting, delay_secs)

    def _look(self, check: Check, run: Run) -> None:
        submission = self._submissions.get(run.submission_id or "")
        if submission is not None and not submission.is_final:
            self._runs.put_leased(replace(run, due_at_ms=self._clock() + POLL_MS), run)
        else:
            self._finish(check, run, submission)

    def _finish(self, check: Check, run: Run, submission: Submission | None) -> None:
        """End a run whose submission is final, or None if that was deleted."""
        ended = self._completer.finish(check, run, submission)
        if ended is not None and ended.status is RunStatus.QUEUED:
            self._hints.send(ended, delay_secs=max(0, ((ended.due_at_ms or 0) - self._clock()) // MS_PER_SEC + 1))
        self._publish(check, ended)

    def _publish(self, check: Check, run: Run | None) -> None:
        if run is None or run.is_settled or run.is_withheld or run.status not in FINAL_STATUSES:
            return
        for event in events_of(run):
            self._env[Outbox].publish(event, only=frozenset(check.settings.notify))
        reach("check.after_publish")
        send_report(self._env, check, run)
        reach("check.after_report")
        if run.status in _STARTS_OTHERS and not is_told_state(run) and not check.is_paused:
            start_followers(self._env, check, run)
        reach("check.after_follow")
        if run.quiet_until_ms is None:
            self._runs.finish_events(run)
        else:
            self._runs.put_leased(replace(run, events=(), due_at_ms=run.quiet_until_ms), run)
