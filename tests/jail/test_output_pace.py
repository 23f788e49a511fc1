"""The supervisor's reads of a program that writes one byte at a time, beside those without the pause."""

import pytest

from sandbox_runtime.jail import Slot
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.jail.supervisor import run_io
from sandbox_runtime.languages import LANGUAGES
from tests.until import until

WRITES = 3000
PROGRAM = f"""
import os, time
for _ in range({WRITES}):
    os.write(1, b"x")
    time.sleep(0.0001)
"""
PYTHON = next(language for language in LANGUAGES if language.name == "python")


def reads_of(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Outcome]:
    count = 0
    read = run_io.Capture.read

    def counted(capture: run_io.Capture) -> None:
        nonlocal count
        count += 1
        read(capture)

    monkeypatch.setattr(run_io.Capture, "read", counted)
    spec = JailSpec((PYTHON.tools[0].guest_path, "-c", PROGRAM), PYTHON.profiles["judge"].ceiling)
    outcome = slot.run(spec)
    monkeypatch.setattr(run_io.Capture, "read", read)
    assert (outcome.exit_code, outcome.stdout) == (0, b"x" * WRITES)
    return count, outcome


def test_a_program_that_writes_bytes_costs_its_supervisor_few_reads(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced, outcome = reads_of(slot, monkeypatch)
    assert paced <= 64 + outcome.wall_usec / 10_000 + 8
    monkeypatch.setattr(run_io, "_FREE_READS", 1 << 30)
    # Again where this process gets the CPU so seldom that it finds many bytes at a time.
    until(lambda: reads_of(slot, monkeypatch)[0] > WRITES / 2)
