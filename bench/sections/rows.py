"""A thousand rows and a million: whether requests slow down, and whether the space of expired rows is used again."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import batched
from pathlib import Path
from threading import Event
from typing import Any

from bench.answers import Tally, WrongAnswerError, check_result
from bench.api_client import ApiClient, Endpoint, body_of, parsed
from bench.report import Figure, Section
from bench.rounds import Way, interleave, series
from bench.running_stack import running_stack
from bench.scale import Scale
from bench.sources import python_program
from functions.clock import now_ms, to_rfc3339
from functions.ids import new_id
from functions.submissions.model import Status, Submission
from functions.submissions.store import encode_submission
from infra.embedded.dynamodb.items import Row
from infra.embedded.dynamodb.tables import find_table
from infra.embedded.engine import Engine, open_engine
from infra.embedded.services import expire
from infra.embedded.storage.store import FILE_NAME
from infra.local.embedded_aws import FOLDER

_FEW = 1_000
_PAGE = 50
_DAY_MS = 86_400_000
_ROWS_PER_TRANSACTION = 500
_TABLE = "rustbox-local-SubmissionsTable"
_WAIT_SECS = 20
_NOTES = [
    "Rows of finished runs of one project, put into the engine's file as `record` leaves them.",
    "One client, one request at a time, first beside the few rows, then beside the many. Ratio: of the medians.",
    "Then the clock moves on by two days, so that the rows expire, and a tenth of them is put again.",
]
_TIMED = ("submit, answered with the id", "poll of a finished run", f"list of {_PAGE}")


@dataclass(frozen=True, slots=True)
class _Filled:
    """An engine beside the stack, and the rows that were put."""

    engine: Engine
    ids: list[str]

    def fill(self, count: int) -> float:
        """Put so many rows. Return the seconds."""
        begun = time.monotonic()
        for batch in batched(_finished(count), _ROWS_PER_TRANSACTION):
            with self.engine.store.write() as connection:
                table = find_table(connection, _TABLE)
                for submission in batch:
                    item: Any = encode_submission(submission)
                    Row(connection, table, table.schema.parts(item), now_ms()).replace(item)
                    self.ids.append(submission.submission_id)
        return time.monotonic() - begun

    def count(self) -> int:
        with self.engine.store.read() as connection:
            return int(connection.execute("SELECT count(*) FROM item").fetchone()[0])

    def mib(self) -> float:
        return (Path(self.engine.store.folder) / FILE_NAME).stat().st_size / (1 << 20)


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    figures: list[Figure] = []
    with running_stack() as stack:
        engine = open_engine(stack.local.state_dir / FOLDER, synchronous="NORMAL", prepare=False)
        filled = _Filled(engine, [])
        filled.fill(_FEW)
        few = _measure(stack.endpoint, filled.ids, scale, tally, f"beside {_FEW:,} rows")
        fill_secs = filled.fill(scale.rows - _FEW)
        many = _measure(stack.endpoint, filled.ids, scale, tally, f"beside {scale.rows:,} rows")
        for before, after in zip(few, many, strict=True):
            ratio = statistics.median(after.times_ms) / statistics.median(before.times_ms)
            figures.append(
                Figure(group=before.name.partition(",")[0], name="many to few", value=round(ratio, 3), unit="x")
            )
        figures += _expiry(filled, scale.rows, fill_secs)
        engine.close()
    return Section(
        title="Rows",
        missing=None,
        notes=_NOTES,
        series=[*series(f"Beside {_FEW:,} rows", few), *series(f"Beside {scale.rows:,} rows", many)],
        figures=figures,
    )


def _measure(endpoint: Endpoint, ids: Sequence[str], scale: Scale, tally: Tally, where: str) -> list[Way]:
    client = ApiClient(endpoint)  # a new one: the server closes a connection that idles while rows are put
    chosen = iter([*ids[:: max(1, len(ids) // (2 * scale.stack_rounds))]] * 2)

    def submit() -> float:
        program = python_program()
        elapsed_ms, answer = _timed(lambda: client.submit(body_of(program), wait=False))
        check_result(client.result(parsed(answer)["id"], _WAIT_SECS), program.expected)
        return elapsed_ms

    def poll() -> float:
        wanted = next(chosen)
        elapsed_ms, result = _timed(lambda: client.result(wanted))
        if result["verdict"] != "AC":
            raise WrongAnswerError(f"{wanted} is {result['verdict']}")
        return elapsed_ms

    def list_page() -> float:
        elapsed_ms, page = _timed(lambda: client.results(_PAGE))
        if len(page["items"]) != _PAGE:
            raise WrongAnswerError(f"a page has {len(page['items'])} items")
        return elapsed_ms

    ways = [Way(f"{name}, {where}", once) for name, once in zip(_TIMED, (submit, poll, list_page), strict=True)]
    with client:
        interleave(ways, scale.stack_rounds, tally)
    return ways


def _timed[Answer](ask: Callable[[], Answer]) -> tuple[float, Answer]:
    begun_ns = time.perf_counter_ns()
    answer = ask()
    return (time.perf_counter_ns() - begun_ns) / 1e6, answer


def _expiry(filled: _Filled, rows: int, fill_secs: float) -> list[Figure]:
    full_mib, begun = filled.mib(), time.monotonic()
    later = replace(filled.engine, clock=lambda: now_ms() + 2 * _DAY_MS)
    expire(later, Event())
    expire_secs, left = time.monotonic() - begun, filled.count()
    filled.fill(rows // 10)
    return [
        Figure(group="many rows", name="seconds to put", value=round(fill_secs, 1), unit="s"),
        Figure(group="many rows", name="file", value=round(full_mib, 1), unit="MiB"),
        Figure(group="expiry", name="seconds", value=round(expire_secs, 1), unit="s"),
        Figure(group="expiry", name="items left", value=left, unit=""),
        Figure(group="expiry", name="file after a tenth was put again", value=round(filled.mib(), 1), unit="MiB"),
    ]


def _finished(count: int) -> Iterator[Submission]:
    """Rows as `record` leaves them, spread over the last day and gone after the next one."""
    now = now_ms()
    for number in range(count):
        created_ms = now - _DAY_MS + number * _DAY_MS // count
        at = to_rfc3339(created_ms)
        yield Submission(
            submission_id=new_id(),
            project_id="dev",
            status=Status.COMPLETED,
            language="python",
            profile="judge",
            priority="batch",
            created_at=at,
            ttl=(now + _DAY_MS) // 1000,
            execution_id=new_id(),
            wall_budget_secs=7,
            code=b"print(42)\n",
            stdin=b"",
            started_at=at,
            completed_at=at,
            verdict="AC",
            stdout=b"42\n",
            stderr=b"",
        )
