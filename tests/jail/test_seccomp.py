"""The filters on the real kernel: every call number, every language's library, and process 1."""

import errno
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from sandbox_runtime.jail import FilterFamily, GuestFile, JailSpec, Slot, StopReason
from sandbox_runtime.jail.controls.seccomp.filters import INIT, SIMPLE_RULES, UNKNOWN, call_numbers, read_policy
from sandbox_runtime.languages import LANGUAGES, Language, compile_spec
from tests.choice import whole_but
from tests.guest_files import guest
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS, SMALL
from tests.jail.weakened.slots import WeakenedSlot

Run = Callable[..., ExecutionCompleted]
Answers = dict[int, tuple[int | None, int | None]]  # 0 or -errno for all arguments -1 and all 0; None: no answer

ROOT = Path(__file__).parents[2]
WORKLOADS = Path(__file__).parents[1] / "guests" / "workloads"
NUMBERS = call_numbers()[platform.machine()]
POLICY = read_policy()
REFUSED = {-errno.EPERM, -errno.ENOSYS}
LIMITS = replace(
    SMALL,
    cpu_time_secs=15 * SLOWNESS,
    wall_time_secs=60 * SLOWNESS,
    memory_bytes=256 << 20,
    max_processes=16,
    max_open_files=32,
    output_bytes=1 << 20,
)
# Calls that the kernel itself refuses here with these arguments, so that the filter's answer cannot be told from its.
REFUSED_BY_THE_KERNEL_TOO = {"setgroups"}
# uretprobe(2) and uprobe(2): newer kernels ask no filter about them. They serve the kernel's own trampolines, and
# called from anywhere else they kill the caller, or fail with ENXIO.
ASKED_OF_NO_FILTER = {335, 336} if platform.machine() == "x86_64" else set()
CHOSEN = [language for language in LANGUAGES if language.name in CHOSEN_LANGUAGES]
HARMLESS = {(None, None), (-errno.ENXIO, -errno.ENXIO), (-errno.ENOSYS, -errno.ENOSYS)}


def texts(completed: ExecutionCompleted) -> tuple[str, str]:
    return completed.stdout.inline.decode(), completed.stderr.inline.decode()


# --- every number ---


@pytest.fixture(scope="module")
def probe(slot: Slot, languages: Mapping[str, Language]) -> bytes:
    """The compiled probe."""
    c = languages["c"]
    assert c.compile is not None
    compiled = slot.run(compile_spec(c, c.compile, (WORKLOADS / "probe_calls.c").read_bytes()))
    assert compiled.artifact is not None, compiled.stderr
    return compiled.artifact


def answers_of(slot: Slot, probe: bytes, family: FilterFamily) -> Answers:
    spec = JailSpec(("/box/probe",), LIMITS, files=(GuestFile("probe", probe, executable=True),), family=family)
    outcome = slot.run(spec)
    assert (outcome.exit_code, outcome.stop_reason, outcome.stderr) == (0, StopReason.NONE, b"")
    found: Answers = {}
    for line in outcome.stdout.decode().splitlines():
        number, *answers = line.split()
        first, second = (None if answer == "none" else int(answer) for answer in answers)
        found[int(number)] = (first, second)
    return found


@pytest.fixture(scope="module")
def unfiltered(probe: bytes) -> Iterator[Answers]:
    """The answer of the kernel itself in the jail."""
    with WeakenedSlot(slot_config("unfiltered", 40), "seccomp") as slot:
        yield answers_of(slot, probe, FilterFamily.NATIVE)


def _is_right(rule: str, found: tuple[int | None, int | None], kernel: tuple[int | None, int | None]) -> bool:
    expected = {UNKNOWN: -errno.ENOSYS, "absent": -errno.ENOSYS, "deny": -errno.EPERM, "noop": 0}
    if rule in expected:
        return found == (expected[rule], expected[rule])
    # A call that goes through is refused only where the kernel refuses it too.
    return all(answer not in REFUSED or answer == own for answer, own in zip(found, kernel, strict=True))


@pytest.mark.parametrize("family", FilterFamily)
def test_every_call_number_is_answered_as_the_policy_says(
    slot: Slot, probe: bytes, unfiltered: Answers, family: FilterFamily
) -> None:
    rules = POLICY.by_number(family, NUMBERS)
    found = answers_of(slot, probe, family)
    assert sorted(found) == list(range(601))
    # Calls with a check are judged below: their answer depends on the arguments.
    wrong = {
        number: (rules.get(number, UNKNOWN), answers, unfiltered[number])
        for number, answers in found.items()
        if rules.get(number, UNKNOWN) in {*SIMPLE_RULES, UNKNOWN}
        and not _is_right(rules.get(number, UNKNOWN), answers, unfiltered[number])
    }
    assert set(wrong) <= ASKED_OF_NO_FILTER, wrong
    assert {found[number] for number in ASKED_OF_NO_FILTER} <= HARMLESS
    names = {number: name for name, number in NUMBERS.items()}
    undecided = {
        names[number]
        for number, rule in rules.items()
        if rule == "allow" and all(answer in REFUSED for answer in found[number])
    }
    assert undecided <= REFUSED_BY_THE_KERNEL_TOO


