"""One kill run from start to end: its own stack, targets, clients, kills, a wait without kills, the judgement."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.system.kill_run.clients import Clients
from tests.system.kill_run.facts import Facts, Kill
from tests.system.kill_run.judge import Judge, Judgement
from tests.system.kill_run.killer import Killer
from tests.system.kill_run.plan import Plan, Victim
from tests.system.kill_run.tables import Tables, read_tables
from tests.system.kill_run.targets import Targets, open_targets
from tests.system.local_stack import LocalStack, traces

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
QUIET_SECS = 600
"""Limit for the wait without kills: a killed sender's lease lasts 60 s, a wait for a free one up to 300 s more."""
ACCEPT_SECS = 180
REQUIRED_SECS = 300
"""Limit for the time until every required victim is killed, beyond the time of the plan."""
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
        found, counts = self.judgement, Counter(kill.victim for kill in self.kills)
        kinds = ", ".join(f"{victim} {counts[victim]}" for victim in Victim)
        return (
            f"kill run: {self.submissions} submissions, {self.secs:.0f} s, {len(self.kills)} kills ({kinds}); "
            f"lost {len(found.lost)}; deliveries {found.delivered} of {found.owed}; retries {found.retries}; "
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
        with stack.client() as client, open_targets(client) as targets:
            killer, clients = Killer(stack, plan, seed), Clients(stack, plan.jobs, targets.own_url)
            try:
                return _run(stack, plan, targets, killer, clients, tell)
            finally:
                clients.end()
                killer.end()
    finally:
        stack.close()


def _run(
    stack: LocalStack, plan: Plan, targets: Targets, killer: Killer, clients: Clients, tell: Callable[[str], None]
) -> Report:
    began = time.monotonic()
    killer.start()
    clients.start()
    killer.finish(plan.secs + REQUIRED_SECS)
    if killer.problems:
        raise LauncherEndedError(killer.problems[0])
    killed_secs = time.monotonic() - began
    accepted, ended = len(clients.submitted), len((tables := read_tables(stack)).jobs) - len(tables.open_ids)
    tell(f"killed for {killed_secs:.0f} s; until then {accepted} of {len(plan.jobs)} were accepted, {ended} had ended")
    problems = [f"no {victim} was killed" for victim in killer.missing]
    if not clients.finish(ACCEPT_SECS):
        problems.append("some clients got no answer")
    quiet_began = time.monotonic()
    tables = _settle(stack)
    quiet_secs = time.monotonic() - quiet_began - _AFTERWARDS_SECS
    with stack.client() as client:
        results = {submission_id: client.get(f"/api/result/{submission_id}").json() for submission_id in tables.jobs}
    if (code := stack.stop()) != 0:
        problems.append(f"the stack stopped with {code}\n{stack.log()}")
    killer.close()
    facts = Facts(
        submitted=tuple(clients.submitted),
        rows=tables.jobs,
        results=results,
        deliveries=tables.deliveries,
        attempts=tuple(tables.attempts),
        receptions=targets.all(),
        targets=targets.wants,
        kills=tuple(killer.kills),
        generations=tuple(killer.generations),
        problems=(*problems, *clients.problems),
        held=frozenset(tables.held),
        alerts=frozenset(tables.alerts),
        ordered=frozenset(targets.ordered),
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


def _settle(stack: LocalStack) -> Tables:
    """Wait until every submission is final and every delivery done, at most `QUIET_SECS`; then a few seconds more.

    A sweep may publish an alert in these seconds: then wait for its deliveries too.
    """
    deadline = time.monotonic() + QUIET_SECS
    while time.monotonic() < deadline:
        if _is_settled(read_tables(stack)):
            time.sleep(_AFTERWARDS_SECS)
            if _is_settled(tables := read_tables(stack)):
                return tables
        time.sleep(1)
    return read_tables(stack)


def _is_settled(tables: Tables) -> bool:
    return not tables.open_ids and set(tables.deliveries.values()) <= {"delivered"}
