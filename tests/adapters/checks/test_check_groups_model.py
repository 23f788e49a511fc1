"""Groups against a model: any order of calls, ends, waits, wake-ups, crashes and changes, over the real stores."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from functions.checks import keys
from functions.checks.runs.complete import RunCompleter
from functions.checks.runs.groups import Group, GroupStore, key_of, wake
from functions.checks.runs.run import Run, RunKind, RunStatus, new_run
from functions.checks.runs.start import add_run
from functions.checks.runs.store import RunStore
from functions.checks.settings.check_settings import Grouping
from functions.checks.settings.store import Check, CheckStore
from functions.ids import new_id
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.pipeline import Crash, crash_at

KEYS = ("a", "b")
groupings = st.one_of(
    st.builds(lambda most: {"key": "$.ref", "at_most": most}, st.integers(1, 3)),
    st.builds(
        lambda quiet, more, most: {
            "key": "$.ref",
            "debounce_secs": quiet,
            "most_secs": quiet + more,
            "at_most": most,
        },
        st.integers(1, 20),
        st.integers(0, 40),
        st.integers(1, 3),
    ),
)
which = st.sampled_from(KEYS)


class Groups(RuleBasedStateMachine):
    """`calls`: the runs of each key, in the order of their calls. `most`: the largest `at_most` so far."""

    world: CheckWorld

    @initialize(group=groupings)
    def create(self, group: dict[str, Any]) -> None:
        self.id = self.world.create(name=f"check {new_id()}", group=group)["id"]
        self.group: dict[str, Any] | None = group
        self.most = group["at_most"]
        self.calls: dict[str, list[Run]] = {key: [] for key in KEYS}
        self.ended: set[str] = set()
        self.order: dict[str, list[str]] = {key: [] for key in KEYS}

    # --- what happens

    @rule(key=which, point=st.sampled_from([None, None, "check.before_call"]))
    def call(self, key: str, point: str | None) -> None:
        self.world.time.ms += 1
        run = new_run(self.check, RunKind.EVENT, self.world.time.ms, self.world.time.ms, new_id())
        with crash_at(point or "never"):
            try:
                placed, earlier = add_run(self.world.env, self.check, run, {"ref": key}, new_id())
            except Crash:
                return  # the caller got no answer, and nothing was written
        assert earlier is None
        self.calls[key].append(placed)

    @rule(ms=st.sampled_from([500, 1_000, 5_000, 30_000]))
    def wait(self, ms: int) -> None:
        self.world.time.ms += ms

    @rule(key=which, point=st.sampled_from([None, "check.before_wake", "check.after_wake"]))
    def wake(self, key: str, point: str | None) -> None:
        with crash_at(point or "never"):
            try:
                wake(self.world.env, *self.row_of(key))
            except Crash:
                return
        group = self.found(key)
        if self.group is None or group is None or not group.waiting:
            assert group is None or not group.waiting
            return
        rules = Grouping.model_validate(self.group)
        is_full = len(group.unfinished) >= rules.at_most
        assert is_full or rules.wait_ends_ms(group.first_ms, group.last_ms) > self.world.time.ms
        if rules.debounce_secs is not None:
            assert is_full or self.world.time.ms - group.first_ms < (rules.most_secs or 900) * 1000

    @rule(key=which, number=st.integers(0, 2))
    def end(self, key: str, number: int) -> None:
        group = self.found(key)
        if group is None or number >= len(group.unfinished):
            return
        run = self.world.env[RunStore].get_run(keys.runs_pk(PROJECT_ID, self.id), group.unfinished[number])
        assert run is not None
        assert self.world.env[RunCompleter].refuse(self.check, run, "ended by the test") is not None
        self.ended.add(run.position)

    @rule(group=st.one_of(st.none(), groupings))
    def change(self, group: dict[str, Any] | None) -> None:
        assert self.world.call("PATCH", f"/api/checks/{self.id}", {"group": group}).status == 200
        self.group = group
        self.most = 10**6 if group is None else max(self.most, group["at_most"])

    # --- what always holds

    @invariant()
    def each_call_is_in_one_place(self) -> None:
        rows = {run.position: run for run in self.world.env[RunStore].since(PROJECT_ID, self.id, 0, 10_000)}
        assert rows.keys() == {run.position for runs in self.calls.values() for run in runs}
        for key, runs in self.calls.items():
            group = self.found(key)
            places: list[tuple[str, ...]] = [(), ()] if group is None else [group.waiting, group.unfinished]
            later = {run.run_id: number for number, run in enumerate(runs)}
            for number, called in enumerate(runs):
                run = rows[called.position]
                is_waiting, is_unfinished = (run.position in place for place in places)
                if run.status is RunStatus.SUPERSEDED:
                    assert not is_waiting
                    assert not is_unfinished
                    assert later[run.superseded_by or ""] > number
                elif run.status is RunStatus.ERROR:
                    assert run.position in self.ended
                    assert not is_unfinished
                else:
                    assert run.is_waiting == is_waiting
                    assert run.group is None or self.group is None or is_waiting or is_unfinished or self.most > 3
            assert len(places[1]) <= self.most
            assert list(places[0]) == sorted(places[0])
            assert (group is None or group.due_at_ms is None) == (not places[0])

    def teardown(self) -> None:
        """In the end everything that waits runs: nothing is stuck."""
        if not hasattr(self, "id"):
            return
        self.change(None)
        for key in KEYS:
            wake(self.world.env, *self.row_of(key))
            while (group := self.found(key)) is not None:
                assert not group.waiting
                self.end(key, 0)
        self.each_call_is_in_one_place()

    # --- helpers

    @property
    def check(self) -> Check:
        check = self.world.env[CheckStore].get(PROJECT_ID, self.id)
        assert check is not None
        return check

    def row_of(self, key: str) -> tuple[str, str]:
        name, _ = key_of(Grouping(key="$.ref"), {"ref": key})
        return keys.groups_pk(PROJECT_ID, self.id), name

    def found(self, key: str) -> Group | None:
        return self.world.env[GroupStore].get(*self.row_of(key))


def test_no_order_of_steps_loses_a_call_or_runs_too_many(world: CheckWorld) -> None:
    run_state_machine_as_test(
        type("GroupsOfWorld", (Groups,), {"world": world}),
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
