"""Judges a kill run: finds losses, wrong results and duplicate sends."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

from functions.webhooks.vocabulary import ALERT_EVENTS
from tests.system.kill_run.facts import AttemptRow, Facts, Reception
from tests.system.kill_run.history import (
    DAY_SECS,
    Told,
    essence,
    shown,
    wrong_answers,
    wrong_charges,
    wrong_checks,
    wrong_list,
    wrong_polls,
)
from tests.system.kill_run.sends import Unrecorded, unreceived, unrecorded

RUN = "run"
MAX_ATTEMPTS = 10
LATE_LINE_SECS = 2.0
"""A line of the runner waits in a pipe while the process that writes it is replaced."""
_ENDED = re.compile(
    r"(?P<time>\d\d:\d\d:\d\d\.\d{3}) \w+ +"
    r"(?P<what>Completion recorded|execution completed|judge run completed) .*submission_id=(?P<submission>\S+)"
    r"(?:.* run_ms=(?P<run_ms>\d+)|.*message_type=\w+_completed)"
)
MAX_RECEIVES = 5
"""Of the submission queues. Only a kill may end a receive without a result."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`duplicates`: sends without a record, repeated for that reason. `retries`: sends after a recorded failure.

    `ran_again`: runs that began when their result was final, as a kill between its completion and the deletion of its
    message allows. They change nothing.
    """

    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    duplicates: list[Unrecorded] = field(default_factory=list)
    retries: int = 0
    delivered: int = 0
    owed: int = 0
    gave_up: int = 0
    ran_again: list[str] = field(default_factory=list)

    @property
    def unexplained(self) -> list[Unrecorded]:
        """Duplicates that no kill explains."""
        return [duplicate for duplicate in self.duplicates if duplicate.explanation is None]

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing wrong, every duplicate explained."""
        return not (self.lost or self.wrong or self.unexplained)

    def lines(self) -> Iterator[str]:
        """List losses, wrong results and duplicates."""
        yield from (f"lost: {what}" for what in self.lost)
        yield from (f"wrong: {what}" for what in self.wrong)
        yield from (f"ran again: {what}" for what in self.ran_again)
        for duplicate in self.duplicates:
            reception = duplicate.reception
            yield f"duplicate: {reception.webhook_id} to {reception.target}: {duplicate.explanation or 'UNEXPLAINED'}"


