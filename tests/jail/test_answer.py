"""An answer comes as soon as every process of the guest is dead; the clean-up of the run follows it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sandbox_runtime.jail import JailError, Slot, open_slot
from sandbox_runtime.languages import warm_start
from sandbox_runtime.languages.python import PYTHON
from tests.jail.hostile.host_state import host_state
from tests.jail.prewarmed import PREWARMED, good, python
from tests.jail.processes import processes_of
from tests.jail.slots import slot_config

# Children that close their streams, and that neither a group nor a session holds together.
LEAVES_CHILDREN = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        os.close(1)
        os.close(2)
        time.sleep(60)
print(42)
"""


@pytest.fixture
def own() -> Iterator[Slot]:
    with open_slot(slot_config("answer", 47, warm=warm_start([PYTHON]))) as opened:
        yield opened


@pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f600"])
def test_the_longest_arguments_of_a_case_reach_the_program(own: Slot, character: str) -> None:
    words = [f"{number:02}" + character * 1022 for number in range(64)]
    spec = python("import sys\nfor word in sys.argv[1:]: print(word)")
    printed = good(own.answer(replace(spec, argv=(*spec.argv, *words))))
    assert printed.decode().split() == words


@pytest.mark.parametrize("is_prewarmed", [False, True])
def test_all_processes_of_the_guest_are_dead_when_the_answer_comes(own: Slot, is_prewarmed: bool) -> None:  # noqa: FBT001
    for _ in range(10):
        if is_prewarmed:
            own.prewarm(PREWARMED)
        outcome = own.answer(python(LEAVES_CHILDREN))
        assert good(outcome) == b"42\n"
        assert processes_of(own.uid) == []
        assert outcome.evidence.leftover_processes == 0


def test_the_next_call_waits_for_the_end_of_the_last_run(own: Slot) -> None:
    assert good(own.run(python("print(0)"))) == b"0\n"
    before = host_state(own)
    for _ in range(10):
        assert good(own.answer(python("print(1)"))) == b"1\n"
        assert good(own.answer(python("print(2)"))) == b"2\n"
        own.prewarm(PREWARMED)
        assert good(own.answer(python("print(3)"))) == b"3\n"
    own.settle()
    assert host_state(own) == before


@pytest.mark.parametrize("step", ["settle", "prewarm", "answer"])
def test_a_slot_whose_last_run_does_not_end_is_not_used_again(
    own: Slot, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def never_ends() -> None:
        raise JailError("receive message", hint="timed out")

    assert good(own.answer(python("print(1)"))) == b"1\n"
    assert own._ending is not None
    monkeypatch.setattr(own._ending, "await_reaped", never_ends)
    calls: dict[str, Any] = {
        "settle": own.settle,
        "prewarm": lambda: own.prewarm(PREWARMED),
        "answer": lambda: own.answer(python("print(2)")),
    }
    with pytest.raises(JailError):
        calls[step]()
    assert not own.healthy
    with pytest.raises(JailError):
        own.run(python("print(3)"))


def test_closing_a_slot_ends_the_teardown_of_the_last_run(own: Slot) -> None:
    assert good(own.answer(python(LEAVES_CHILDREN))) == b"42\n"
    own.close()
    assert processes_of(own.uid) == []
