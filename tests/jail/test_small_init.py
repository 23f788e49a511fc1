"""Process 1 as a program of its own: its code, its rights while a guest runs, and its death."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox_runtime.jail import JailError, JailSpec, Outcome, Slot, SlotConfig, StopReason, open_slot
from sandbox_runtime.jail.inside.small_init import INIT_FILE, START_SOURCE
from sandbox_runtime.jail.supervisor.launch import Launch
from sandbox_runtime.languages import init_program, preparation, run_spec, warm_start
from sandbox_runtime.languages.preparation import build_init
from sandbox_runtime.languages.python import INTERPRETER, PYTHON
from tests.jail.decided import decided_outcome
from tests.jail.processes import status_of
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS
from tests.until import until

_JUDGE = PYTHON.run_limits("judge")
LIMITS = replace(_JUDGE, cpu_time_secs=4 * SLOWNESS, wall_time_secs=7 * SLOWNESS)
SLEEP = JailSpec(("/usr/bin/sleep", "100"), LIMITS)


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    with open_slot(slot_config("small-init", 52)) as opened:
        yield opened


def python(code: str) -> JailSpec:
    return JailSpec((INTERPRETER, "-c", code), LIMITS)


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
    """Give init and the outcome of its run. The end of the block cancels the run."""
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
        yield until(lambda: inits_of(template_pid))[0], ends
    finally:
        os.close(write_end)
        thread.join()
        os.close(read_end)


def test_the_executable_has_one_segment_that_nobody_can_write_to(tmp_path: Path) -> None:
    build_init(tmp_path)
    command = ["/usr/bin/readelf", "--wide", "--program-headers", str(tmp_path / INIT_FILE)]
    shown = subprocess.run(command, capture_output=True, check=True, text=True)
    assert shown.stderr == ""
    rows = [line.split() for line in shown.stdout.splitlines() if line.strip().startswith(("LOAD", "GNU_STACK"))]
    assert [(row[0], "".join(row[6:-1])) for row in rows] == [("LOAD", "RE"), ("GNU_STACK", "RW")]
    assert (tmp_path / INIT_FILE).stat().st_size < 4096  # a page


def test_without_a_compiler_nothing_is_built_and_runs_fork_their_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_INIT_COMPILER", str(tmp_path / "no compiler"))
    built = init_program(str(tmp_path))
    assert built == ""
    with open_slot(SlotConfig("small-init-none", 50, small_init=built)) as slot:
        outcome = slot.run(python("import os; print(os.getpid(), os.getppid())"))
    assert (outcome.stdout, outcome.evidence.controls_missing) == (b"2 1\n", ())


def test_a_directory_without_the_files_opens_no_slot(tmp_path: Path) -> None:
    with pytest.raises(JailError, match="load init"):
        open_slot(SlotConfig("small-init-lost", 50, small_init=str(tmp_path)))


def test_init_has_nothing_left_while_a_guest_runs(slot: Slot) -> None:
    # The template stands in the run's net, ipc and uts namespaces until it is over, see `NextNamespaces`.
    outer = {"pid": Path("/proc") / str(slot.template_pid), "mnt": Path("/proc") / str(slot.template_pid)}
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
        assert namespace != (outer.get(name, Path("/proc/self")) / "ns" / name).readlink()
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
def test_init_reports_the_end_of_the_program(slot: Slot, code: str, expected: tuple[int | None, int | None]) -> None:
    outcome = slot.run(replace(python(code), limits=replace(LIMITS, max_processes=200)))
    assert (outcome.exit_code, outcome.signal) == expected
    assert outcome.stop_reason is StopReason.NONE
    assert outcome.evidence.cleanup_verified
    assert outcome.evidence.controls_missing == ()


def test_remaining_processes_die_with_init(slot: Slot) -> None:
    code = "import os, time\nif os.fork() == 0:\n os.setsid(); os.close(1); os.close(2); time.sleep(100)\nprint(1)"
    outcome = slot.run(python(code))
    assert (outcome.stdout, outcome.exit_code) == (b"1\n", 0)
    assert outcome.evidence.cleanup_verified
    assert not inits_of(slot.template_pid)


def test_init_killed_from_outside_is_our_failure_and_not_the_guests() -> None:
    with open_slot(slot_config("small-init-dies", 53)) as slot:
        with running(slot, SLEEP) as (init, ends):
            os.kill(int(init.name), signal.SIGKILL)
            until(lambda: ends)
        (end,) = ends
        assert isinstance(end, JailError)
        assert not slot.healthy


def test_a_template_that_dies_takes_init_and_the_guest_with_it() -> None:
    with open_slot(slot_config("small-init-orphan", 54)) as slot:
        template_pid = slot.template_pid
        with running(slot, SLEEP) as (init, ends):
            os.kill(template_pid, signal.SIGKILL)
            until(lambda: not init.exists())
            until(lambda: ends)
        assert isinstance(ends[0], JailError)


# As process 1 of a container has it: what loses its parent becomes its child.
_IN_A_CONTAINER = """
import ctypes, os, signal, threading
from pathlib import Path
from sandbox_runtime.jail import JailError, open_slot
from tests.jail.test_small_init import SLEEP, running, slot_config
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
with open_slot(slot_config("small-init-heir", 57)) as slot:
    template_pid = slot.template_pid
    with running(slot, SLEEP) as (init, ends):
        os.kill(template_pid, signal.SIGKILL)
        while not ends:
            threading.Event().wait(0.01)
    assert isinstance(ends[0], JailError)
