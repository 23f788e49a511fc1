"""The steps of a run: start it as a submission, finish it when that is final, and publish its events.

Each step leases the run by moving its due time. A process that dies leaves the run due, and the step is done again:
the idempotency key finds the submission, and the end is one transaction.
"""

import secrets
from dataclasses import replace
from itertools import islice, takewhile

from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import Table, tries
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.checks import keys
from functions.checks.runs.complete import RunCompleter, send_report
from functions.checks.runs.event_bodies import events_of, is_told_state
from functions.checks.runs.groups import GroupStore, wake
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.start import event_variables, start_followers
from functions.checks.runs.store import FINAL_STATUSES, Run, RunKind, RunStatus, RunStore, new_run, scheduled_run_id
from functions.checks.schedule import MINUTE_MS
from functions.checks.settings.changes import environment_of
from functions.checks.settings.check_settings import CheckSettings, MissedRule, Overlap
from functions.checks.settings.store import Check, CheckStore
from functions.checks.settings.triggers import EndedAs, EventAs, size_problem
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.errors import BadRequestError, IdempotencyConflictError, RateLimitedError, ServiceError, UnavailableError
from functions.failpoint import reach
from functions.projects.store import ProjectStore
from functions.submissions.accept.acceptance import Acceptance, NewSubmission
from functions.submissions.model import Claim, Submission, idempotency_pk
from functions.submissions.store import ClaimTakenError, SubmissionStore
from functions.webhooks.deliveries.publication import Outbox
from functions.webhooks.sealed_secrets import UnsealError

# Give the due times of a check their runs: exactly one row for each scheduled time.

ON_TIME_MS = 3 * MINUTE_MS
"""A run that starts later than this is late: the schedule fires every minute, and SQS may take a minute too."""
_MOST_TIMES = 90
"""Times of one transaction, which may have 100 actions. The others are due at once."""


def fire(env: Env, project_id: str, check_id: str) -> list[Run]:
    """Add the runs of the due times of a check, and return them. Repeating the call is safe."""
    now, added = env.clock(), list[Run]()
    while True:
        check = env[CheckStore].get(project_id, check_id)
        if check is None or check.due_at_ms is None or check.due_at_ms > now:
            return added
        runs, after = due_runs(check, now)
        reach("check.before_schedule")
        if env[RunStore].add_scheduled(check, after, runs):
            added += runs
        reach("check.after_schedule")


def due_runs(check: Check, now: int) -> tuple[list[Run], Check]:
    """Return the runs of the due times, oldest first, and the check moved to its next time.

    Only the latest run may start. The ones before it are missed: they could not start before the next was due.
    A heartbeat has no program, so all of its due times are missed.
    """
    first, until = check.next_slot_ms or 0, now - check.delay_ms
    times = [first, *islice(takewhile(lambda time: time <= until, check.times_after(first)), _MOST_TIMES - 1)]
    next_time = check.next_time_after(times[-1])
    is_whole = next_time is None or next_time > until  # else more times are due
    runs = [_missed(check, time, now) for time in times]
    after = replace(check, next_slot_ms=next_time)
    late_ms = now - check.delay_ms - times[-1]
    grace_ms = check.settings.grace_minutes * MINUTE_MS if check.settings.missed is MissedRule.RUN_LATEST else 0
    if is_whole and not check.settings.is_heartbeat and late_ms <= max(ON_TIME_MS, grace_ms):
        runs[-1] = _latest(check, times[-1], now, late_ms)
        if runs[-1].status is RunStatus.QUEUED:
            after = replace(after, open_run_id=runs[-1].run_id)
    return runs, after


def _scheduled_run(check: Check, scheduled_ms: int, now: int) -> Run:
    return new_run(check, RunKind.SCHEDULED, scheduled_ms, now, scheduled_run_id(check.check_id, scheduled_ms))


def _latest(check: Check, scheduled_ms: int, now: int, late_ms: int) -> Run:
    run = _scheduled_run(check, scheduled_ms, now)
    if check.open_run_id is not None and check.settings.overlap is Overlap.SKIP:
        reason = f"the run before was still going on: {check.open_run_id}"
        return replace(run, status=RunStatus.SKIPPED, reason=reason, due_at_ms=None)
    if late_ms > ON_TIME_MS:
        return replace(run, reason=f"started {late_ms // MS_PER_SEC} s late")
    return run


def _missed(check: Check, scheduled_ms: int, now: int) -> Run:
    if check.settings.is_heartbeat:
        reason = f"no ping came by {check.in_zone(scheduled_ms + check.delay_ms)}"
    else:
        late_secs = (now - scheduled_ms - check.spread_ms) // MS_PER_SEC
        reason = f"the schedule was not served in time: {late_secs} s late"
    return replace(_scheduled_run(check, scheduled_ms, now), status=RunStatus.MISSED, reason=reason)


