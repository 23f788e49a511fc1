"""The collection of hostile programs: large enough, without copies, every threat and every control in it."""

import re
from collections import Counter
from pathlib import Path

import pytest

from sandbox_runtime.jail import Slot
from sandbox_runtime.jail.spec import JailSpec, Limits
from tests.jail.hostile.catalogue import CONTROLS, FOLDER, SUFFIXES, HeaderError, all_programs, parse

PROGRAMS = all_programs()
# Attacks that make sense wherever there are files, processes, memory and a network.
IN_EVERY_LANGUAGE = {
    *("burn_cpu", "burn_cpu_threads", "closed_streams", "connect_out", "connect_runner", "deep_recursion"),
    *("descriptor_bomb", "descriptors", "environment", "error_flood", "execute_from_tmp", "file_size", "group_path"),
    *("host_name", "identity", "inode_bomb", "kill_everything", "leave_markers", "memory_child", "memory_heap"),
    *("memory_tmpfs", "orphan_holds_stdout", "other_processes", "output_flood", "own_limits", "planted_links"),
    *("process_bomb", "read_host_files", "read_proc", "resolve_name", "sleep", "thread_bomb", "write_init"),
    "write_outside",
}
# T3, T4: not in the list. T15: complete output, test_languages. T18: test_reuse. T19: limits of requests, unit tests.
# T30: equal random numbers, test_hostile_neighbours.
ELSEWHERE = {3, 4, 15, 18, 19, 30}
COMMENT = re.compile(r"^\s*(# |//|-- ).*$", re.MULTILINE)


def normalised(path: Path) -> str:
    return re.sub(r"\s+", "", COMMENT.sub("", path.read_text()))


def test_there_are_enough_programs_and_attacks() -> None:
    assert len(PROGRAMS) >= 200
    assert len({program.attack for program in PROGRAMS}) >= 60


def test_every_file_is_a_program_of_the_collection() -> None:
    files = {path for path in FOLDER.rglob("*") if path.is_file()}
    assert files == {program.path for program in PROGRAMS}


@pytest.mark.parametrize("language", SUFFIXES)
def test_every_language_has_the_attacks_that_make_sense_in_all(language: str) -> None:
    assert {program.attack for program in PROGRAMS if program.language == language} >= IN_EVERY_LANGUAGE


def test_no_program_is_a_copy_of_another() -> None:
    counted = Counter(normalised(program.path) for program in PROGRAMS)
    assert [text for text, times in counted.items() if times > 1] == []
    trivial = [text for text in counted if len(text) < 25]  # "for (;;) {}" proves nothing that others do not
    assert trivial == []


def test_every_threat_has_a_program() -> None:
    assert {threat for program in PROGRAMS for threat in program.threats} == set(range(1, 32)) - ELSEWHERE


def test_every_control_has_a_program_against_it_alone(slot: Slot) -> None:
    limits = Limits(2, 5, 64 << 20, 4, 16, 1 << 20, 4096)
    evidence = slot.run(JailSpec(argv=("/usr/bin/true",), limits=limits)).evidence
    attacked = {program.control for program in PROGRAMS}
    assert set(CONTROLS) == attacked - {None}
    # Nothing inside tells a user id of its own, on which other_processes and the limit on processes rest. An attack on
    # the share of the CPUs needs a second run as its victim: test_cpu_share.
    assert set(evidence.controls_applied) - {"dedicated_user", "cpu_share"} <= attacked


def test_most_programs_prove_themselves() -> None:
    """The others say why they cannot, in their third line."""
    assert sum(program.control is not None for program in PROGRAMS) >= len(PROGRAMS) * 0.7


@pytest.mark.parametrize(
    "text",
    [
        *("print(1)\n", "# expect: AC\nprint(1)\n", "# attack: T1 name: what\n# expect: OK\n"),
        "# expect: OK\n# attack: T1 name: what\n# control: seccomp\n",
        "# expect: AC\n# attack: T1 other: what\n# control: seccomp\n",
        "# expect: AC\n# attack: name: what\n# control: seccomp\n",
        "# expect: AC\n# attack: T1 name: what\n# control: nothing\n",
        *("# expect: AC\n# attack: T1 name: what\nprint(1)\n", "# expect: AC\n# attack: T1 name: what\n# alone:\n"),
        "# expect: AC\n# attack: T1 name: what\n\n# control: seccomp\n",
    ],
)
def test_a_header_that_breaks_the_rules_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "name.py"
    path.write_text(text)
    with pytest.raises(HeaderError):
        parse("python", path)
    path.write_text("# expect: AC\n# attack: T1 name: what\n# alone: a reason\n")
    assert parse("python", path).control is None
