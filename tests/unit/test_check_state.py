from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.aws.dynamodb.row_codec import read, write
from functions.checks.state import (
    DOWN,
    MOST_OBSERVED,
    Announcement,
    Finished,
    Rules,
    Standing,
    State,
    Step,
    pause,
    resume,
    settle,
    settle_missed,
)
from tests.choice import examples

HOUR_MS = 3_600_000


def finished(kind: str, attempt: int = 0, *, earlier_failed: bool = False) -> Finished:
    """`P` passes, `F` fails, `E` is a platform fault."""
    return Finished(passed=kind == "P", is_platform_fault=kind == "E", attempt=attempt, earlier_failed=earlier_failed)


@dataclass
class Check:
    """A check that runs once an hour."""

    rules: Rules = field(default_factory=Rules)
    standing: Standing = field(default_factory=Standing)
    hours: int = 0
    told: list[Announcement] = field(default_factory=list)

    def run(self, kinds: str) -> str:
        """Run once for each letter: `P F E`, `L` late, `R` passes after a failed try. Return the states."""
        return " ".join(self._one(kind) for kind in kinds)

    def _one(self, kind: str) -> str:
        self.hours += 1
        now_ms = self.hours * HOUR_MS
        if kind == "L":
            return self.take(settle_missed(self.standing, self.rules, now_ms))
        if kind == "R":
            return self.take(settle(self.standing, self.rules, finished("P", 1, earlier_failed=True), now_ms))
        return self.take(settle(self.standing, self.rules, finished(kind, self.rules.retries), now_ms))

    def take(self, step: Step) -> str:
        assert not step.retry
        self.standing = step.standing
        if step.announce:
            self.told.append(step.announce)
        return step.standing.state.value

    def messages(self) -> list[str]:
        return [f"{told.was}→{told.state}{' reminder' if told.is_reminder else ''}" for told in self.told]


def test_a_check_fails_and_recovers() -> None:
    check = Check()
    assert check.run("PFFP") == "up failing failing up"
    assert check.told == [
        Announcement(was=State.UP, state=State.FAILING, is_reminder=False, outage_ms=None, since_ms=2 * HOUR_MS),
        Announcement(was=State.FAILING, state=State.UP, is_reminder=False, outage_ms=2 * HOUR_MS, since_ms=4 * HOUR_MS),
    ]


def test_the_first_pass_sends_no_event_and_the_first_failure_does() -> None:
    assert (passing := Check()).run("PP") == "up up"
    assert passing.messages() == []
    assert (failing := Check()).run("F") == "failing"
    assert failing.messages() == ["new→failing"]


@pytest.mark.parametrize(
    ("needed", "of", "kinds", "states"),
    [
        (2, 3, "PFPFP", "up up up failing up"),
        (2, 3, "FFPP", "new failing failing up"),
        (3, 3, "FFPFFF", "new new up up up failing"),
        (1, 3, "FPPP", "failing failing failing up"),
        (2, 2, "LFF", "late flaky failing"),  # the program ran, too few failures yet
    ],
)
def test_n_of_the_last_m_runs_must_fail(needed: int, of: int, kinds: str, states: str) -> None:
    assert Check(Rules(failures_needed=needed, of_runs=of)).run(kinds) == states


def test_an_outage_starts_with_its_first_failure_not_with_the_alarm() -> None:
    check = Check(Rules(failures_needed=2, of_runs=3))
    check.run("PFFPP")
    assert [told.since_ms for told in check.told] == [2 * HOUR_MS, 5 * HOUR_MS]
    assert check.told[1].outage_ms == 3 * HOUR_MS


def test_a_failure_of_an_earlier_outage_is_not_the_start_of_the_next() -> None:
    check = Check(Rules(failures_needed=2, of_runs=3))
    check.run("FFPPFF")
    assert check.told[-1].since_ms == 5 * HOUR_MS