print(*[name.read_text() for name in Path("/proc/self/task").glob("*/children")])
"""


def test_a_runner_that_inherits_an_orphaned_init_leaves_no_zombie() -> None:
    ended = subprocess.run([sys.executable, "-c", _IN_A_CONTAINER], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "", "")


def test_an_inherited_init_that_is_not_gone_yet_is_waited_for() -> None:
    ending = os.posix_spawn("/bin/sleep", ["sleep", "0.2"], {})
    launch: Any = object.__new__(Launch)
    launch.run_io = launch.status = SimpleNamespace(close=lambda: None)
    launch.box = launch._command_socket = None
    launch._pidfd = os.pidfd_open(ending)
    launch.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(ending, os.WNOHANG)


def test_a_group_that_cannot_be_entered_ends_the_run_before_there_is_a_guest() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open_slot(slot_config("small-init-refused", 55)) as slot:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slot._groups, "init_entry_fds", (write_end,))
            with pytest.raises(JailError):
                slot.run(python("print(1)"))
        assert not slot.healthy
    os.close(write_end)


@pytest.mark.parametrize("count", [0, 2])
def test_other_than_one_group_for_init_is_refused_before_there_is_a_guest(count: int) -> None:
    with open_slot(slot_config("small-init-groups", 51)) as slot, pytest.MonkeyPatch.context() as patch:
        patch.setattr(slot._groups, "init_entry_fds", tuple(slot._groups.init_entry_fds) * count)
        with pytest.raises(JailError, match="enter groups"):
            slot.run(python("print(1)"))


def test_an_artifact_is_read_after_the_python_init_too(slot: Slot) -> None:
    spec = replace(python("open('made', 'w').write('x')"), artifact="made", artifact_max_bytes=10)
    assert slot.run(spec).artifact == b"x"
    assert slot.run(python("print(2)")).stdout == b"2\n"


def late_init(folder: Path) -> str:
    """An init that waits a second and a half before it gives up its rights: still root, in the template's memory."""
    source = START_SOURCE.read_text()
    call = "    give_up_identity(order->init_id);"
    assert source.count(call) == 1
    pause = "    long pause[] = {1, 500000000};\n    must(call(__NR_nanosleep, (long)pause, 0, 0, 0, 0), 0);\n"
    late = folder / "late.c"
    late.write_text(source.replace(call, pause + call))
    build_init(folder, start=late)
    return str(folder)


def test_no_guest_runs_before_init_has_dropped_its_rights(tmp_path: Path) -> None:
    wall_secs = 1.4 * SLOWNESS
    short = replace(LIMITS, wall_time_secs=wall_secs)
    with open_slot(
        slot_config("small-init-late", 56, warm=warm_start([PYTHON]), small_init=late_init(tmp_path))
    ) as slot:
        for spec in (
            replace(python("print(1)"), limits=short),
            run_spec(PYTHON, b"print(1)", None, limits=short, stdin=b""),
        ):
            outcome = decided_outcome(partial(slot.run, spec))
            assert (outcome.stdout, outcome.stop_reason) == (b"1\n", StopReason.NONE)
            # It is the guest's own time that counts, and it had not begun.
            assert outcome.own_wall_usec < wall_secs * 1_000_000


@pytest.mark.parametrize("umask", [0o027, 0o077, 0o777])
def test_a_runner_with_a_narrow_umask_runs_programs(umask: int) -> None:
    before = os.umask(umask)
    try:
        with open_slot(slot_config("small-init-umask", 57)) as slot:
            assert slot.run(python("print(3)")).stdout == b"3\n"
    finally:
        os.umask(before)


def test_a_host_where_no_process_may_make_code_runs_programs() -> None:
    """PR_SET_MDWE of prctl(2), which children inherit, is set in a process of its own."""
    code = """
import ctypes
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0
from tests.jail.test_small_init import open_slot, python, slot_config
with open_slot(slot_config("small-init-mdwe", 58)) as slot:
    outcome = slot.run(python("import os; print(os.getpid(), os.getppid())"))
    assert outcome.evidence.controls_missing == (), outcome
    print(outcome.stdout)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ran.stdout, ran.returncode) == (b"b'2 1\\n'\n", 0), ran.stderr


def test_the_main_thread_gets_its_processor_number() -> None:
    """By rseq(2), whose registration a process loses that was made by CLONE_VM."""
    code = (
        b"import ctypes, os\nlibc = ctypes.CDLL(None)\ncpus = sorted(os.sched_getaffinity(0))[:2]\n"
        b"for cpu in cpus * 2:\n os.sched_setaffinity(0, {cpu})\n assert libc.sched_getcpu() == cpu\nprint(len(cpus))\n"
    )
    with open_slot(slot_config("small-init-rseq", 59, warm=warm_start([PYTHON]))) as slot:
        for _ in range(3):  # forked, then pre-warmed ones
            outcome = slot.run(run_spec(PYTHON, code, None, limits=LIMITS, stdin=b""))
            assert (outcome.stdout, outcome.stderr) == (b"2\n", b"")


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "debug"])
def test_filling_holes_ends_with_any_allocator(allocator: str) -> None:
    code = "from sandbox_runtime.jail.python_fork.fork import keep_shared; keep_shared(); print(7)"
    environment = {"PYTHONMALLOC": allocator, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=60)
    assert ran.stdout == b"7\n"
