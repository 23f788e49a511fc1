"""One poll of a consumer: commit a position, then return the entries that follow it."""

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from functions.aws.dynamodb.table import tries
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.clock import from_rfc3339
from functions.env import Env
from functions.errors import BadRequestError, ConflictError
from functions.event_log.log import ConsumerLimitError, ConsumerStore, EventLog
from functions.event_log.model import MAX_CONSUMERS, Consumer, Entry, Event, Head, Placed, Reason
from functions.feed.listing import EventBodies, event_types, words_of
from functions.http.json_body import count_fitting
from functions.http.long_poll import unlimited
from functions.http.parameters import LONG_POLL_MAX_SECS, Parameters, page_limit, read_cursor, wait_secs

_SCANNED = 200
"""Entries that one read of a filtered poll looks at."""
_WORK_SECS = 8.0
"""A poll looks for an entry that its filter accepts, or for another poll's pages, for so long besides its wait."""
AT_WORK = 4
"""Polls of this process that order and read at a time. More threads at work would only slow all requests down."""
_LOOKS = 20
"""Looks at the head of the log, with random pauses, while another poll orders. Together about two seconds."""
_FIRST_STEP_SECS = 0.05
_LONGEST_STEP_SECS = 1.0
_VISIBLE_MS = 60_000
"""A row of a committed transaction is visible long before."""
_ORDERS = 100
"""Before a consumer starts at the end, the earlier entries are ordered so many times, and for _WORK_SECS."""
_AHEAD = (
    "The cursor is ahead of this project's event log, so it is not one of this service, or the service was restored "
    "from a backup. Poll without a cursor, and handle repeated events."
)
_TOO_MANY = f"A project has at most {MAX_CONSUMERS} consumers. Delete one: DELETE /api/event-consumers/{{name}}."


@dataclass(frozen=True, slots=True)
class PollRequest:
    """A poll of a consumer. `position`: all up to it was handled; None: continue after the committed position.

    `from_start`: a new consumer begins at the oldest event. `types` None: all. `reasons`: other entries to include.
    """

    consumer: str
    position: int | None = None
    from_start: bool = False
    limit: int = 50
    types: frozenset[str] | None = None
    reasons: frozenset[Reason] = frozenset()
    wait_secs: float = 0

    def accepts(self, entry: Entry) -> bool:
        if entry.reason is not Reason.EVENT and entry.reason not in self.reasons:
            return False
        return self.types is None or entry.type in self.types


@dataclass(frozen=True, slots=True)
class Polled:
    """Events, in order, and the position up to which the log was read. `missed`: entries that expired unread."""

    events: tuple[tuple[Placed, Event], ...]
    position: int
    missed: int = 0


_POSITION = re.compile(r"[0-9]{1,15}", re.ASCII)
_CONSUMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_INCLUDED = {"replays": Reason.REPLAY, "tests": Reason.TEST}


def poll_request(parameters: Parameters, project_id: str) -> PollRequest:
    """Read the parameters of a poll. Raises BadRequestError."""
    start = parameters.get("from", "latest")
    if start not in {"latest", "earliest"}:
        raise BadRequestError("from must be latest or earliest.")
    words = words_of(parameters.get("include"))
    if not words <= _INCLUDED.keys():
        raise BadRequestError("include must be replays, tests, or both with a comma between them.")
    position = int(read_cursor(project_id, parameters["cursor"], _POSITION)) if "cursor" in parameters else None
    return PollRequest(
        consumer=consumer_name(parameters.get("consumer", "")),
        position=position,
        from_start=start == "earliest",
        limit=page_limit(parameters),
        types=event_types(parameters),
        reasons=frozenset(_INCLUDED[word] for word in words),
        wait_secs=wait_secs(parameters, LONG_POLL_MAX_SECS),
    )


def consumer_name(text: str) -> str:
    """Return the name of a consumer. Raises BadRequestError."""
    if not _CONSUMER.fullmatch(text):
        raise BadRequestError(
            "consumer must have 1 to 64 letters, digits, dots, hyphens or underscores, with a letter or digit first."
        )
    return text


