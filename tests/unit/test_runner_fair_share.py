"""Slots are shared fairly between projects and between runs, in every order of arrivals and ends."""

from collections import Counter, deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.worker.scheduler import MOST_LAG_SECS, NEWCOMER_SLOTS, Priority, SlotRequest, SlotTime, choose

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH

# Either a run arrives (project, priority), or one of the running runs ends (its number).
STEPS = st.lists(
    st.one_of(st.tuples(st.sampled_from("ABCD"), st.sampled_from(Priority)), st.integers(0, 40)), max_size=80
)


def slot_requests(*arrivals: tuple[str, Priority]) -> list[SlotRequest]:
    return [SlotRequest(project_id, priority) for project_id, priority in arrivals]


class Host:
    """Starts a run wherever the policy allows one."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.waiting: list[SlotRequest] = []
        self.running: list[SlotRequest] = []
        self.slot_time = SlotTime()

    @property
    def held(self) -> Counter[str]:
        return Counter(request.project_id for request in self.running)

    @property
    def share(self) -> float:
        return self.slots / max(1, len({request.project_id for request in self.waiting + self.running}))

    def arrive(self, request: SlotRequest) -> None:
        self.waiting.append(request)
        self.slot_time.arrive(request)

    def advance(self, secs: float) -> None:
        self.slot_time.advance(secs, self.running, self.waiting)

    def start_one(self) -> SlotRequest | None:
        chosen = choose(self.waiting, self.held, self.slots, self.slot_time)
        if chosen is not None:
            self.waiting.remove(chosen)
            self.running.append(chosen)
        return chosen


def check_start(host: Host) -> bool:
    """Start one run, and check that no other project had a better right to it."""
    held, share, waiting, total = host.held, host.share, list(host.waiting), len(host.running)
    chosen = host.start_one()
    if chosen is None:
        # Work is conserved: an interactive run waits only if every slot is taken, batch work also for the last one.
        kept = 1 if host.slots > 1 and not any(request.priority is INTERACTIVE for request in waiting) else 0
        assert not waiting or total >= host.slots - kept
        return False
    below = [request for request in waiting if held[request.project_id] < share and request.priority is INTERACTIVE]
    if below:
        assert held[chosen.project_id] < share
        assert chosen.priority is INTERACTIVE
        assert held[chosen.project_id] <= min(held[request.project_id] for request in below)
    if total >= host.slots:
        assert (total, held[chosen.project_id], chosen.priority) == (host.slots, 0, INTERACTIVE)
    return True


@given(slots=st.integers(1, 6), steps=STEPS)
def test_no_project_passes_its_share_while_another_waits_below_its_own(
    slots: int, steps: list[tuple[str, Priority] | int]
) -> None:
    host = Host(slots)
    for step in steps:
        host.advance(1)
        if isinstance(step, tuple):
            host.arrive(SlotRequest(*step))
        elif host.running:
            host.running.pop(step % len(host.running))
        while check_start(host):
            pass
        assert len(host.running) <= slots + NEWCOMER_SLOTS


@given(slots=st.integers(1, 6), projects=st.integers(1, 4), ends=st.lists(st.integers(0, 40), min_size=80, max_size=80))
def test_with_endless_work_every_project_reaches_its_share(slots: int, projects: int, ends: list[int]) -> None:
    """The first project has filled the host before the others come."""
    host, names = Host(slots), "ABCD"[:projects]
    for name in names:
        for _ in range(100):
            host.arrive(SlotRequest(name, INTERACTIVE))
        while check_start(host):
            pass
    for end in ends:
        host.advance(1)
        host.running.pop(end % len(host.running))
        while check_start(host):
            pass
    held = host.held
    # One run ends at a time, so the greatest difference is one run.
    assert max(held.values()) - min(held[name] for name in names) <= 1


def test_a_single_project_fills_every_slot_and_no_more() -> None:
    host = Host(4)
    for _ in range(10):
        host.arrive(SlotRequest("A", INTERACTIVE))
    while host.start_one():
        pass
    assert len(host.running) == 4


def test_a_project_without_a_run_starts_at_once_on_a_full_host() -> None:
    assert choose(slot_requests(("A", INTERACTIVE), ("B", INTERACTIVE)), {"A": 2}, 2, SlotTime()) is not None
    (newcomer,) = slot_requests(("B", INTERACTIVE))
    assert choose([newcomer], {"A": 2}, 2, SlotTime()) is newcomer
    assert choose([newcomer], {"A": 2, "C": 1}, 2, SlotTime()) is None
    assert choose(slot_requests(("B", BATCH)), {"A": 2}, 2, SlotTime()) is None


def test_batch_work_goes_before_the_interactive_work_of_a_project_that_has_its_share() -> None:
    flood, batch = slot_requests(("A", INTERACTIVE), ("B", BATCH))
    assert choose([flood, batch], {"A": 1}, 2, SlotTime()) is batch
    assert choose([flood, batch], {"A": 1}, 4, SlotTime()) is flood


def test_batch_work_leaves_the_last_of_several_slots_free() -> None:
    (batch,) = slot_requests(("A", BATCH))
    assert choose([batch], {"A": 1}, 3, SlotTime()) is batch
    assert choose([batch], {"A": 2}, 3, SlotTime()) is None
    assert choose([batch], {}, 1, SlotTime()) is batch


def test_within_a_project_interactive_work_goes_first_then_the_oldest() -> None:
    batch, first, second = slot_requests(("A", BATCH), ("A", INTERACTIVE), ("A", INTERACTIVE))
    assert choose([batch, first, second], {}, 2, SlotTime()) is first
    assert choose([second, first], {}, 2, SlotTime()) is second


type Submitted = tuple[float, str, Sequence[float]]
"""When a run is submitted, its project, and the wall time of each of its cases."""

SHORT = (0.01,) * 17


def ends(slots: int, submitted: Sequence[Submitted], priority: Priority = INTERACTIVE) -> list[float]:
    """Run them all in simulated time, one case a turn. Returns when each run ends."""
    host, now = Host(slots), 0.0
    runs = [SlotRequest(project_id, priority) for _, project_id, _ in submitted]
    left = {run: deque(cases) for run, (_, _, cases) in zip(runs, submitted, strict=True)}
    arriving = deque(
        sorted(((at, run) for run, (at, _, _) in zip(runs, submitted, strict=True)), key=lambda one: one[0])
    )
    ending, ended = dict[SlotRequest, float](), dict[SlotRequest, float]()
    while arriving or ending:
        before, now = now, min([*ending.values(), *(at for at, _ in [*arriving][:1])])
        host.advance(now - before)
        for run in [run for run, at in ending.items() if at == now]:
            del ending[run]
            host.running.remove(run)
            run.flow.turn_secs = left[run].popleft()
            if left[run]:
                host.arrive(run)
            else:
                ended[run] = now
        while arriving and arriving[0][0] == now:
            host.arrive(arriving.popleft()[1])
        while (started := host.start_one()) is not None:
            ending[started] = now + left[started][0]
    return [ended[run] for run in runs]


@given(
    slots=st.integers(1, 2),
    project_id=st.sampled_from("AB"),
    priority=st.sampled_from(Priority),
    at=st.floats(60, 120, allow_subnormal=False),
)
def test_a_run_of_short_cases_waits_for_one_case_of_three_long_runs(
    slots: int, project_id: str, priority: Priority, at: float
) -> None:
    long_runs: list[Submitted] = [(0, "A", (10,) * 30)] * 3
    *_, end = ends(slots, [*long_runs, (at, project_id, SHORT)], priority)
    assert end - at < 10 + 2 * sum(SHORT)


@given(
    slots=st.integers(1, 3),
    long_runs=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from("AB"), st.integers(2, 25)), min_size=1, max_size=5
    ),
    project_id=st.sampled_from("ABC"),
    priority=st.sampled_from(Priority),
    at=st.floats(180, 240, allow_subnormal=False),
)
def test_beside_any_long_runs_a_run_of_short_cases_waits_for_three_cases_at_most(
    slots: int, long_runs: list[tuple[int, str, int]], project_id: str, priority: Priority, at: float
) -> None:
    # All of them have had a turn: the estimate of a first turn is 0.
    submitted: list[Submitted] = [(begin, name, (secs,) * (300 // secs)) for begin, name, secs in long_runs]
    *_, end = ends(slots, [*submitted, (at, project_id, SHORT)], priority)
    assert end - at < 3 * max(secs for *_, secs in long_runs) + 2 * sum(SHORT)


@pytest.mark.parametrize("project_id", ["A", "B"])
def test_an_endless_stream_of_new_runs_leaves_a_judge_run_half_of_the_slot_time(project_id: str) -> None:
    host, (judged,), judged_secs = Host(1), slot_requests(("A", BATCH)), 0.0
    host.arrive(judged)
    for _ in range(500):
        if host.waiting in ([], [judged]):
            host.arrive(SlotRequest(project_id, BATCH))
        run = host.start_one()
        assert run is not None
        host.advance(1.0 if run is judged else 0.1)
        host.running.remove(run)
        if run is judged:
            judged_secs, judged.flow.turn_secs = judged_secs + 1, 1.0
            host.arrive(judged)
    stream_secs = (500 - judged_secs) / 10
    assert abs(judged_secs - stream_secs) < 3


def test_projects_have_equal_slot_time_however_many_runs_they_have() -> None:
    many: list[Submitted] = [(0, "A", (5,) * 60)] * 5
    *_, end = ends(1, [*many, (0, "B", (5,) * 20)], BATCH)
    assert 195 <= end <= 210


@pytest.mark.parametrize("priority", Priority)
def test_runs_of_a_project_have_equal_slot_time_however_long_their_cases_are(priority: Priority) -> None:
    end, other = ends(1, [(0, "A", (10,) * 6), (0, "A", (1,) * 60)], priority)
    assert max(end, other) == 120
    assert min(end, other) >= 110


def test_a_project_that_comes_back_has_no_credit_and_one_that_was_alone_no_debt() -> None:
    *_, end = ends(1, [(0, "B", (1,)), (0, "A", (2,) * 600), (1_000, "B", (2,) * 50)], BATCH)
    assert 1_196 <= end <= 1_206


def test_a_project_with_less_work_than_its_share_gets_little_credit() -> None:
    slot_time, (few, *many) = SlotTime(), slot_requests(("A", INTERACTIVE), *[("B", INTERACTIVE)] * 3)
    for run in (few, *many):
        slot_time.arrive(run)
    slot_time.advance(3_600, [few, *many[:2]], many[2:])
    for run in (few, *many[:2]):
        slot_time.arrive(run)
    assert slot_time.start_tag("B") - slot_time.start_tag("A") <= 2 * MOST_LAG_SECS


def test_projects_that_have_ended_are_forgotten() -> None:
    slot_time, (stays,) = SlotTime(), slot_requests(("stays", INTERACTIVE))
    slot_time.arrive(stays)
    for number in range(100):
        run = SlotRequest(str(number), INTERACTIVE)
        slot_time.arrive(run)
        slot_time.advance(1, [run], [stays])
    slot_time.advance(100, [stays], [])
    assert [*slot_time._projects] == ["stays"]
    slot_time.advance(1, [], [])
    assert not slot_time._projects
