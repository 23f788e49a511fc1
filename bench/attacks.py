"""Attacks of a hostile project on its neighbours. Every attack is a context manager and is over when it exits.

Programs run in the sandbox of the local stack only, and all URLs are on loopback.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any

from bench import kernel_floods
from bench.front_floods import front_floods
from bench.scale import Scale
from functions.aws.dynamodb.items import to_item
from functions.clock import now_ms, to_rfc3339
from functions.webhooks.deliveries import rows
from functions.webhooks.deliveries.model import Delivery, DeliveryState
from tests.system.local_stack import LocalStack

PROJECT_ID = "hostile"
HANGING_ENDPOINTS = 50
SLEEPERS = 10
"""The runs that a project may have in flight by default."""
_FEW = 3
_TABLE = "rustbox-local-DeliveriesTable"
_DAY_SECS = 86_400

_LOOP = "import fcntl, os, time\nend = time.time() + {secs}\n"
PROGRAMS = {
    "60 spinning sessions": """import os, time
for _ in range(60):
    if os.fork() == 0:
        os.setsid()
        while True:
            pass
time.sleep({secs})
""",
    "lock storm": _LOOP
    + """number, file = 0, os.open(os.__file__, os.O_RDONLY)
while time.time() < end:
    for lock in (lambda: fcntl.flock(file, fcntl.LOCK_SH), lambda: fcntl.lockf(file, fcntl.LOCK_SH, 1, number)):
        try:
            lock()
        except OSError:
            pass
    number += 2
""",
    "fsync storm": _LOOP
    + """file = os.open(os.__file__, os.O_RDONLY)
while time.time() < end:
    try:
        os.fsync(file)
    except OSError:
        pass
""",
    "page cache eviction": _LOOP
    + """paths = [os.path.join(folder, name) for folder, _, names in os.walk("/usr/lib") for name in names]
while time.time() < end:
    for path in paths:
        try:
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)
        except OSError:
            pass
""",
    "tiny writes to a packet pipe": _LOOP
    + """try:
    fcntl.fcntl(1, fcntl.F_SETFL, os.O_DIRECT)
except OSError:
    pass
while time.time() < end:
    os.write(1, b"x")
""",
    "memory hogs as predecessors": """block = bytearray(200 << 20)
for page in range(0, len(block), 4096):
    block[page] = 1
""",
}
_SLEEPER = "import time\ntime.sleep({secs})\n"


@dataclass(frozen=True, slots=True)
class Attacker:
    """The hostile project on a stack. `hang_url`: makes the URL of a receiver that never answers."""

    local: LocalStack
    api_key: str
    scale: Scale
    hang_url: Callable[[int], str]

    def attacks(self) -> dict[str, Callable[[], AbstractContextManager[None]]]:
        """All attacks by name. Those on webhooks come last and add up: their deliveries stay owed."""
        secs = self.scale.attack_run_secs
        found: dict[str, Callable[[], AbstractContextManager[None]]] = {
            "ten sleepers": partial(self._runs, _SLEEPER.format(secs=secs), "judge", SLEEPERS)
        }
        for name, program in {**PROGRAMS, **kernel_floods.PROGRAMS}.items():
            found[name] = partial(self._runs, program.replace("{secs}", str(secs)), "agent", _FEW)
        found |= front_floods(self.local, self.api_key)
        return found | {
            f"one hanging run URL, {self.scale.attack_runs} runs": self._hanging_run_url,
            f"{HANGING_ENDPOINTS} hanging endpoints": self._hanging_endpoints,
            f"{self.scale.attack_due_rows} due rows": self._due_rows,
        }

    @contextmanager
    def _runs(self, code: str, profile: str, at_once: int) -> Iterator[None]:
        """Keep `at_once` runs in flight."""
        stop = Event()
        body = {"language": "python", "code": code, "profile": profile}

        def keep_one_in_flight() -> None:
            with self.local.client(self.api_key) as client:
                while not stop.is_set():
                    client.post("/api/submit?wait=true", json=body)

        with ThreadPoolExecutor(at_once) as threads:
            clients = [threads.submit(keep_one_in_flight) for _ in range(at_once)]
            try:
                time.sleep(1)  # the first runs have begun
                yield
            finally:
                stop.set()
        for client in clients:
            client.result()

    @contextmanager
    def _hanging_run_url(self) -> Iterator[None]:
        self._submit(self.scale.attack_runs, webhook_url=self.hang_url(0), webhook_secret="x")
        yield

    @contextmanager
    def _hanging_endpoints(self) -> Iterator[None]:
        with self.local.client(self.api_key) as client:
            for number in range(HANGING_ENDPOINTS):
                client.post("/api/webhooks", json={"url": self.hang_url(number)}).raise_for_status()
        self._submit(max(1, self.scale.attack_runs // HANGING_ENDPOINTS))
        yield

    @contextmanager
    def _due_rows(self) -> Iterator[None]:
        """Put due deliveries of the endpoints above, as an outage would leave them behind."""
        with self.local.client(self.api_key) as client:
            endpoints = [item["id"] for item in client.get("/api/webhooks", params={"limit": 100}).json()["items"]]
        now, table = now_ms(), self.local.aws("dynamodb")
        for number in range(self.scale.attack_due_rows):
            row = rows.delivery_row(
                _due_delivery(f"evt_bench{number:08x}", endpoints[number % len(endpoints)], now),
                now // 1000 + _DAY_SECS,
            )
            table.put_item(TableName=_TABLE, Item=to_item(row))
        yield

    def _submit(self, runs: int, **fields: Any) -> None:
        with self.local.client(self.api_key) as client:
            for _ in range(runs):
                body = {"language": "python", "code": "print(1)", **fields}
                client.post("/api/submit", json=body).raise_for_status()


def _due_delivery(event_id: str, endpoint_id: str, now: int) -> Delivery:
    return Delivery(
        event_id=event_id,
        endpoint_id=endpoint_id,
        project_id=PROJECT_ID,
        submission_id="",
        state=DeliveryState.RETRYING,
        attempt=1,
        next_at_ms=now,
        created_at=to_rfc3339(now),
    )
