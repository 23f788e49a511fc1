"""The plan of a kill run, drawn from its seed: the jobs, the kills, the steps at which launchers die."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

FAILPOINTS = (
    *("submit.after_create", "submit.before_send", "submit.after_send", "submit.after_ask", "submit.after_answer"),
    *("submit.after_hand_over", "complete.before_write", "complete.after_write", "complete.after_hint"),
    *("announce.after_read", "announce.after_bus", "webhook.after_claim", "webhook.after_park"),
    *("webhook.after_release", "waking.after_take_out", "webhook.after_send", "webhook.after_record"),
    *("sweep.after_take", "sweep.after_redrive"),
)


class Victim(StrEnum):
    """A part of the stack that a kill hits."""

    EVERYTHING = "everything"  # launcher, runner and all below them, at once, only with SIGKILL: see `_signal`
    LAUNCHER = "launcher"  # and the processes that it forked
    FUNCTIONS = "functions"  # HTTP and queues; a failpoint kills it, or the one below
    BACKGROUND = "background"  # schedules, streams and the runner's socket
    RUNNER = "runner"
    TEMPLATE = "template"  # of a slot: what its runs are forked from
    GUEST = "guest"  # the first process of a run's namespaces, whose end takes the run along


# A launcher first: the next one has the required failpoint, and nearly all jobs come after it.
REQUIRED = (
    (Victim.LAUNCHER, SIGKILL),
    (Victim.RUNNER, SIGKILL),
    (Victim.TEMPLATE, SIGKILL),
    (Victim.GUEST, SIGKILL),
    (Victim.FUNCTIONS, SIGKILL),
    (Victim.BACKGROUND, SIGKILL),
    (Victim.EVERYTHING, SIGKILL),
    # A process that ends in order must leave alone what it shares with its replacement.
    (Victim.BACKGROUND, SIGTERM),
    (Victim.RUNNER, SIGTERM),
    (Victim.FUNCTIONS, SIGTERM),
)
_REQUIRED_PAUSE_SECS = 0.5
_CASES = 4
_ENDS = (Victim.EVERYTHING, Victim.LAUNCHER, Victim.LAUNCHER, Victim.FUNCTIONS, Victim.BACKGROUND, Victim.RUNNER)


class Own(StrEnum):
    """The run's own webhook, by the form of its secret."""

    WHSEC = "whsec"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Job:
    """One submission, sent `at_secs` after the start, and its expected result.

    `waits`: sent with wait=true. `repeats`: has an Idempotency-Key, and is sent again when its answer was lost.
    `cases`: of a judge run, each with its number as input; 0: a run.
    """

    key: str
    language: str
    code: str
    verdict: str
    exit_code: int
    stdout: str
    at_secs: float
    waits: bool
    repeats: bool
    own: Own | None
    cases: int = 0

    @property
    def path(self) -> str:
        """The path of its results."""
        return "/api/judge" if self.cases else "/api/result"


@dataclass(frozen=True, slots=True)
class PlannedKill:
    """A signal for a `victim`, `pause_secs` after the stack works again or, if not `settled`, after the kill before."""

    victim: Victim
    pause_secs: float
    settled: bool
    signal: Signals = SIGKILL


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs and the kills, in order.

    `required`: the first kills; the run waits for them on any machine. `kills`: the kills after them, more than fit
    into `secs`. `failpoints`: of the launchers, in order; one kills a single process of its launcher.
    `required_failpoint`: while required kills are left, nothing else kills the launcher that has it.
    """

    secs: float
    jobs: tuple[Job, ...]
    required: tuple[PlannedKill, ...]
    kills: tuple[PlannedKill, ...]
    failpoints: tuple[str, ...]
    required_failpoint: str | None


def make_plan(seed: int, secs: float, submissions: int, failpoints: tuple[str, ...] = ()) -> Plan:
    """Make a plan, equal for equal arguments.

    `failpoints`: of the first launchers, the first of them required; none named: all, in an order of the seed.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret comes of it
    jobs = tuple(_job(chance, f"{seed}-{number}", secs * number / submissions) for number in range(submissions))
    required = tuple(PlannedKill(victim, _REQUIRED_PAUSE_SECS, settled=True, signal=each) for victim, each in REQUIRED)
    kills = tuple(kill for _ in range(int(secs)) for kill in _kills_of_one_life(chance))
    named = failpoints or tuple(chance.sample(FAILPOINTS, len(FAILPOINTS)))
    return Plan(secs, jobs, required, kills, named, failpoints[0] if failpoints else None)


def _kills_of_one_life(chance: random.Random) -> Iterator[PlannedKill]:
    """Kill templates and guests of some slots, then the runner, a process of the launcher or everything."""
    for _ in range(chance.choice([0, 1, 2, 3])):
        victim = chance.choice([Victim.TEMPLATE, Victim.GUEST])
        yield PlannedKill(victim, chance.uniform(0.2, 1.2), settled=True, signal=_signal(chance, victim))
    is_settled = chance.random() < 0.85
    victim = chance.choice(_ENDS)
    yield PlannedKill(victim, chance.uniform(0.5, 4), settled=is_settled, signal=_signal(chance, victim))


def _signal(chance: random.Random, victim: Victim) -> Signals:
    """Choose a signal. A program of a user that gets another one than SIGKILL from us ends by it as by its own."""
    if victim is Victim.EVERYTHING:
        return SIGKILL
    return chance.choices([SIGKILL, SIGTERM, SIGINT, SIGHUP], weights=[3, 1, 1, 1])[0]


def _job(chance: random.Random, key: str, at_secs: float) -> Job:
    language, code, exit_code, cases = chance.choices(
        [
            ("python", f"print('{key}')", 0, 0),
            ("python", f"import time\nprint('{key}', flush=True)\ntime.sleep(0.3)", 0, 0),
            ("python", f"import time\nprint('{key}', flush=True)\ntime.sleep(1)", 0, 0),
            ("python", f"print('{key}')\nraise SystemExit(3)", 3, 0),
            ("javascript", f"console.log('{key}')", 0, 0),
            ("c", f'#include <stdio.h>\nint main(void) {{ puts("{key}"); return 0; }}\n', 0, 0),
            ("python", f"import time\nprint('{key}', input())\ntime.sleep(0.1)", 0, _CASES),
        ],
        weights=[8, 4, 2, 2, 2, 1, 2],
    )[0]
    waits = chance.random() < 0.4
    return Job(
        key=key,
        language=language,
        code=code,
        verdict="RE" if exit_code else "AC",
        exit_code=exit_code,
        stdout="".join(case_output(key, case) for case in range(cases)) or f"{key}\n",
        at_secs=at_secs,
        waits=waits,
        repeats=chance.random() < 0.85,
        own=chance.choice([Own.WHSEC, Own.RAW]) if chance.random() < 0.5 else None,
        cases=cases,
    )


def case_output(key: str, case: int) -> str:
    """Return the output of one case of a judge run."""
    return f"{key} {case}\n"
