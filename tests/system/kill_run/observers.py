"""Clients that read while parts are killed: one polls each result until it is final, others poll the events."""

import random
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx

from tests.system.kill_run.history import Item, Page, Told, shown

_PAUSE_SECS = 0.05
_AGAIN_SECS = 0.3
_PAGE = 5
_WAIT_SECS = 2
_BUSY = frozenset({429, 500, 502, 503})  # 502: of an emulator whose function was killed
_FORGETS = 0.3
"""Share of its pages after which the forgetful consumer starts again without having committed."""


class Watcher:
    """Polls each submission until it was final twice."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._open: list[str] = []
        self._final: set[str] = set()
        self._place = 0
        self.told: list[Told] = []

    def watch(self, path: str) -> None:
        """Begin to poll the result of an accepted submission."""
        self._open.append(path)

    def step(self) -> float:
        """Poll one submission. Returns the seconds until the next step."""
        if not self._open:
            return _AGAIN_SECS
        self._place = (self._place + 1) % len(self._open)
        path = self._open[self._place]
        try:
            answer = self._client.get(path)
        except httpx.TransportError:
            return _AGAIN_SECS
        if answer.status_code in _BUSY:
            return _AGAIN_SECS
        told = Told(path.rpartition("/")[2], answer.status_code, shown(answer.json()))
        self.told.append(told)
        if path in self._final or told.status != HTTPStatus.OK:
            self._open.remove(path)
        elif told.is_final:
            self._final.add(path)
        return _PAUSE_SECS


class Consumer:
    """Polls the events, and commits each page with its next poll. A forgetful one sometimes dies before that."""

    def __init__(self, client: httpx.Client, name: str, *, is_forgetful: bool) -> None:
        self._client = client
        self._name = name
        self._chance = random.Random(name) if is_forgetful else None  # noqa: S311 - no secret comes of it
        self._cursor: str | None = None
        self.pages: list[Page] = []
        self.problems: list[str] = []

    def step(self) -> float:
        """Poll once. Returns the seconds until the next step. A poll without an answer is repeated as it was."""
        params: dict[str, str | int] = {"consumer": self._name, "limit": _PAGE, "wait": _WAIT_SECS}
        if self._cursor is not None:
            params["cursor"] = self._cursor
        try:
            answer = self._client.get("/api/events/poll", params=params)
        except httpx.TransportError:
            return _AGAIN_SECS
        if answer.status_code in _BUSY:
            return _AGAIN_SECS
        if answer.status_code != HTTPStatus.OK:
            self.problems.append(f"a poll of {self._name} was answered {answer.status_code} {answer.text[:200]}")
            return _AGAIN_SECS
        body = answer.json()
        items = tuple(Item(item["id"], item["type"]) for item in body["items"])
        self.pages.append(Page(self._name, self._cursor, items, body["cursor"], body["missed"]))
        forgets = self._chance is not None and items and self._chance.random() < _FORGETS
        self._cursor = None if forgets else body["cursor"]
        return 0.0

    def read_all(self, timeout_secs: float) -> None:
        """Poll until there is nothing more."""
        deadline = time.monotonic() + timeout_secs
        while time.monotonic() < deadline:
            known = len(self.pages)
            self.step()
            if len(self.pages) > known and not self.pages[-1].items:
                return
        self.problems.append(f"{self._name} did not reach the end of the events")


class Observers:
    """One watcher and two consumers, each with a thread of its own."""

    def __init__(self, open_client: Callable[[], httpx.Client]) -> None:
        self._http = [open_client() for _ in range(3)]
        self.watcher = Watcher(self._http[0])
        self.consumers = [
            Consumer(self._http[1], "steady", is_forgetful=False),
            Consumer(self._http[2], "forgetful", is_forgetful=True),
        ]
        self._over = threading.Event()
        steps = [self.watcher.step, *(consumer.step for consumer in self.consumers)]
        self._threads = [threading.Thread(target=self._repeat, args=(step,), daemon=True) for step in steps]

    def start(self) -> None:
        """Create the consumers, so that the log has every event from now on, then start to read."""
        for consumer in self.consumers:
            consumer.step()
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop reading."""
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def read_all(self, timeout_secs: float) -> None:
        """Read all events that are left. Call it after `end`."""
        for consumer in self.consumers:
            consumer.read_all(timeout_secs)

    def close(self) -> None:
        """Stop reading, and close the connections."""
        self.end()
        for client in self._http:
            client.close()

    @property
    def problems(self) -> list[str]:
        """Polls that were refused."""
        return [problem for consumer in self.consumers for problem in consumer.problems]

    @property
    def pages(self) -> tuple[Page, ...]:
        """All answered polls."""
        return tuple(page for consumer in self.consumers for page in consumer.pages)

    def _repeat(self, step: Callable[[], float]) -> None:
        while not self._over.wait(step()):
            pass
