"""Slots are shared fairly between projects, in every order of arrivals and ends."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.worker.slots.fair_share import NEWCOMER_SLOTS, Priority, SlotRequest, choose

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

    @property
    def held(self) -> Counter[str]:
        return Counter(request.project_id for request in self.running)

    @property
    def share(self) -> float:
        return self.slots / max(1, len({request.project_id for request in self.waiting + self.running}))

    def arrive(self, project_id: str, priority: Priority) -> None:
        self.waiting.append(SlotRequest(project_id, priority))

    def start_one(self) -> SlotRequest | None:
        chosen = choose(self.waiting, self.held, self.slots)
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
        if isinstance(step, tuple):
            host.arrive(*step)
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
            host.arrive(name, INTERACTIVE)
        while check_start(host):
            pass
    for end in ends:
        host.running.pop(end % len(host.running))
        while check_start(host):
            pass
    held = host.held
    # One run ends at a time, so the greatest difference is one run.
    assert max(held.values()) - min(held[name] for name in names) <= 1


def test_a_single_project_fills_every_slot_and_no_more() -> None:
    host = Host(4)
    for _ in range(10):
        host.arrive("A", INTERACTIVE)
    while host.start_one():
        pass
    assert len(host.running) == 4


def test_a_project_without_a_run_starts_at_once_on_a_full_host() -> None:
    assert choose(slot_requests(("A", INTERACTIVE), ("B", INTERACTIVE)), {"A": 2}, 2) is not None
    (newcomer,) = slot_requests(("B", INTERACTIVE))
    assert choose([newcomer], {"A": 2}, 2) is newcomer
    assert choose([newcomer], {"A": 2, "C": 1}, 2) is None
    assert choose(slot_requests(("B", BATCH)), {"A": 2}, 2) is None


def test_batch_work_goes_before_the_interactive_work_of_a_project_that_has_its_share() -> None:
    flood, batch = slot_requests(("A", INTERACTIVE), ("B", BATCH))
    assert choose([flood, batch], {"A": 1}, 2) is batch
    assert choose([flood, batch], {"A": 1}, 4) is flood


def test_batch_work_leaves_the_last_of_several_slots_free() -> None:
    (batch,) = slot_requests(("A", BATCH))
    assert choose([batch], {"A": 1}, 3) is batch
    assert choose([batch], {"A": 2}, 3) is None
    assert choose([batch], {}, 1) is batch


def test_within_a_project_interactive_work_goes_first_then_the_oldest() -> None:
    batch, first, second = slot_requests(("A", BATCH), ("A", INTERACTIVE), ("A", INTERACTIVE))
    assert choose([batch, first, second], {}, 2) is first
    assert choose([second, first], {}, 2) is second
