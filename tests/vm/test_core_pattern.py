"""The memory of a crashed guest: the core limit stops files, and nothing stops a program of the host."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox_runtime.jail import HostFacts, JailSpec, Limits, Slot, advice, open_slot, read_facts
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS
from tests.jail.weakened.slots import WeakenedSlot
from tests.until import until

PATTERN = Path("/proc/sys/kernel/core_pattern")
LIMITS = Limits(4 * SLOWNESS, 20 * SLOWNESS, 64 << 20, 8, 32, 1 << 20, 4096)
# A path of the pattern is looked up where the crashed process lives.
CRASH = JailSpec(argv=("/bin/sh", "-c", "sh -c 'kill -SEGV $$'; ls /tmp"), limits=LIMITS)


@pytest.fixture
def set_pattern() -> Iterator[Callable[[str], object]]:
    before = PATTERN.read_text()
    yield PATTERN.write_text
    PATTERN.write_text(before)


@pytest.fixture
def slot() -> Iterator[Slot]:
    with open_slot(slot_config("crashing", 5)) as opened:
        yield opened


def warnings(facts: HostFacts) -> list[str]:
    return [sentence for sentence in advice(facts, None) if "core_pattern" in sentence]


def test_no_memory_of_a_crashed_guest_comes_into_a_file(slot: Slot, set_pattern: Callable[[str], object]) -> None:
    set_pattern("/tmp/core")
    assert slot.run(CRASH).stdout == b""
    assert warnings(read_facts()) == []


def test_a_crash_writes_memory_into_a_file_without_the_limit(set_pattern: Callable[[str], object]) -> None:
    set_pattern("/tmp/core")
    with WeakenedSlot(slot_config("dumping", 6), "rlimits") as weakened:
        assert weakened.run(CRASH).stdout.startswith(b"core")


def test_a_program_that_cores_are_piped_to_is_started_as_root_and_doctor_says_so(
    slot: Slot, set_pattern: Callable[[str], object], tmp_path: Path
) -> None:
    taken, helper = tmp_path / "taken", tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\ncat >{tmp_path}/core\nid -u >{taken}.new\nmv {taken}.new {taken}\n")
    helper.chmod(0o755)
    set_pattern(f"|{helper}")
    assert slot.run(CRASH).stdout == b""
    until(taken.exists)
    assert taken.read_text() == "0\n"
    assert (tmp_path / "core").read_bytes().startswith(b"\x7fELF")
    assert len(warnings(read_facts())) == 1
