"""One kill run from start to end: its own stack, targets, clients, kills, a wait without kills, the judgement."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from functions.projects.model import DEFAULT_QUOTAS, Quota
from tests.system.kill_run import check_calls
from tests.system.kill_run.check_calls import CheckCalls
from tests.system.kill_run.clients import Clients
from tests.system.kill_run.facts import Facts, Kill, Reception
from tests.system.kill_run.history import Charges, History, shown
from tests.system.kill_run.judge import Judge, Judgement
from tests.system.kill_run.killer import Killer
from tests.system.kill_run.observers import Observers
from tests.system.kill_run.plan import Plan
from tests.system.kill_run.tables import Tables, read_tables
from tests.system.kill_run.targets import Targets, open_targets
from tests.system.local_stack import LocalStack, traces
from tests.system.webhook_inbox import open_inbox

VARIABLES = {
    "RUSTBOX_PARAM_OfferedLanguages": "python,javascript,c",  # of the plan's jobs
    # As short as the template allows, so that work of killed processes is soon repeated.
    "RUSTBOX_PARAM_SubmissionVisibilitySecs": "10",
    "RUSTBOX_PARAM_PipelineVisibilitySecs": "30",
    "RUSTBOX_PARAM_PendingRedriveSecs": "5",
    "SLOTS": "2",
    "DRAIN_SECS": "1",
    "HEARTBEAT_SECS": "1",
}
PROJECT_ID = "kill-run"
QUOTA = Quota(per_minute=10_000, per_day=100_000, in_flight=12)
"""In flight: fewer than there are clients, so that some are refused."""
QUIET_SECS = 600
"""Limit for the wait without kills: a killed sender's lease lasts 60 s, a wait for a free one up to 300 s more."""
ACCEPT_SECS = 180
REQUIRED_SECS = 300
"""Limit for the time until every required victim is killed, beyond the time of the plan."""
_ANSWER_SECS = 35
_AFTERWARDS_SECS = 3.0
"""After the last delivery: time for one that should not arrive."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a kill run."""

    judgement: Judgement
    kills: tuple[Kill, ...]
    submissions: int
    secs: float
    quiet_secs: float
    lost_answers: int
    leftovers: dict[str, int]

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, wrong or left behind."""
        return self.judgement.is_good and not any(self.leftovers.values())

    @property
    def summary(self) -> str:
        """One line of counts."""
        found = self.judgement
        counts = Counter(kill.victim for kill in self.kills), Counter(kill.signal.name for kill in self.kills)
        kinds = "; ".join(", ".join(f"{name} {count}" for name, count in sorted(each.items())) for each in counts)
        return (
            f"kill run: {self.submissions} submissions, {self.secs:.0f} s, {len(self.kills)} kills ({kinds}); "
            f"lost {len(found.lost)}; ran again after the result {len(found.ran_again)}; "
            f"deliveries {found.delivered} of {found.owed}; retries {found.retries}; "
            f"duplicates {len(found.duplicates)}, explained {len(found.duplicates) - len(found.unexplained)}; "
            f"wrong {len(found.wrong)}"
        )


class LauncherEndedError(Exception):
    """The launcher ended without a kill."""


def kill_run(stack: LocalStack, plan: Plan, seed: int, tell: Callable[[str], None]) -> Report:
    """Run `plan` on a stack that is not started yet. Stop the stack in any case.

    Raises LauncherEndedError.
    """
    try:
        stack.start()
        api_key = stack.add_project(PROJECT_ID, quotas=dict.fromkeys(DEFAULT_QUOTAS, QUOTA))
        open_client = partial(stack.client, api_key, timeout_secs=_ANSWER_SECS)
        checks_key = stack.add_project(check_calls.PROJECT_ID)
        with (
            open_client() as client,
            open_targets(client) as targets,
            stack.client(checks_key, timeout_secs=_ANSWER_SECS) as checks_client,
            open_inbox() as inbox,
        ):
            checks = CheckCalls(checks_client, inbox, plan.secs)
            observers = Observers(open_client)
            clients = Clients(open_client, plan.jobs, targets.own_url, observers.watcher.watch)
            killer = Killer(stack, plan, seed)
            try:
                observers.start()
                return _run(stack, plan, Parts(client, targets, killer, clients, observers, checks), tell)
            finally:
                checks.end()
                clients.end()
                killer.end()
                observers.close()
    finally:
        stack.close()


@dataclass(frozen=True, slots=True)
class Parts:
    """All that takes part in a kill run beside the stack. `client`: for the reads after the kills."""

    client: httpx.Client
    targets: Targets
    killer: Killer
    clients: Clients
    observers: Observers
    checks: CheckCalls


def _run(stack: LocalStack, plan: Plan, parts: Parts, tell: Callable[[str], None]) -> Report:
    targets, killer, clients, observers = parts.targets, parts.killer, parts.clients, parts.observers
    began = time.monotonic()
    killer.start()
    clients.start()
    parts.checks.start()
    killer.finish(plan.secs + REQUIRED_SECS)
    if killer.problems:
        raise LauncherEndedError(killer.problems[0])
    killed_secs = time.monotonic() - began
    accepted, ended = (
        len(clients.submitted),
        len((tables := read_tables(stack, PROJECT_ID)).jobs) - len(tables.open_ids),
    )
    tell(f"killed for {killed_secs:.0f} s; until then {accepted} of {len(plan.jobs)} were accepted, {ended} had ended")
    problems = [f"no {victim} was killed" for victim in killer.missing]
    if not clients.finish(ACCEPT_SECS):
        problems.append("some clients got no answer")
    quiet_began = time.monotonic()
    checks = parts.checks.finish(QUIET_SECS)
    tables, receptions = _settle(stack, targets)
    quiet_secs = time.monotonic() - quiet_began - _AFTERWARDS_SECS
    observers.end()
    observers.read_all(ACCEPT_SECS)
    paths = {job.key: job.path for job in plan.jobs}
    results = {
        submission_id: shown(parts.client.get(f"{paths[key]}/{submission_id}").json())
        for submission_id, key in tables.jobs.items()
    }
    day, counted = max(tables.counted.items(), default=(0, 0))
    history = History(
        told=tuple(observers.watcher.told),
        pages=observers.pages,
        listed=tuple(_list_results(parts.client)),
        charges=Charges(QUOTA.in_flight, day, counted - len(tables.written), clients.lost_answers),
        checks=checks,
    )
    if (code := stack.stop()) != 0:
        problems.append(f"the stack stopped with {code}\n{stack.log()}")
    killer.close()
    facts = Facts(
        submitted=tuple(clients.submitted),
        rows=tables.jobs,
        results=results,
        deliveries=tables.deliveries,
        attempts=tuple(tables.attempts),
        receptions=receptions,
        targets=targets.wants,
        kills=tuple(killer.kills),
        generations=tuple(killer.generations),
        history=history,
        problems=(*problems, *clients.problems, *observers.problems, *parts.checks.problems),
        held=frozenset(tables.held),
        alerts=frozenset(tables.alerts),
        ordered=frozenset(targets.ordered),
        log=stack.told(),
    )
    return Report(
        judgement=Judge(facts).judge(),
        kills=facts.kills,
        submissions=len(tables.jobs),
        secs=killed_secs,
        quiet_secs=quiet_secs,
        lost_answers=clients.lost_answers,
        leftovers=traces(stack.state_dir, killer.runners),
    )


def _list_results(client: httpx.Client) -> Iterator[str]:
    params: dict[str, Any] = {"limit": 100}
    while True:
        page = client.get("/api/results", params=params).json()
        yield from (item["id"] for item in page["items"])
        if page["next_cursor"] is None:
            return
        params["cursor"] = page["next_cursor"]


def _settle(stack: LocalStack, targets: Targets) -> tuple[Tables, tuple[Reception, ...]]:
    """Wait until every submission is final and every delivery done, at most `QUIET_SECS`; then a few seconds more.

    A sweep may publish an alert in these seconds: then wait for its deliveries too. It may also publish one later:
    so the requests are those from before the tables were read.
    """
    deadline = time.monotonic() + QUIET_SECS
    while True:
        if is_settled := _is_settled(read_tables(stack, PROJECT_ID)):
            time.sleep(_AFTERWARDS_SECS)
        receptions, tables = targets.all(), read_tables(stack, PROJECT_ID)
        if (is_settled and _is_settled(tables)) or time.monotonic() > deadline:
            return tables, receptions
        time.sleep(1)


def _is_settled(tables: Tables) -> bool:
    return not tables.open_ids and set(tables.deliveries.values()) <= {"delivered"}
