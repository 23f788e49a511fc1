"""A Python program that is forked from a warm interpreter behaves as under `python3 -u solution.py`.

Every program under `interpreter/` runs in the jail three times: by a fresh exec of the interpreter, by a fork of the
template, and in a pre-warmed child. Exit code, signal, stdout and stderr must be the same, byte for byte.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailSpec, Outcome, Slot, open_slot
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.languages.specs import prewarm_spec, run_spec, warm_start
from tests.choice import IS_QUICK
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS

PROGRAMS = sorted((Path(__file__).parents[1] / "guests" / "interpreter").glob("*.py"))
STDIN = "first line\nsecond line: ünïcödé\n\nlast without end".encode()
ADDRESS = re.compile("0x[0-9a-f]{6,}")
_OWN = PYTHON.run_limits("judge")
LIMITS = replace(_OWN, cpu_time_secs=_OWN.cpu_time_secs * SLOWNESS, wall_time_secs=_OWN.wall_time_secs * SLOWNESS)


@pytest.fixture(scope="module")
def cold() -> Iterator[Slot]:
    with open_slot(slot_config("cold", 41)) as opened:
        yield opened


@pytest.fixture(scope="module")
def warm() -> Iterator[Slot]:
    with open_slot(slot_config("warm", 42, warm=warm_start([PYTHON]))) as opened:
        yield opened


def spec_of(code: bytes, stdin: bytes = STDIN) -> JailSpec:
    return run_spec(PYTHON, code, None, limits=LIMITS, stdin=stdin)


def seen(outcome: Outcome) -> tuple[object, ...]:
    assert outcome.evidence.controls_missing == ()
    streams = [ADDRESS.sub("0x0", stream.decode(errors="replace")) for stream in (outcome.stdout, outcome.stderr)]
    return outcome.exit_code, outcome.signal, outcome.stop_reason, *streams


def test_there_are_programs_enough() -> None:
    assert len(PROGRAMS) >= 170


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_warm_interpreter_shows_the_same_as_a_fresh_one(cold: Slot, warm: Slot, program: Path) -> None:
    spec = spec_of(program.read_bytes())
    expected = seen(cold.run(spec))
    if not IS_QUICK:  # a pre-warmed child is forked in the same way
        assert seen(warm.run(spec)) == expected
    prewarmed = prewarm_spec([PYTHON])
    assert prewarmed is not None
    warm.prewarm(replace(prewarmed, limits=LIMITS))
    assert seen(warm.run(spec)) == expected


def test_a_program_of_the_python_init_has_its_own_thread_id_too() -> None:
    program = next(path for path in PROGRAMS if path.stem == "thread_ids")
    with open_slot(slot_config("python-init-ids", 43, warm=warm_start([PYTHON]), small_init="")) as slot:
        outcome = slot.run(spec_of(program.read_bytes()))
    assert (outcome.exit_code, outcome.stdout) == (0, b"True True\nTrue\n")


def test_without_input_it_is_the_same(cold: Slot, warm: Slot) -> None:
    spec = spec_of(b"import sys\nprint(repr(sys.stdin.read()))\ninput()\n", b"")
    assert seen(warm.run(spec)) == seen(cold.run(spec))


def test_another_environment_starts_a_fresh_interpreter(warm: Slot) -> None:
    spec = replace(spec_of(b"import os\nprint(os.environ['OWN'])\n"), environment=(("OWN", "yes"),))
    assert warm.run(spec).stdout == b"yes\n"