@pytest.mark.parametrize("retries", [0, 1, 2, 3])
def test_a_failure_is_retried_before_anything_is_decided(retries: int) -> None:
    rules, standing = Rules(retries=retries), Standing(state=State.UP, told=State.UP)
    for attempt in range(retries):
        assert settle(standing, rules, finished("F", attempt), 1) == Step(standing=standing, retry=True)
        assert settle(standing, rules, finished("E", attempt), 1) == Step(standing=standing, retry=True)
    assert settle(standing, rules, finished("F", retries), 1).standing.state is State.FAILING


def test_a_pass_after_a_failed_try_is_flaky_and_ends_an_outage() -> None:
    check = Check(Rules(retries=1))
    assert check.run("PRPFR") == "up flaky up failing flaky"
    assert check.messages() == ["up→flaky", "flaky→up", "up→failing", "failing→flaky"]
    assert check.told[-1].outage_ms == HOUR_MS


def test_a_pass_after_a_platform_fault_is_not_flaky() -> None:
    step = settle(Standing(), Rules(retries=1), finished("P", 1, earlier_failed=False), 1)
    assert step.standing.state is State.UP


def test_a_platform_fault_is_error_and_no_failure() -> None:
    check = Check(Rules(failures_needed=2, of_runs=2))
    assert check.run("PEEEFP") == "up error error error flaky up"
    assert check.messages() == ["up→error", "error→flaky", "flaky→up"]


def test_an_outage_goes_on_through_a_platform_fault() -> None:
    check = Check()
    check.run("PFEP")
    assert check.messages() == ["up→failing", "failing→error", "error→up"]
    assert check.told[-1].outage_ms == 2 * HOUR_MS


def test_a_missed_run_is_late_unless_the_check_is_worse_already() -> None:
    check = Check()
    assert check.run("PLLPFLEL") == "up late late up failing failing error error"
    assert check.messages() == ["up→late", "late→up", "up→failing", "failing→error"]


def test_a_reminder_comes_every_remind_hours_while_the_outage_lasts() -> None:
    check = Check(Rules(remind_hours=3))
    check.run("PFFFFFFFPPPPP")
    assert check.messages() == ["up→failing", *["failing→failing reminder"] * 2, "failing→up"]
    assert [told.since_ms for told in check.told[:3]] == [2 * HOUR_MS] * 3


def test_a_late_check_reminds_too() -> None:
    check = Check(Rules(remind_hours=2))
    check.run("PLLL")
    assert check.messages() == ["up→late", "late→late reminder"]


def test_muting_silences_messages_and_keeps_the_states() -> None:
    check = Check(Rules(muted_until_ms=5 * HOUR_MS, remind_hours=1))
    assert check.run("PFFP") == "up failing failing up"
    assert check.messages() == []


def test_an_outage_that_outlasts_the_mute_is_announced_at_the_next_run() -> None:
    check = Check(Rules(muted_until_ms=4 * HOUR_MS))
    check.run("PFFF")
    assert check.messages() == ["new→failing"]
    assert check.told[0].since_ms == 2 * HOUR_MS


def test_a_recovery_during_the_mute_is_announced_after_it_with_the_length_of_the_outage() -> None:
    check = Check()
    check.run("PF")
    check.rules = Rules(muted_until_ms=5 * HOUR_MS)
    check.run("FPP")
    assert check.messages() == ["up→failing", "failing→up"]
    assert check.told[-1].outage_ms == 2 * HOUR_MS


def test_a_paused_check_keeps_its_state_whatever_finishes() -> None:
    check = Check(Rules(retries=1))
    check.run("F")
    check.take(pause(check.standing, check.rules, 2 * HOUR_MS))
    assert check.run("PFEL") == "paused paused paused paused"
    assert settle(check.standing, check.rules, finished("F", 0), 1) == Step(standing=check.standing)
    assert check.messages() == ["new→failing", "failing→paused"]


def test_a_resumed_check_is_new_and_forgets_the_outage() -> None:
    check = Check(Rules(failures_needed=2, of_runs=3))
    check.run("PFF")
    check.take(pause(check.standing, check.rules, 4 * HOUR_MS))
    assert check.take(resume(check.standing, 5 * HOUR_MS)) == "new"
    assert check.run("P") == "up"
    assert check.messages() == ["up→failing", "failing→paused", "paused→up"]


