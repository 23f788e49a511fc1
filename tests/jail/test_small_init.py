"""Process 1 as a program of its own: what its code says, what is left of it while a guest runs, and how it dies."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, JailSpec, Outcome, Slot, SlotConfig, StopReason, open_slot
from sandbox_runtime.jail.seccomp import SMALL_INIT, build_programs
from sandbox_runtime.jail.small_init import image
from sandbox_runtime.jail.small_init_code import LISTINGS, source
from sandbox_runtime.languages.python import PYTHON
from tests.jail.weakened.limits import SLOWNESS

_JUDGE = PYTHON.run_limits("judge")
LIMITS = replace(_JUDGE, cpu_time_secs=4 * SLOWNESS, wall_time_secs=7 * SLOWNESS)
SLEEP = JailSpec(("/usr/bin/sleep", "100"), LIMITS)


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    with open_slot(SlotConfig("small-init", 52)) as opened:
        yield opened


def python(code: str) -> JailSpec:
    return JailSpec(("/usr/bin/python3.13", "-c", code), LIMITS)


def status_of(process: Path) -> dict[str, list[str]]:
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    return {key: value.split() for key, _, value in lines}


def until[T](look: Callable[[], T | None]) -> T:
    """Bounded by the test's own time limit."""
    pause = threading.Event()
    while (found := look()) is None:
        pause.wait(0.01)
    return found


