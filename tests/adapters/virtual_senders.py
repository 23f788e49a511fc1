"""Many senders at once in virtual time: the real delivery code on real rows, one thread at a time.

A sender runs until it sends or sleeps; then it waits until the clock of the test has reached the end of that. The queue
is a model: first in first out, and delays in virtual time. So every run of a test is the same.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from functions.event_log.model import Event
from functions.ids import new_id
from functions.webhooks.deliveries.publication import DeliveryHints, Hint, plan_publication
from functions.webhooks.egress import LONG, Egress, Wait
from functions.webhooks.endpoints.store import Subscribers
from functions.webhooks.sending import deliverer
from functions.webhooks.vocabulary import Reply
from functions.webhooks.webhook_url import host_of
from tests.adapters.pipeline import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from functions.webhooks.endpoints.model import Endpoint
    from tests.adapters.pipeline import Pipeline

HANG_MS = 15_000
OVERHEAD_MS = 20
"""The time of an invocation beside its sends."""


class VirtualQueue(DeliveryHints):
    """The deliveries queue; `sent` counts the hints of each delivery."""

    def __init__(self, senders: VirtualSenders) -> None:
        self._senders = senders
        self.sent: Counter[str] = Counter()

    def send(self, hint: Hint, delay_ms: int = 0) -> None:
        self.sent[hint.event_id] += 1
        self._senders.after(delay_ms, lambda: self._senders.visible.append(Hint.parse(hint.text)))

    def send_all(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            self.send(hint)


class VirtualEgress(Egress):
    """Every send takes as long as `answer` says of its URL."""

    def __init__(self, senders: VirtualSenders) -> None:
        super().__init__()
        object.__setattr__(self, "_senders", senders)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:
        del body
        senders: VirtualSenders = self._senders  # type: ignore[attr-defined]
        return senders.send(url, headers["webhook-id"], wait)


class VirtualSenders:
    """`answer` gives milliseconds and status code of a send to a URL; None for a target that hangs."""

    def __init__(
        self, pipeline: Pipeline, count: int, project_slots: int, answer: Callable[[str], tuple[int, int] | None]
    ) -> None:
        self.pipeline, self.time, self.idle, self.answer = pipeline, pipeline.time, count, answer
        self.visible: deque[Hint] = deque()
        self.queue = VirtualQueue(self)
        self.answered_ms: dict[str, int] = {}
        self.order: list[str] = []
        self.starts: list[tuple[int, str]] = []
        self.most_at_once: Counter[str] = Counter()
        self._at_once: Counter[str] = Counter()
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._control = threading.Semaphore(0)
        self._failed: BaseException | None = None
        self.lane_waker = changed(pipeline.lane_waker, hints=self.queue, project_slots=project_slots)
        # All senders are threads of one process, of which only one runs at a time.
        pipeline.aws.monkeypatch.setattr(deliverer, "TURN_SECS", 0)
        pipeline.env.settings.webhook_senders_of_process = count
        ours = {"hints": self.queue, "sleep": self._sleep}
        claimer = changed(pipeline.deliverer.claimer, lane_waker=self.lane_waker, **ours)
        self.deliverer = changed(pipeline.deliverer, claimer=claimer, egress=VirtualEgress(self), **ours)
        if self.deliverer.unguarded is not None:
            self.deliverer.unguarded = deliverer.UnguardedSends(pipeline.env)

    def _sleep(self, secs: float) -> None:
        self.pause(secs * 1000)

    def owe(self, endpoint: Endpoint, body: bytes = b"{}") -> str:
        """Owe an event to an endpoint, with its hint."""
        event_id, now = new_id(), self.time()
        event = Event(event_id, "submission.completed", endpoint.project_id, body)
        plan = plan_publication(self.pipeline.deliveries.table_name, event, Subscribers((endpoint,)), None, now)
        assert self.pipeline.deliveries.put_publication(plan)
        self.queue.send_all(plan.hints)
        return event_id

    def after(self, delay_ms: float, act: Callable[[], object]) -> None:
        """Do something that much later."""
        heapq.heappush(self._events, (self.time() + int(delay_ms), next(self._numbers), act))

    def sweep_every_minute(self) -> None:
        def sweep() -> None:
            made = self.pipeline.new_sweep()
            made._webhooks.lane_waker = self.lane_waker
            for entry in made.entries():
                made.handle(entry)
            self.after(60_000, sweep)

        self.after(60_000, sweep)

    def run(self, until_ms: int) -> None:
        """Let everything happen up to that time."""
        while self._events or self.visible:
            while self.visible and self.idle:
                self._start(self.visible.popleft())
            if not self._events or self._events[0][0] > until_ms:
                return
            at_ms, _, act = heapq.heappop(self._events)
            self.time.ms = max(self.time.ms, at_ms)
            act()
            if self._failed is not None:
                raise self._failed

    def send(self, url: str, webhook_id: str, wait: Wait) -> Reply:
        """Send as one sender does."""
        host = host_of(url)
        self.starts.append((self.time(), host))
        self._at_once[host] += 1
        self.most_at_once[host] = max(self.most_at_once[host], self._at_once[host])
        self.order.append(webhook_id)
        answer = self.answer(url)
        needs_ms, most_ms = HANG_MS if answer is None else answer[0], int(wait.total_secs * 1000)
        if wait.on_slow is not None and needs_ms > wait.slow_secs * 1000:
            self.after(wait.slow_secs * 1000, wait.on_slow)
        self.pause(min(needs_ms, most_ms))
        self._at_once[host] -= 1
        if answer is None or needs_ms > most_ms:
            return Reply(most_ms, error_code="timeout")
        self.answered_ms[webhook_id] = self.time()
        return Reply(answer[0], answer[1])

    def pause(self, ms: float) -> None:
        """Let the others act until that time is over."""
        turn = threading.Semaphore(0)

        def resume() -> None:
            turn.release()
            self._control.acquire()

        self.after(ms, resume)
        self._control.release()
        turn.acquire()

    def _start(self, hint: Hint) -> None:
        self.idle -= 1

        def work() -> None:
            try:
                self.pause(OVERHEAD_MS)
                for _ in self.deliverer.deliver(hint):
                    pass
            except BaseException as error:  # noqa: BLE001 - the thread of the test raises it
                self._failed = error
            self.idle += 1
            self._control.release()

        threading.Thread(target=work, daemon=True).start()
        self._control.acquire()


def percentile(values: list[int], share: float) -> int:
    """Value below which that share of all lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def quiet(_: Any) -> tuple[int, int]:
    """Answer at once."""
    return 100, 200
