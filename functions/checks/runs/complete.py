"""Complete a run: evaluate the assertions, move the state of its check, and store the events, in one transaction."""

from dataclasses import replace
from typing import Final

from events.vocabulary import CANCELLATIONS, Verdict
from functions.aws.dynamodb.table import tries
from functions.aws.payloads import Payloads
from functions.checks.evaluation import Outcome, difference, evaluate
from functions.checks.runs.event_bodies import summary, with_events, with_told_state
from functions.checks.runs.groups import GroupStore
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.report import is_reported
from functions.checks.runs.run import Run, RunStatus
from functions.checks.runs.store import RunStore
from functions.checks.settings.store import Check, CheckStore, QuietStore
from functions.checks.state import Finished, Rules, Standing, State, Step, settle, settle_missed, tell
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.failpoint import reach
from functions.submissions.model import Submission
from functions.submissions.results.overview import RunCounts
from functions.submissions.results.results import output_if_kept

_FAILURES: Final = frozenset({RunStatus.FAILED, RunStatus.ERROR, RunStatus.MISSED})
_RETRY_SECS = 30
_GOOD_MAX_BYTES = 64 * 1024
"""A longer good output is not kept: it is compared with nothing."""


class RunCompleter:
    """Completes runs."""

    def __init__(self, env: Env) -> None:
        self._checks, self._runs, self._quiet = env[CheckStore], env[RunStore], env[QuietStore]
        self._groups, self._hints = env[GroupStore], env[CheckHints]
        self._payloads, self._base_url, self._clock = env[Payloads], env.settings.public_base_url, env.clock
        self._counts = env[RunCounts]

    def finish(self, check: Check, run: Run, submission: Submission | None) -> Run | None:
        """End a run whose submission is final, or None if that was deleted. None if another process was faster."""
        if submission is None:
            return self.refuse(check, run, "the submission was deleted before its end")
        if submission.result.get("cause") in CANCELLATIONS:
            return self.refuse(check, run, "the run was cancelled")
        last_good = self._runs.last_good(check)
        stdout = output_if_kept(self._payloads, submission, "stdout")
        outcome = Outcome(
            verdict=submission.verdict or Verdict.IE.value,
            exit_code=submission.result.get("exit_code"),
            stdout=stdout,
            stderr=output_if_kept(self._payloads, submission, "stderr"),
            wall_time_secs=(submission.metrics or {}).get("wall_time_secs"),
            memory_peak_bytes=(submission.metrics or {}).get("memory_peak_bytes"),
            connections=(submission.evidence or {}).get("network") or (),
        )
        settings = check.settings
        evaluation = evaluate(
            settings.assertions,
            outcome,
            last_good,
            has_network=submission.needs_network,
            should_fail=settings.should_fail,
        )
        is_fault = outcome.verdict == Verdict.IE.value
        has_passed = not is_fault and evaluation.passed
        message = submission.result.get("error_message") if is_fault else None
        ended = replace(
            run,
            status=_status(run, has_passed=has_passed, is_fault=is_fault),
            verdict=outcome.verdict,
            wall_time_secs=outcome.wall_time_secs,
            started_at=submission.started_at,
            completed_at=submission.completed_at,
            results=() if is_fault else evaluation.results,
            reason=message or run.reason,
            event=None,
            call=None if run.call is None else run.call.without_body(),
        )
        change = "" if last_good is None else difference(last_good, stdout)
        good = stdout if has_passed and len(stdout) <= _GOOD_MAX_BYTES else None
        return self._end(check, run, ended, change, good)

    def refuse(self, check: Check, run: Run, reason: str) -> Run | None:
        """End a run that the platform could not do. It says nothing about the program."""
        ended = replace(run, status=RunStatus.ERROR, reason=reason, completed_at=to_rfc3339(self._clock()))
        return self._end(check, run, ended, is_last=True)

    def miss(self, check: Check, run: Run) -> Run | None:
        """End a run that did not start."""
        return self._end(check, run, replace(run, status=RunStatus.MISSED))

    def tell(self, check: Check, run: Run) -> Run | None:
        """Tell the state that a quiet time withheld, if the last message gave another one.

        None if another process was faster.
        """
        for _ in tries():
            rules, now = self._quiet.rules(check), self._clock()
            step = tell(check.standing, rules, now)
            told = with_told_state(check, run, rules, step, now, self._base_url)
            if self._runs.settle(run, told, check, replace(check, standing=step.standing), None):
                return told
            latest = self._checks.get(check.project_id, check.check_id)
            if latest is None:
                return None
            check = latest
        return None

    def _end(
        self, check: Check, run: Run, ended: Run, change: str = "", good: bytes | None = None, *, is_last: bool = False
    ) -> Run | None:
        """Write the end of a run with the check's new standing. `is_last`: it is not repeated, however it ended."""
        for _ in tries():
            affects = ended.affects_state and not check.is_paused
            rules = self._quiet.rules(check)
            step = self._step(check, ended, rules, is_last=is_last)
            if affects and step.retry:
                return self._again(run, ended)
            after = self._moved(check, step.standing if affects else check.standing)
            final = replace(ended, due_at_ms=None)
            if affects:
                final = with_events(check, ended, rules, step, self._clock(), self._base_url, change)
            if is_reported(check, final):
                final = replace(final, due_at_ms=ended.due_at_ms)
            after = replace(after, last_run=summary(final))
            reach("check.before_settle")
            group = self._groups.release(check, final)
            if self._runs.settle(run, final, check, after, good if affects else None, group.actions):
                reach("check.after_settle")
                if final.status in _FAILURES:
                    self._counts.count(final.project_id, {"failed_checks": 1})
                self._hints.try_send_next(final, group.next)
                return final
            latest = self._checks.get(check.project_id, check.check_id)
            if latest is None:
                return None  # deleted; the run is due, and is dropped then
            check = latest
        return None

    def _step(self, check: Check, ended: Run, rules: Rules, *, is_last: bool) -> Step:
        if ended.status is RunStatus.MISSED:
            if check.pings.ended_ms > ended.scheduled_ms:  # a ping came since
                return Step(standing=check.standing)
            return settle_missed(check.standing, rules, self._clock())
        finished = Finished(
            passed=ended.status in {RunStatus.PASSED, RunStatus.FLAKY},
            is_platform_fault=ended.status is RunStatus.ERROR,
            attempt=rules.retries if is_last else ended.attempt,
            earlier_failed=ended.earlier_failed,
        )
        return settle(check.standing, rules, finished, self._clock())

    def _again(self, run: Run, ended: Run) -> Run | None:
        pause_ms = _RETRY_SECS * 2**run.attempt * MS_PER_SEC
        again = replace(
            run,
            status=RunStatus.QUEUED,
            attempt=run.attempt + 1,
            earlier_failed=run.earlier_failed or ended.status is RunStatus.FAILED,
            submission_id=None,
            reason=f"attempt {run.attempt + 1} ended as {ended.status.value}: {ended.submission_id}",
            due_at_ms=self._clock() + pause_ms,
        )
        return again if self._runs.put_leased(again, run) else None

    def _moved(self, check: Check, standing: Standing) -> Check:
        """Return the check with its new standing. A check that begins to fail may run sooner from now on."""
        after = replace(check, standing=standing)
        if after.standing.state is State.FAILING and after.next_slot_ms is not None:
            sooner = after.next_time_after(self._clock() - after.spread_ms)
            if sooner is not None and sooner < after.next_slot_ms:
                return replace(after, next_slot_ms=sooner)
        return after


def _status(run: Run, *, has_passed: bool, is_fault: bool) -> RunStatus:
    if is_fault:
        return RunStatus.ERROR
    if not has_passed:
        return RunStatus.FAILED
    return RunStatus.FLAKY if run.earlier_failed else RunStatus.PASSED