def test_calls_with_a_check_are_answered_by_their_arguments(slot: Slot, probe: bytes) -> None:
    found = answers_of(slot, probe, FilterFamily.NATIVE)
    assert found[NUMBERS["clone"]][0] == -errno.EPERM, "every namespace flag is set"
    assert found[NUMBERS["clone"]][1] == 0, "no flag at all is a fork"
    assert found[NUMBERS["personality"]] == (0, 0), "a query, and the ordinary one"
    assert found[NUMBERS["prctl"]] == (-errno.EPERM, -errno.EPERM)
    assert found[NUMBERS["socket"]] == (-errno.EAFNOSUPPORT, -errno.EAFNOSUPPORT)
    assert found[NUMBERS["ioctl"]] == (-errno.ENOTTY, -errno.ENOTTY)


def test_without_the_filter_the_kernel_answers_many_calls_that_the_policy_refuses(unfiltered: Answers) -> None:
    rules = POLICY.by_number(FilterFamily.NATIVE, NUMBERS)
    denied = {number for number, rule in rules.items() if rule == "deny"}
    reached = {number for number in denied if set(unfiltered[number]) - REFUSED}
    assert len(reached) > 15, "the comparison above would prove little"


def test_the_table_of_numbers_is_that_of_the_machines_own_headers(run: Run) -> None:
    lines = "".join(f'#ifdef __NR_{name}\n    printf("{name} %d\\n", __NR_{name});\n#endif\n' for name in NUMBERS)
    completed = run("c", f"#include <stdio.h>\n#include <sys/syscall.h>\nint main(void) {{\n{lines}}}\n")
    assert completed.result.verdict == "AC", texts(completed)
    printed = {name: int(number) for name, number in map(str.split, texts(completed)[0].splitlines())}
    assert len(printed) > 300
    assert printed == {name: NUMBERS[name] for name in printed}


# --- every language's library ---


# One of each family.
@pytest.mark.parametrize(
    "language",
    whole_but(CHOSEN, {language.family: language for language in reversed(CHOSEN)}.values()),
    ids=lambda language: language.name,
)
def test_the_standard_library_works_under_the_familys_filter(run: Run, language: Language) -> None:
    source = (WORKLOADS / "standard_library").with_suffix(Path(language.file_name).suffix)
    completed = run(language.name, source.read_bytes())
    stdout, stderr = texts(completed)
    assert (completed.result.verdict, completed.result.cause) == ("AC", "normal_exit"), (stdout, stderr)
    parts = stdout.splitlines()
    assert len(parts) >= 4
    assert [part for part in parts if not part.startswith("ok ")] == []
    assert completed.evidence is not None
    assert "seccomp" in completed.evidence.controls_applied


# --- process 1 ---


def _guests(uid: int) -> list[Path]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid == uid:
                found.append(entry)
        except FileNotFoundError:
            continue
    return found


def _status(process: Path) -> dict[str, str]:
    lines = (process / "status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _wait_for[T](look: Callable[[], T | None]) -> T:
    """Bounded by the test's own time limit."""
    pause = threading.Event()
    while (found := look()) is None:
        pause.wait(0.01)
    return found


def test_init_is_filtered_and_without_new_privileges_while_a_guest_runs() -> None:
    read_end, write_end = os.pipe()
    spec = JailSpec(("/bin/sleep", "100"), LIMITS)
    with Slot(slot_config("watched", 41)) as slot:
        running = threading.Thread(target=lambda: slot.run(spec, cancel_fd=read_end))
        running.start()
        try:
            guest = _wait_for(lambda: next(iter(_guests(slot.uid)), None))
            init = Path("/proc") / _status(guest)["PPid"]
            # The program may be seen before init, which started it, has come to its filter.
            own = int(_status(Path("/proc/self"))["Seccomp_filters"])  # a container's
            status = _wait_for(lambda: found if int((found := _status(init))["Seccomp_filters"]) > own else None)
        finally:
            os.close(write_end)
            running.join()
            os.close(read_end)
    assert status["NSpid"].split()[-1] == "1"
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["Seccomp_filters"])) == ("1", "2", own + 1)
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


CONFINED_AS_INIT = guest("seccomp/confined_as_init.py")


def test_the_filter_of_init_lets_it_do_its_work_and_nothing_else() -> None:
    command = [sys.executable, "-I", "-c", CONFINED_AS_INIT, str(ROOT)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60 * SLOWNESS)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == repr([errno.EPERM])
    assert "clone" not in POLICY.rules[INIT]
