"""A program that ends at once when a fork was refused, before the group has counted one: PLE all the same."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from events.vocabulary import Phase, Verdict
from sandbox_runtime.classify import classify
from sandbox_runtime.jail import JailSpec, Slot, open_slot
from sandbox_runtime.jail.supervisor import watch
from sandbox_runtime.languages import run_spec, warm_start
from sandbox_runtime.languages.python import PYTHON
from tests.jail.changed_slots import OTHER_INIT, ChangedSlot
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS

# One in four was judged RE when the counters were read at once: of 20, all are PLE by chance once in 300 tries.
FORK_BOMB = "import os\nwhile True:\n  try: os.fork()\n  except OSError: raise SystemExit(1)"
TIMES = max(5, 20 // SLOWNESS)
FAILED_WITH_CHILDREN = (
    "import os, time\nfor _ in range({children}):\n  if os.fork() == 0: time.sleep(1000)\nos._exit({code})"
)
_NUMBERS = count(62)
_JUDGE = PYTHON.run_limits("judge")
LIMITS = replace(_JUDGE, cpu_time_secs=_JUDGE.cpu_time_secs * SLOWNESS, wall_time_secs=20 * SLOWNESS)


@pytest.fixture(scope="module", params=["small init", "other init"])
def slot(request: pytest.FixtureRequest) -> Iterator[Slot]:
    config = slot_config(f"late-{request.param[:5]}", next(_NUMBERS), warm=warm_start([PYTHON]))
    with open_slot(config) if request.param == "small init" else ChangedSlot(config, OTHER_INIT) as opened:
        yield opened


def python(code: str) -> JailSpec:
    return run_spec(PYTHON, code.encode(), None, limits=LIMITS, stdin=b"")


def test_a_fork_bomb_that_ends_when_it_is_refused_is_ple_every_time(slot: Slot) -> None:
    outcomes = [slot.run(python(FORK_BOMB)) for _ in range(TIMES)]
    assert [classify(outcome, Phase.RUN).verdict for outcome in outcomes] == [Verdict.PLE] * TIMES
    assert all(outcome.evidence.cleanup_verified for outcome in outcomes)
    following = slot.run(python("print('fine')"))
    assert (following.stdout, classify(following, Phase.RUN).verdict) == (b"fine\n", Verdict.AC)


@pytest.mark.parametrize("children", [1, 6])
@pytest.mark.parametrize(("code", "verdict"), [(0, Verdict.AC), (1, Verdict.RE)])
def test_remaining_processes_change_no_verdict_and_die(slot: Slot, children: int, code: int, verdict: Verdict) -> None:
    outcome = slot.run(python(FAILED_WITH_CHILDREN.format(children=children, code=code)))
    assert (classify(outcome, Phase.RUN).verdict, outcome.exit_code) == (verdict, code)
    assert (outcome.evidence.leftover_processes, outcome.evidence.cleanup_verified) == (0, True)


# What the others would do a second after the program has ended: none of it is the run's any more.
AFTERWARDS = {
    "takes memory": "x = b'x' * (200 << 20)",
    "forks": "try:\n   while True: os.fork()\n  except OSError: pass",
    "writes": "os.write(1, b'late')",
    "computes": "while True: pass",
}
# The last write end closes when the program ends.
WITH_OTHERS = """
import os, time
read_end, write_end = os.pipe()
for _ in range(3):
 if os.fork() == 0:
  os.close(write_end)
  os.read(read_end, 1)
  time.sleep(1)
  {action}
  time.sleep(1000)
os._exit(3)
"""


@pytest.mark.parametrize("what", AFTERWARDS)
def test_remaining_processes_do_nothing_after_the_end_of_the_program(
    slot: Slot, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    # If we only killed them at the end of this time, they would have done it.
    monkeypatch.setattr(watch, "_LONGEST_NS", 5 * SLOWNESS * 10**9)
    outcome = slot.run(python(WITH_OTHERS.format(action=AFTERWARDS[what])))
    assert (classify(outcome, Phase.RUN).cause, outcome.exit_code, outcome.stdout) == ("re_nonzero_exit", 3, b"")
    assert outcome.evidence.cleanup_verified
    assert outcome.cpu_usec < 1_000_000 * SLOWNESS  # three that compute for four seconds use more


def test_stopped_and_dead_processes_change_nothing(slot: Slot) -> None:
    code = (
        "import os, time\nfor n in range(6):\n if os.fork() == 0:\n  n % 2 or os.kill(os.getpid(), 19)\n  os._exit(0)\n"
        "time.sleep(0.05)\nos._exit(4)"
    )
    outcome = slot.run(python(code))
    assert (classify(outcome, Phase.RUN).verdict, outcome.exit_code) == (Verdict.RE, 4)
    assert outcome.evidence.cleanup_verified