class Judge:
    """Judges `facts` once."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._jobs = {submitted.job.key: submitted.job for submitted in facts.submitted}
        self._received: dict[tuple[str, str], list[Reception]] = defaultdict(list)
        for reception in facts.receptions:
            self._received[reception.webhook_id, reception.target].append(reception)
        self._attempts: dict[tuple[str, str], list[AttemptRow]] = defaultdict(list)
        for attempt in facts.attempts:
            self._attempts[attempt.event_id, attempt.target].append(attempt)

    def judge(self) -> Judgement:
        """Return the judgement of all facts."""
        facts = self._facts
        sends = [
            found
            for pair, receptions in self._received.items()
            for found in unrecorded(receptions, self._attempts.get(pair, []), facts.generations)
        ]
        repeats = sum(len(receptions) - 1 for receptions in self._received.values())
        return Judgement(
            lost=[*self._lost()],
            wrong=[
                *facts.problems,
                *self._wrong_rows(),
                *self._wrong_results(),
                *self._wrong_deliveries(),
                *self._overtaken(),
                *self._wrong_history(),
            ],
            duplicates=sends,
            retries=repeats - len(sends),
            delivered=sum(self._is_delivered(pair) for pair in self._owed),
            owed=len(self._owed),
            gave_up=sum(result.get("verdict") == "IE" for result in facts.results.values()),
            ran_again=[*self._ran_again()],
        )

    @cached_property
    def _owed(self) -> list[tuple[str, str]]:
        wanting = [target for target, wants in self._facts.targets.items() if wants]
        of_runs = [
            (submission_id, target)
            for submission_id, key in self._facts.rows.items()
            for target in [*wanting, *([RUN] if self._jobs[key].own else [])]
        ]
        return of_runs + [pair for pair in self._facts.deliveries if pair[0] in self._facts.alerts]

    def _is_delivered(self, pair: tuple[str, str]) -> bool:
        is_received = any(reception.status == HTTPStatus.OK for reception in self._received.get(pair, []))
        return is_received and self._facts.deliveries.get(pair) == "delivered"

    def _lost(self) -> Iterator[str]:
        facts = self._facts
        for submitted in facts.submitted:
            if submitted.submission_id not in facts.rows:
                yield f"{submitted.submission_id} of job {submitted.job.key} was accepted and is not in the table"
        for submission_id in facts.rows:
            if "verdict" not in facts.results[submission_id]:
                yield f"{submission_id} is not final: {facts.results[submission_id].get('status')}"
        for pair in self._owed:
            if not self._is_delivered(pair):
                came = [reception.status for reception in self._received.get(pair, [])]
                yield f"{pair[0]} to {pair[1]}: {facts.deliveries.get(pair)}, answered {came}"

    def _wrong_rows(self) -> Iterator[str]:
        rows = Counter(self._facts.rows.values())
        for key, job in self._jobs.items():
            if job.repeats and rows[key] > 1:
                yield f"job {key} has an idempotency key and {rows[key]} submissions"
        for submitted in self._facts.submitted:
            key = self._facts.rows.get(submitted.submission_id or "", submitted.job.key)
            if key != submitted.job.key:
                yield f"job {submitted.job.key} was told the id of job {key}"

        # A process that dies before it writes the row leaves a charge without a row. The quota releases that by itself.
        for submission_id in self._facts.held & self._facts.rows.keys():
            yield f"{submission_id} is still in flight in the quota"

    def _wrong_results(self) -> Iterator[str]:
        for submission_id, key in self._facts.rows.items():
            result, job = self._facts.results[submission_id], self._jobs[key]
            seen = tuple(result.get(name) for name in ("verdict", "exit_code", "stdout"))
            is_right = seen == (job.verdict, job.exit_code, job.stdout)
            if "verdict" in result and not (is_right or self._was_killed_too_often(result)):
                yield f"{submission_id}: {seen}, cause {result['result']['cause']}, of {job.code!r}"
        for submitted in self._facts.submitted:
            told, now = submitted.answer, self._facts.results.get(submitted.submission_id or "", {})
            if told is not None and essence(told) != essence(now):
                yield f"{submitted.submission_id}: answered {essence(told)}, now {essence(now)}"

    def _was_killed_too_often(self, result: Mapping[str, Any]) -> bool:
        if result["verdict"] != "IE" or result["result"]["cause"] not in {"ie_supervisor_failure", "ie_not_run"}:
            return False
        began, ended = (epoch_secs(result[name]) for name in ("created_at", "completed_at"))
        return sum(began <= kill.at <= ended for kill in self._facts.kills) >= MAX_RECEIVES

    def _wrong_deliveries(self) -> Iterator[str]:
        owed = set(self._owed)
        for pair in self._facts.deliveries.keys() - owed:
            yield f"{pair[0]} has a delivery to {pair[1]}, which did not subscribe to it"
        bodies: dict[str, set[bytes]] = defaultdict(set)
        for pair, receptions in self._received.items():
            if pair not in owed and not _is_alert(receptions[0]):  # an alert may arrive after the tables were read
                yield f"{pair[1]} got {pair[0]}, to which it did not subscribe"
            versions = {reception.body for reception in receptions}
            if _is_written(receptions[0]):
                yield from self._wrong_written(pair, versions)
            else:
                bodies[pair[0]] |= versions
            yield from (f"{pair[0]} to {pair[1]}: {reception.problem}" for reception in receptions if reception.problem)
            for attempt in unreceived(receptions, self._attempts.get(pair, [])):
                yield f"{pair[0]} to {pair[1]}: recorded an answer {attempt.status} that was not given"
        yield from self._too_many_attempts()
        for submission_id, versions in bodies.items():
            if len(versions) > 1:
                yield f"{submission_id} was sent in {len(versions)} versions"
            event, result = shown(json.loads(min(versions))), self._facts.results.get(submission_id, {})
            if event.get("type") not in ALERT_EVENTS and essence(event) != essence(result):
                yield f"{submission_id} was sent as {essence(event)}, now {essence(result)}"

    def _too_many_attempts(self) -> Iterator[str]:
        for pair, attempts in self._attempts.items():
            if len(attempts) > MAX_ATTEMPTS:
                yield f"{pair[0]} to {pair[1]}: {len(attempts)} attempts"

    def _wrong_written(self, pair: tuple[str, str], versions: set[bytes]) -> Iterator[str]:
        """A transform, which never writes the same twice, must have written one body of its own event."""
        if len(versions) > 1:
            yield f"{pair[0]} to {pair[1]}: {len(versions)} bodies"
        for version in versions:
            if json.loads(version)["written"] != pair[0]:
                yield f"{pair[0]} to {pair[1]}: the body of {json.loads(version)['written']}"

    def _wrong_history(self) -> Iterator[str]:
        history, rows, results = self._facts.history, self._facts.rows, self._facts.results
        at_the_end = (Told(name, HTTPStatus.OK, result) for name, result in results.items())
        yield from wrong_answers((*history.told, *at_the_end))
        yield from wrong_polls(history.pages, rows)
        yield from wrong_list(history.listed, rows)
        accepted_at = {one.submission_id: one.at for one in self._facts.submitted if one.submission_id is not None}
        lives = {
            name: (epoch_secs(result["created_at"]), epoch_secs(result["completed_at"]))
            for name, result in results.items()
            if "verdict" in result
        }
        yield from wrong_checks(history.checks)
        yield from wrong_charges(history.charges, accepted_at, lives)

    def _ran_again(self) -> Iterator[str]:
        """Runs that began when their result was final, by the times of log lines."""
        final_at: dict[str, float] = {}
        for line in self._facts.log.splitlines():
            if (found := _ENDED.match(line)) is None:
                continue
            submission_id = found["submission"]
            hours, minutes, secs = found["time"].split(":")
            at = int(hours) * 3600 + int(minutes) * 60 + float(secs)
            if found["what"] == "Completion recorded":
                final_at.setdefault(submission_id, at)
            elif submission_id in final_at:
                late_secs = (at - int(found["run_ms"] or 0) / 1000 - final_at[submission_id]) % DAY_SECS
                if LATE_LINE_SECS < late_secs < DAY_SECS / 2:
                    yield f"{submission_id} {late_secs:.1f} s after its result was final"

    def _overtaken(self) -> Iterator[str]:
        """Deliveries of an ordered endpoint that were sent again after another one had begun, or beside it."""
        for target in self._facts.ordered:
            seen: list[Reception] = []
            for reception in sorted(self._facts.receptions, key=lambda reception: reception.received_at):
                if reception.target != target:
                    continue
                last = seen[-1] if seen else None
                if last is not None and last.webhook_id != reception.webhook_id:
                    if any(earlier.webhook_id == reception.webhook_id for earlier in seen):
                        yield f"{reception.webhook_id} came to the ordered {target} again, after {last.webhook_id}"
                    if last.status != HTTPStatus.OK or reception.received_at < last.answered_at:
                        yield f"{reception.webhook_id} came to the ordered {target} before the end of {last.webhook_id}"
                seen.append(reception)


def epoch_secs(time: str) -> float:
    """Read an RFC 3339 time."""
    return datetime.fromisoformat(time).timestamp()


def _is_written(reception: Reception) -> bool:
    return "written" in json.loads(reception.body)


def _is_alert(reception: Reception) -> bool:
    return json.loads(reception.body).get("type") in ALERT_EVENTS