# Notices that the clock ran ahead and is right again, and brings checks and runs back from a time that is far away.

_AHEAD_MS = MINUTE_MS // 2
_SOON_MS = 10 * MINUTE_MS
"""A run that is due later was leased, or put off, by the clock that ran ahead."""
_EVER_MS = 2**53


class ClockMark(Table):
    """The latest time at which the schedule has fired."""

    table_setting = "checks_table"

    def read(self) -> int:
        """Return it; 0 before the first firing."""
        row = self._get(keys.clock_key())
        return 0 if row is None else int(row["latest_ms"])

    def write(self, latest_ms: int) -> None:
        self._client.put_item(TableName=self.table_name, Item={**keys.clock_key(), **to_item({"latest_ms": latest_ms})})


def repair_clock(env: Env) -> int:
    """Return how many checks and runs were moved to an earlier time. Call it before each firing.

    Repeating the call is safe, and it is repeated until it was whole.
    """
    now, moved, mark, runs = env.clock(), 0, env[ClockMark], env[RunStore]
    if mark.read() > now + _AHEAD_MS:
        for row in runs.due(_EVER_MS):
            if row.is_check and row.due_at_ms > now:
                moved += _plan_again(env, *keys.ids_of_check(row.pk, row.sk))
            elif row.is_group:
                moved += bool(wake(env, row.pk, row.sk))
            elif row.due_at_ms > now + _SOON_MS and (run := runs.get_run(row.pk, row.sk)) is not None:
                moved += runs.lease(run, now) is not None
    mark.write(now)
    return moved


def _plan_again(env: Env, project_id: str, check_id: str) -> bool:
    """Move a check to its first time from now on, if that is sooner than its next one. Tell whether it was moved.

    A rate that counts from a time in the future counts from now.
    """
    now, check = env.clock(), env[CheckStore].get(project_id, check_id)
    if check is None or check.next_slot_ms is None:
        return False
    after = replace(check, anchor_ms=min(check.anchor_ms, now))
    after = replace(after, next_slot_ms=after.next_time_after(now - check.spread_ms))
    is_sooner = after.next_slot_ms is not None and after.next_slot_ms < check.next_slot_ms
    return is_sooner and env[RunStore].add_scheduled(check, after, ())


# Submit the program of a run. The idempotency key is that of the run and its attempt.

_DISABLED_RETRY_SECS = 300


def _submit(env: Env, check: Check, run: Run) -> Submission:
    """Return the submission of a run; a repeat finds the earlier one. Raises ServiceError, UnsealError."""
    record = env[ProjectStore].get(run.project_id)
    if record is None or record.disabled_at is not None:
        raise UnavailableError("The project is disabled.", _DISABLED_RETRY_SECS)
    # A header cannot hold the first character, so no client can take the key of a run, whose id it may know.
    key, submissions = f"\0check:{run.run_id}:{run.attempt}", env[SubmissionStore]
    metadata = {"check_id": run.check_id, "check_run_id": run.run_id, "check_run": run.position}
    environment = environment_of(env, check, event_variables(check.settings, run))
    request = _with_event(check.settings, run.event).submission(metadata, environment)
    if (body := _body_of_call(env, run)) is not None:
        request = replace(request, program=replace(request.program, stdin=body))
    try:
        accepted = env[Acceptance].accept(NewSubmission(record.project, request, key, 0, run.run_id, source="check"))
    except IdempotencyConflictError:
        # The check was changed after this run was accepted, and before we noted its submission.
        try:
            submissions.check_claim(Claim(idempotency_pk(run.project_id, key), ""))
        except ClaimTakenError as taken:
            earlier = submissions.get(taken.submission_id)
            if earlier is not None:
                return earlier
        raise
    return accepted.submission


def _body_of_call(env: Env, run: Run) -> bytes | None:
    """Return the body of the call that started a run. Raises BadRequestError if it is gone."""
    if run.call is None or run.call.body_key is None:
        return None if run.call is None else run.call.body
    try:
        return env[Payloads].get_event(run.call.body_key)
    except PayloadMissingError:
        raise BadRequestError("the body of the call is gone: RetentionDays are over") from None


def _with_event(settings: CheckSettings, event: str | None) -> CheckSettings:
    """Return the settings with an event as standard input, if they ask for it. Raises BadRequestError."""
    if event is None:
        return settings
    problem = size_problem(event, settings.event_as)  # `event_as` may have changed since
    if problem is not None:
        raise BadRequestError(problem)
    return settings.model_copy(update={"stdin": event}) if settings.event_as is EventAs.STDIN else settings


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
            submission = _submit(self._env, check, run)
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
