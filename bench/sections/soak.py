"""Many mixed runs through the whole stack: whether every answer is right, and whether anything grows.

Between batches, everything expires that would be over in a year: the engine's housekeeping runs with its clock
moved on. Nothing is under way then.
"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from threading import Event

from bench.answers import Tally, WrongAnswerError
from bench.closed_loop import ClosedLoop
from bench.mixture import mixed_programs
from bench.processes import descriptors, groups, mounts, rss_bytes, threads
from bench.report import Figure, Section
from bench.rounds import Way
from bench.running_stack import RunningStack, running_stack
from bench.scale import Scale
from bench.sections.throughput import checked
from functions.clock import now_ms
from infra.embedded.engine import Engine, open_engine
from infra.embedded.services import expire
from infra.local.embedded_aws import FOLDER

_CLIENTS = 4
_REST_SECS = 1
_AHEAD_MS = 366 * 86_400_000
"""Longer than any row, message or object is kept."""
_PASSES = 5
"""A row that is written meanwhile, such as that of the runner, is removed by the next pass."""
_NOTES = [
    f"{_CLIENTS} clients, all languages, honest programs and ones that end in each verdict but IE.",
    "Sampled at rest, between batches. Slope: least squares over the samples behind the first fifth of the runs.",
    "The runner keeps up to 32 MiB of compiled programs of a project: it grows by them within the first fifth.",
    "The launcher holds the functions and the engine; rows, messages and objects are in its file.",
    "Between batches the clock of the engine's housekeeping moves on by a year. Rows are counted before and after.",
]
_Sample = dict[tuple[str, str], float]
_UNITS = {"RSS": "MiB", "size": "MiB"}


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    programs = mixed_programs(scale.soak_runs)
    batch = -(-scale.soak_runs // scale.soak_samples)
    samples: list[tuple[int, _Sample]] = []
    verdicts: Counter[str] = Counter()
    done = wrong = 0
    stop_at = time.monotonic() + scale.soak_secs
    # The row of the runner expires too: the next heartbeat writes it again.
    with running_stack(HEARTBEAT_SECS="1") as stack:
        samples.append((0, _sample(stack)))
        while done < scale.soak_runs and time.monotonic() < stop_at:
            before = done
            left_secs = stop_at - time.monotonic()
            for exchange in ClosedLoop(stack.endpoint, _CLIENTS, islice(programs, batch), left_secs):
                done += 1
                try:
                    checked(exchange)
                except (WrongAnswerError, ValueError) as error:
                    wrong += 1
                    tally.fail(f"soak, {exchange.program.language}: {error}")
                else:
                    tally.right()
                    verdicts[exchange.program.expected.verdict] += 1
            if done == before:
                break  # nobody answers any more; what was asked is counted as wrong
            samples.append((done, _sample(stack)))
    figures = [Figure(group="runs", name="count", value=done, unit="")]
    figures += [Figure(group="wrong answers", name="count", value=wrong, unit="")]
    figures += [
        Figure(group=f"right answers {verdict}", name="count", value=count, unit="")
        for verdict, count in sorted(verdicts.items())
    ]
    return Section(title="Soak", missing=None, notes=_NOTES, series=[], figures=figures + _growth(samples))


def _sample(stack: RunningStack) -> _Sample:
    time.sleep(_REST_SECS)
    found = _expire(stack)
    time.sleep(_REST_SECS)
    for part, pids in stack.parts().items():
        if part == "guests":
            found["whole stack", "processes of runs"] = len(pids)
        else:
            found[part, "RSS"] = sum(map(rss_bytes, pids)) / (1 << 20)
            found[part, "descriptors"] = sum(map(descriptors, pids))
            found[part, "threads"] = sum(map(threads, pids))
            found[part, "mounts"] = sum(map(mounts, pids))
        if part == "runner":
            found[part, "control groups"] = sum(map(groups, pids))
    found["whole stack", "processes"] = len(stack.pids())
    return found


def _expire(stack: RunningStack) -> _Sample:
    folder = stack.local.state_dir / FOLDER
    engine = open_engine(folder, synchronous="NORMAL", clock=lambda: now_ms() + _AHEAD_MS, prepare=False)
    try:
        before = _rows(engine)
        return {
            ("engine", "rows before expiry"): before,
            ("engine", "rows after expiry"): min(_rows_after_expiry(engine) for _ in range(_PASSES)),
            ("engine", "size"): _count(engine, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            / (1 << 20),
        }
    finally:
        engine.close()


def _rows_after_expiry(engine: Engine) -> int:
    expire(engine, Event())
    return _rows(engine)


def _rows(engine: Engine) -> int:
    return _count(engine, "SELECT count(*) FROM item")


def _count(engine: Engine, sql: str) -> int:
    with engine.store.read() as connection:
        return int(connection.execute(sql).fetchone()[0])


def _growth(samples: list[tuple[int, _Sample]]) -> list[Figure]:
    """Before, after and slope of everything that was sampled."""
    warm = [(runs, sample) for runs, sample in samples if runs >= samples[-1][0] / 5]
    figures = []
    for part, what in samples[0][1]:
        unit = _UNITS.get(what, "")
        values = {
            "before": samples[0][1][part, what],
            "after a fifth": warm[0][1][part, what],
            "after": samples[-1][1][part, what],
            "slope per 1,000 runs": _slope([(runs / 1000, sample[part, what]) for runs, sample in warm]),
        }
        figures += [
            Figure(group=f"{part}: {what}", name=name, value=None if value is None else round(value, 3), unit=unit)
            for name, value in values.items()
        ]
    return figures


def _slope(points: list[tuple[float, float]]) -> float | None:
    if len(points) < 2:
        return None
    return statistics.linear_regression(*zip(*points, strict=True)).slope
