"""The history of a kill run: the answers that clients got while parts were killed, and what is wrong about them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate, pairwise
from typing import Any

from functions.webhooks.vocabulary import ALERT_EVENTS, EVENT_CHANGED

DAY_SECS = 86_400
_STATES = ("pending", "running", "completed")


@dataclass(frozen=True, slots=True)
class Told:
    """One answer about one submission. `result`: its body."""

    submission_id: str
    status: int
    result: Mapping[str, Any]

    @property
    def is_final(self) -> bool:
        """Whether it has a verdict."""
        return "verdict" in self.result


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a poll."""

    event_id: str
    type: str


@dataclass(frozen=True, slots=True)
class Page:
    """One answered poll of a consumer. `sent`: the cursor of the request; None: from the committed position."""

    consumer: str
    sent: str | None
    items: tuple[Item, ...]
    cursor: str
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Charges:
    """Use of the project's quota. `counted`: submissions of the `day` (since the epoch), as the quota's row has them.

    `unanswered`: requests without an answer. Each may be counted, although its process died before it wrote a row.
    """

    in_flight_limit: int
    day: int
    counted: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Called:
    """One accepted call of a check, and the run that the answer names."""

    webhook_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class CheckRun:
    """One run of a check, as its list shows it."""

    run_id: str
    status: str
    stdout: str


@dataclass(frozen=True, slots=True)
class CheckEvent:
    """One request with the event of a run. `run_id`: empty if its signature is invalid."""

    event_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Checks:
    """The calls of a check, in order, its runs, and the requests with their events."""

    calls: tuple[Called, ...]
    runs: tuple[CheckRun, ...]
    events: tuple[CheckEvent, ...]


@dataclass(frozen=True, slots=True)
class History:
    """`told` and `pages`: in the order of the answers to one client. `listed`: ids of the list of results."""

    told: tuple[Told, ...]
    pages: tuple[Page, ...]
    listed: tuple[str, ...]
    charges: Charges
    checks: Checks