def inits_of(template_pid: int) -> list[Path]:
    """Children of a template that have come to their filter."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            status = status_of(process) if process.name.isdigit() else {}
        except (FileNotFoundError, ProcessLookupError):
            continue
        if status.get("PPid") == [str(template_pid)] and status["Seccomp"] == ["2"]:
            found.append(process)
    return found


@contextmanager
def running(slot: Slot, spec: JailSpec) -> Iterator[tuple[Path, list[Outcome | JailError]]]:
    """(init, what the run ended with). The run is cancelled when the block is left."""
    read_end, write_end = os.pipe()
    ends: list[Outcome | JailError] = []

    def run() -> None:
        try:
            ends.append(slot.run(spec, cancel_fd=read_end))
        except JailError as error:
            ends.append(error)

    template_pid = slot.template_pid
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield until(lambda: next(iter(inits_of(template_pid)), None)), ends
    finally:
        os.close(write_end)
        thread.join()
        os.close(read_end)


@pytest.mark.parametrize("name", LISTINGS)
def test_the_bytes_are_what_an_assembler_makes_of_the_text_beside_them(name: str, tmp_path: Path) -> None:
    listing, code = LISTINGS[name]
    subprocess.run(["/usr/bin/as", "-o", "made.o", "-"], input=source(listing).encode(), cwd=tmp_path, check=True)
    subprocess.run(["/usr/bin/objcopy", "-O", "binary", "-j", ".text", "made.o", "made"], cwd=tmp_path, check=True)
    assert (tmp_path / "made").read_bytes() == code


def test_a_linker_s_tools_read_the_executable_as_it_was_meant(tmp_path: Path) -> None:
    (tmp_path / "init").write_bytes(image(build_programs()[SMALL_INIT]))
    command = ["/usr/bin/readelf", "--wide", "--program-headers", str(tmp_path / "init")]
    shown = subprocess.run(command, capture_output=True, check=True, text=True)
    assert shown.stderr == ""
    rows = [line.split() for line in shown.stdout.splitlines() if line.strip().startswith(("LOAD", "GNU_STACK"))]
    assert [(row[0], "".join(row[6:-1])) for row in rows] == [("LOAD", "RE"), ("GNU_STACK", "RW")]


def test_init_has_nothing_left_while_a_guest_runs(slot: Slot) -> None:
    template = Path("/proc") / str(slot.template_pid) / "ns"
    with running(slot, SLEEP) as (init, _):
        status = status_of(init)
        descriptors = sorted(entry.name for entry in (init / "fd").iterdir())
        target = (init / "fd" / "0").readlink().name
        namespaces = {name: (init / "ns" / name).readlink() for name in ("pid", "mnt", "net", "ipc", "uts")}
        writable = [line for line in (init / "maps").read_text().splitlines() if "w" in line.split()[1]]
        environment = (init / "environ").read_bytes()
    assert status["NSpid"][-1] == "1"
    assert len(set(status["Uid"] + status["Gid"])) == 1
    assert int(status["Uid"][0]) not in {0, slot.uid}
    assert {int(status[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["Groups"], status["NoNewPrivs"], status["Seccomp"]) == ([], ["1"], ["2"])
    assert (descriptors, target.partition(":")[0]) == (["0"], "socket")
    for name, namespace in namespaces.items():
        assert namespace != (template / name).readlink()
    assert [line.split()[-1] for line in writable] == ["[stack]"]
    assert (environment, int(status["VmRSS"][0]) < 100) == (b"", True)


def test_a_program_is_the_child_of_init_and_the_second_process(slot: Slot) -> None:
    assert slot.run(python("import os; print(os.getpid(), os.getppid())")).stdout == b"2 1\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", (7, None)),
        ("import os; os.kill(os.getpid(), 9)", (None, 9)),
        ("import os; os.kill(os.getpid(), 15)", (None, 15)),
        # Orphans that end before and after the program, one of them by a signal.
        ("import os, time\nfor n in range(50):\n if os.fork() == 0: os.fork(); os._exit(3)\nos._exit(5)", (5, None)),
        ("import os\nif os.fork() == 0: os.setsid(); os.fork(); os.kill(os.getpid(), 11)\nos._exit(6)", (6, None)),
    ],
)
def test_the_programs_own_end_is_what_init_reports(
    slot: Slot, code: str, expected: tuple[int | None, int | None]
) -> None:
    outcome = slot.run(replace(python(code), limits=replace(LIMITS, max_processes=200)))
    assert (outcome.exit_code, outcome.signal) == expected
    assert outcome.stop_reason is StopReason.NONE
    assert outcome.evidence.cleanup_verified
    assert outcome.evidence.controls_missing == ()


def test_what_a_program_leaves_behind_dies_with_init(slot: Slot) -> None:
    code = "import os, time\nif os.fork() == 0:\n os.setsid(); os.close(1); os.close(2); time.sleep(100)\nprint(1)"
    outcome = slot.run(python(code))
    assert (outcome.stdout, outcome.exit_code) == (b"1\n", 0)
    assert outcome.evidence.cleanup_verified
    assert not inits_of(slot.template_pid)


def test_init_killed_from_outside_is_our_failure_and_not_the_guests() -> None:
    with open_slot(SlotConfig("small-init-dies", 53)) as slot:
        with running(slot, SLEEP) as (init, ends):
            os.kill(int(init.name), signal.SIGKILL)
            until(lambda: ends or None)
        (end,) = ends
        assert isinstance(end, JailError)
        assert not slot.healthy


def test_a_template_that_dies_takes_init_and_the_guest_with_it() -> None:
    with open_slot(SlotConfig("small-init-orphan", 54)) as slot:
        template_pid = slot.template_pid
        with running(slot, SLEEP) as (init, ends):
            os.kill(template_pid, signal.SIGKILL)
            until(lambda: None if init.exists() else True)
            until(lambda: ends or None)
        assert isinstance(ends[0], JailError)


def test_a_group_that_cannot_be_entered_ends_the_run_before_there_is_a_guest() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open_slot(SlotConfig("small-init-refused", 55)) as slot:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slot._groups, "init_entry_fds", (write_end,))
            with pytest.raises(JailError):
                slot.run(python("print(1)"))
        assert not slot.healthy
    os.close(write_end)


def test_what_init_has_to_copy_out_is_copied_by_the_other_one(slot: Slot) -> None:
    spec = replace(python("open('made', 'w').write('x')"), artifact="made", artifact_max_bytes=10)
    assert slot.run(spec).artifact == b"x"
    assert slot.run(python("print(2)")).stdout == b"2\n"