class Poll:
    """Polls of consumers. A deployment limits their waits."""

    def __init__(
        self, env: Env, sleep: Callable[[float], None] = time.sleep, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = env[EventLog]
        self._consumers = env[ConsumerStore]
        self._bodies = env[EventBodies]
        self._longest_wait_secs = env.settings.longest_wait_secs
        self._clock = env.clock
        self._sleep = sleep
        self._monotonic = monotonic
        self._working = threading.Semaphore(AT_WORK)

    def poll(self, project_id: str, request: PollRequest, secs_left: Callable[[], float] = unlimited) -> Polled:
        """Commit, then read; wait if there is nothing. Raises ConflictError, RowsContendedError.

        `secs_left`: as for a long poll.
        A consumer that dies before its next poll gets the same entries again.
        """
        if request.position is not None and request.position > self._log.head(project_id).last:
            raise ConflictError(_AHEAD)
        consumer = self._consumers.get(project_id, request.consumer)
        if consumer is None:
            consumer = self._create(project_id, request)
        elif request.position is not None and request.position < consumer.position:
            # Another process of this consumer is ahead. Its commit stays, and this one reads on from its own place.
            return self._read(project_id, request, request.position, secs_left)
        after = consumer.position if request.position is None else request.position
        self._consumers.commit(project_id, consumer, after)
        return self._read(project_id, request, after, secs_left)

    def _create(self, project_id: str, request: PollRequest) -> Consumer:
        try:
            return self._consumers.create(project_id, request.consumer, self._start(project_id, request))
        except ConsumerLimitError:
            raise ConflictError(_TOO_MANY) from None

    def _start(self, project_id: str, request: PollRequest) -> int:
        if request.position is not None:  # it has expired, and its process has not
            return request.position
        last = self._log.head(project_id).last  # before the read: a consumer skips no page that comes after this
        if request.from_start:
            oldest = self._log.read(project_id, 0, 1)
            return oldest[0].position - 1 if oldest else last
        start = self._monotonic()
        for _ in range(_ORDERS):
            ordered = self._order(project_id)
            if ordered is None:
                self._await_order(project_id)
            elif ordered.last == last:
                break
            else:
                last = ordered.last
            if self._monotonic() - start > _WORK_SECS:
                break
        return last

    def _read(self, project_id: str, request: PollRequest, after: int, secs_left: Callable[[], float]) -> Polled:
        start, step = self._monotonic(), _FIRST_STEP_SECS
        wait_secs = min(request.wait_secs, self._longest_wait_secs)
        polled = Polled((), after)
        while True:
            before = polled
            with self._working:
                found = self._next(project_id, request, before)
            spent = self._monotonic() - start
            if found is None:
                if spent > wait_secs + _WORK_SECS:
                    raise RowsContendedError
                self._await_order(project_id, before.position)
                continue
            polled = found
            if polled.events:
                return polled
            if polled.position > before.position:
                left = _WORK_SECS - spent  # a filter passes over entries
            else:
                left = min(wait_secs - spent, secs_left())
                self._sleep(max(0, min(step, left)))
                step = min(step * 1.5, _LONGEST_STEP_SECS)
            if left <= 0:
                return polled

    def _order(self, project_id: str) -> Head | None:
        with self._working:
            return self._log.order(project_id)

    def _await_order(self, project_id: str, position: float = math.inf) -> None:
        """Pause at random, until another poll has ordered entries that follow a position, or orders no more."""
        for number in tries(_LOOKS, self._sleep):
            if number:
                head = self._log.head(project_id)
                if head.last > position or not self._log.is_leased(head):
                    return

    def _next(self, project_id: str, request: PollRequest, seen: Polled) -> Polled | None:
        """Read on from a position. Without progress, nothing follows it yet. None: another poll orders its entries."""
        scanned = request.limit if request.types is None else max(request.limit, _SCANNED)
        placed = self._log.read(project_id, seen.position, scanned)
        if not placed:
            head = self._log.order(project_id)
            if head is None:
                return None
            if head.last <= seen.position:
                return seen
            if self._log.is_expired(head):  # with all its pages
                return Polled((), head.last, seen.missed + head.last - seen.position)
            placed = self._log.read(project_id, seen.position, scanned)
        if not placed:
            return seen
        missed = seen.missed + placed[0].position - seen.position - 1
        return self._accepted(request, placed, missed)

    def _accepted(self, request: PollRequest, placed: list[Placed], missed: int) -> Polled:
        """Return the accepted ones of these entries, up to the limits of an answer."""
        wanted = [one for one in placed if request.accepts(one.entry)]
        end = placed[-1].position
        if len(wanted) >= request.limit:
            wanted = wanted[: request.limit]
            end = wanted[-1].position
        known = self._bodies.stored(one.entry for one in wanted) if wanted else {}
        events: list[tuple[Placed, Event]] = []
        for one in wanted:
            if one.entry.event_id not in known and self._is_new(one.entry):
                # Its transaction is visible in part, for milliseconds: the event's row follows.
                end = one.position - 1
                break
            event = known.get(one.entry.event_id)
            if event is not None:
                events.append((one, event))
        count = count_fitting(event.body.decode() for _, event in events)
        if count < len(events):
            end = events[count - 1][0].position
        return Polled(tuple(events[:count]), end, missed)

    def _is_new(self, entry: Entry) -> bool:
        return self._clock() - from_rfc3339(entry.at) < _VISIBLE_MS