def test_pausing_twice_and_resuming_a_running_check_change_nothing() -> None:
    paused = pause(Standing(), Rules(), 1).standing
    assert pause(paused, Rules(), 2) == Step(standing=paused)
    assert resume(Standing(state=State.UP), 2) == Step(standing=Standing(state=State.UP))


@pytest.mark.parametrize(
    ("needed", "kinds", "hours"),
    [
        *((1, "", ()), (1, "P", ((1, 0),)), (1, "FP", ((1, 0),)), (1, "L", ((1, 0),)), (1, "E", ((1, 0),))),
        *((2, "F", ()), (2, "FF", ((1, 0),)), (2, "FP", ((2, 0),))),
    ],
)
def test_data_begins_with_the_first_run_that_counts(
    needed: int, kinds: str, hours: tuple[tuple[int, int], ...]
) -> None:
    check = Check(Rules(failures_needed=needed, of_runs=2))
    check.run(kinds)
    assert check.standing.observed == tuple((since * HOUR_MS, until * HOUR_MS) for since, until in hours)


def test_there_is_no_data_from_a_pause_to_the_next_run() -> None:
    check = Check()
    check.run("PP")
    check.take(pause(check.standing, check.rules, 3 * HOUR_MS))
    check.take(resume(check.standing, 4 * HOUR_MS))
    check.hours = 4
    check.run("PPFP")
    assert check.standing.observed == ((HOUR_MS, 3 * HOUR_MS), (5 * HOUR_MS, 0))


def test_a_standing_keeps_the_latest_stretches_with_data() -> None:
    check = Check()
    for _ in range(MOST_OBSERVED + 2):
        check.run("P")
        check.take(pause(check.standing, check.rules, check.hours * HOUR_MS + 1))
        check.take(resume(check.standing, check.hours * HOUR_MS + 2))
    assert len(check.standing.observed) == MOST_OBSERVED
    assert check.standing.observed[0] == (3 * HOUR_MS, 3 * HOUR_MS + 1)


RULES = st.builds(
    lambda needed, more, retries, remind: Rules(
        failures_needed=needed, of_runs=needed + more, retries=retries, remind_hours=remind
    ),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(0, 5),
)
KINDS = st.text(alphabet="PFELRMU", max_size=60)  # M mutes, U ends the mute


@given(RULES, KINDS)
@settings(max_examples=examples(400))
def test_messages_form_one_chain_and_states_follow_the_rules(rules: Rules, kinds: str) -> None:
    check, ran = Check(rules), ""
    for kind in kinds:
        if kind in "MU":
            check.rules = replace(rules, muted_until_ms=10**15 if kind == "M" else None)
            continue
        before, told = check.standing, len(check.told)
        state = State(check.run(kind))
        ran += {"P": "P", "R": "P", "F": "F"}.get(kind, "")
        is_failing = ran[-rules.of_runs :].count("F") >= rules.failures_needed
        if kind in "PFR":
            assert (state is State.FAILING) == is_failing
        if kind == "E":
            assert state is State.ERROR
        if kind == "L":
            assert state is (before.state if before.state in {State.FAILING, State.ERROR} else State.LATE)
        if check.rules.muted_until_ms:
            assert len(check.told) == told
        else:
            assert check.standing.told is state  # everything that happened is told
        assert (check.standing.bad_since_ms is not None) == (state in DOWN)
        assert read(Standing, write(check.standing)) == check.standing
    last = State.NEW
    for message in check.told:
        silent_first_pass = last is State.NEW and message.was is State.UP
        assert message.was is last or silent_first_pass
        assert message.is_reminder == (message.state is message.was)
        assert message.is_reminder is False or message.state in DOWN
        is_recovery = message.was in DOWN and message.state in {State.UP, State.FLAKY}
        assert (message.outage_ms is not None) == is_recovery
        last = message.state