def shown(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a result or an event. Those of a judge run that is final get the fields of a run."""
    if "all_passed" not in body:
        return body
    failed = body["error_message"] is not None
    return {
        "id": body["id"],
        "status": body["status"],
        "verdict": "IE" if failed else "AC" if body["all_passed"] else "RE",
        "exit_code": None if failed else 0,
        "stdout": "".join(case["stdout"] or "" for case in body["results"]),
        "stderr": "",
        "result": {"cause": "ie_not_run" if failed else "normal_exit"},
        "created_at": body["timestamps"]["created_at"],
        "completed_at": body["timestamps"]["completed_at"],
    }


def essence(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that never change once a run is final."""
    return {name: result.get(name) for name in ("id", "verdict", "exit_code", "stdout", "stderr", "completed_at")}


def wrong_answers(told: Iterable[Told]) -> Iterator[str]:
    """Find submissions that were forgotten, went back to an earlier state, or had two results."""
    latest: dict[str, Told] = {}
    for answer in told:
        name, before = answer.submission_id, latest.get(answer.submission_id)
        latest[name] = answer
        if answer.status != HTTPStatus.OK:
            yield f"{name} was accepted, and a poll was answered {answer.status}"
        elif before is not None and before.is_final and essence(answer.result) != essence(before.result):
            yield f"{name} changed its result from {essence(before.result)} to {essence(answer.result)}"
        elif before is not None and _rank(answer) < _rank(before):
            yield f"{name} went back from {before.result.get('status')} to {answer.result.get('status')}"


def _rank(answer: Told) -> int:
    return len(_STATES) if answer.is_final else _STATES.index(answer.result.get("status", _STATES[0]))


def wrong_polls(pages: Iterable[Page], owed: Iterable[str]) -> Iterator[str]:
    """Find events that a consumer missed, got twice, or got in another order than the other consumers.

    `owed`: ids of events that each consumer must have. It may have alerts besides.
    """
    of_consumers: dict[str, list[Page]] = {}
    for page in pages:
        of_consumers.setdefault(page.consumer, []).append(page)
    if not of_consumers:
        yield "no consumer polled the events"
    orders: list[list[str]] = []
    for consumer, its_pages in of_consumers.items():
        order: list[Item] = []
        yield from _read(consumer, its_pages, order)
        counts = Counter(item.event_id for item in order)
        yield from (f"{consumer} got {event_id} {count} times" for event_id, count in counts.items() if count > 1)
        yield from (f"{consumer} never got {event_id}" for event_id in sorted({*owed} - counts.keys()))
        unknown = {item.event_id for item in order if item.type not in {*ALERT_EVENTS, EVENT_CHANGED}} - {*owed}
        yield from (f"{consumer} got {event_id}, which nobody submitted" for event_id in sorted(unknown))
        orders.append([item.event_id for item in order])
    if any(short != long[: len(short)] for short, long in pairwise(sorted(orders, key=len))):
        yield "two consumers got events in different orders"


def _read(consumer: str, pages: Sequence[Page], order: list[Item]) -> Iterator[str]:
    """Put the events of a consumer into `order`, each page where its request asked for."""
    ends: dict[str, int] = {}
    committed = 0
    for page in pages:
        if page.missed:
            yield f"{consumer} missed {page.missed} events"
        if page.sent is not None:
            committed = max(committed, ends[page.sent])
        start = committed if page.sent is None else ends[page.sent]
        end = start + len(page.items)
        again = order[start:end]
        if list(page.items[: len(again)]) != again:
            yield f"{consumer} got {_ids(page.items)} after {start} events, and before that {_ids(again)}"
        order += page.items[len(again) :]
        ends[page.cursor] = end


def _ids(items: Iterable[Item]) -> list[str]:
    return [item.event_id for item in items]


def wrong_list(listed: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    """Find submissions that the list of results does not have once, and those that it alone has."""
    counts, wanted = Counter(listed), Counter(iter(rows))
    for submission_id in sorted(wanted.keys() | counts.keys()):
        if counts[submission_id] != wanted[submission_id]:
            yield f"{submission_id} is in the list of results {counts[submission_id]} times"


def wrong_charges(
    charges: Charges, accepted_at: Mapping[str, float], lives: Mapping[str, tuple[float, float]]
) -> Iterator[str]:
    """Find submissions that were not counted, counted twice, or accepted beyond the quota.

    `lives`: creation and end of each submission in the table, in seconds since the epoch.
    """
    of_day = sum(created_at >= charges.day * DAY_SECS for created_at, _ in lives.values())
    unexplained = charges.counted - of_day
    if not 0 <= unexplained <= charges.unanswered:
        yield (
            f"the quota counted {charges.counted} of {of_day} submissions, "
            f"with {charges.unanswered} requests without an answer"
        )
    # A client has the id after the charge, and the release comes after the end. So each was in flight in between.
    spans = [(at, lives[name][1]) for name, at in accepted_at.items() if name in lives and lives[name][1] > at]
    steps = sorted([(at, 1) for at, _ in spans] + [(end, -1) for _, end in spans])
    most = max(accumulate(step for _, step in steps), default=0)
    if most > charges.in_flight_limit:
        yield f"{most} submissions were in flight at once; the limit is {charges.in_flight_limit}"


def wrong_checks(checks: Checks) -> Iterator[str]:
    """Find calls with two runs or none, runs that did not pass or have another output, and events that are missing."""
    run_ids: dict[str, str] = {}
    for call in checks.calls:
        if run_ids.setdefault(call.webhook_id, call.run_id) != call.run_id:
            yield f"{call.webhook_id} was answered with the runs {run_ids[call.webhook_id]} and {call.run_id}"
    outputs = {run_id: f'{{"call":"{webhook_id}"}}\n' for webhook_id, run_id in run_ids.items()}
    if Counter(run.run_id for run in checks.runs) != Counter(run_ids.values()):
        yield f"the calls have the runs {sorted(run_ids.values())}, and the check {[run.run_id for run in checks.runs]}"
    for run in checks.runs:
        if run.status not in {"passed", "flaky"} or run.stdout != outputs.get(run.run_id):
            yield f"run {run.run_id} of a check is {run.status} and printed {run.stdout!r}"
    event_ids: dict[str, set[str]] = {}
    for event in checks.events:
        event_ids.setdefault(event.run_id, set()).add(event.event_id)
    for run_id in sorted(outputs.keys() | event_ids.keys()):
        if run_id not in outputs or len(event_ids.get(run_id, ())) != 1:
            yield f"run {run_id or 'with an invalid signature'} of a check has the events {event_ids.get(run_id)}"
