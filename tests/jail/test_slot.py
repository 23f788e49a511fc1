"""The slot as its user sees it: reuse, cancelling, artifacts, and leftovers of dead processes."""

import hashlib
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from events.vocabulary import Phase, Verdict
from sandbox_runtime.classify import classify
from sandbox_runtime.jail import (
    BindMount,
    GuestFile,
    JailError,
    JailSpec,
    Slot,
    StopReason,
    open_slot,
    remove_stale_groups,
)
from tests.jail.processes import processes_of
from tests.jail.slots import PYTHON, slot_config
from tests.jail.weakened.limits import SLOWNESS, SMALL
from tests.until import until

LIMITS = replace(
    SMALL,
    cpu_time_secs=2 * SLOWNESS,
    wall_time_secs=10 * SLOWNESS,
    memory_bytes=128 << 20,
    max_processes=8,
    max_open_files=32,
    max_file_bytes=4 << 20,
)

ROOT = Path(__file__).parents[2]


def python(code: str, *, stdin: bytes = b"", artifact: str | None = None) -> JailSpec:
    return JailSpec(
        argv=(PYTHON, "-u", "solution.py"),
        limits=LIMITS,
        stdin=stdin,
        files=(GuestFile("solution.py", code.encode()),),
        artifact=artifact,
        artifact_max_bytes=1000,
    )


def groups_of(pid: int) -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").glob("**/rustbox-*") if f"-{pid}-" in path.name]


@pytest.fixture(scope="module")
def own_slot() -> Iterator[Slot]:
    with open_slot(slot_config("own", 1)) as opened:
        yield opened


def test_many_runs_in_one_slot_see_nothing_of_each_other_and_leak_nothing(own_slot: Slot) -> None:
    code = (
        "import os\nfor place in ('/tmp', '/dev/shm', '.'):\n"
        "    print(sorted(set(os.listdir(place)) - {'solution.py'}))\n    open(f'{place}/mark', 'w').close()\n"
    )
    own_slot.run(python(code))
    before = len(list(Path("/proc/self/fd").iterdir()))
    outcomes = [own_slot.run(python(code)) for _ in range(100 // SLOWNESS)]
    assert {outcome.stdout for outcome in outcomes} == {b"[]\n[]\n[]\n"}
    assert {outcome.exit_code for outcome in outcomes} == {0}
    assert {outcome.evidence.cgroup.oom_kill_events for outcome in outcomes if outcome.evidence.cgroup} == {0}
    most_usec = max(outcome.cpu_usec for outcome in outcomes)
    assert most_usec < 1_000_000 * SLOWNESS, "CPU is counted from the start of the run"
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_output_of_exactly_the_limit_is_whole_and_one_byte_more_is_cut(own_slot: Slot) -> None:
    whole = own_slot.run(python("import os; os.write(1, b'x' * 1000)"))
    cut = own_slot.run(python("import os; os.write(1, b'x' * 1001)"))
    assert (len(whole.stdout), whole.stdout_cut) == (1000, False)
    assert (len(cut.stdout), cut.stdout_cut) == (1000, True)


def test_cancelling_stops_the_run_at_once_and_the_slot_can_be_used_again(own_slot: Slot) -> None:
    read_end, write_end = os.pipe()
    timer = threading.Timer(0.3, os.close, [write_end])
    timer.start()
    try:
        outcome = own_slot.run(python("import time; print('on'); time.sleep(100)"), cancel_fd=read_end)
    finally:
        timer.join()
        os.close(read_end)
    assert outcome.stop_reason is StopReason.CANCELLED
    assert own_slot.run(python("print(1)")).stdout == b"1\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open('made', 'wb').write(b'\\0binary')", b"\0binary"),
        ("pass", None),
        ("import os; os.symlink('/usr/bin/env', 'made')", None),
        ("import os; os.symlink('solution.py', 'made')", None),
        ("import os; os.mkfifo('made')", None),
        ("import os; os.mkdir('made')", None),
        ("open('made', 'wb').write(b'x' * 1001)", None),
        ("open('made', 'wb').write(b'x'); raise SystemExit(3)", None),
    ],
    ids=["file", "missing", "link-out", "link-inside", "fifo", "directory", "too-large", "failed-step"],
)
def test_only_a_regular_file_of_bounded_size_comes_out(own_slot: Slot, code: str, expected: bytes | None) -> None:
    assert own_slot.run(python(code, artifact="made")).artifact == expected


def test_processes_of_a_step_end_before_its_file_is_read(own_slot: Slot) -> None:
    code = "import os\nopen('made', 'wb').write(b'whole')\n"
    code += "if os.fork() == 0:\n    os.setsid()\n    while True: open('made', 'ab').write(b'x' * 2000)\n"
    outcome = own_slot.run(python(code, artifact="made"))
    assert (outcome.exit_code, outcome.evidence.leftover_processes) == (0, 0)
    assert outcome.artifact is None or outcome.artifact.startswith(b"whole"), "it may have grown too large by then"
    assert own_slot.run(python("print(1)")).stdout == b"1\n"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc/x", "a\0b"])
def test_a_file_name_that_is_a_path_is_refused_before_anything_starts(name: str) -> None:
    spec = JailSpec(argv=("/usr/bin/true",), limits=LIMITS, files=(GuestFile(name, b""),))
    with open_slot(slot_config("names", 6)) as slot, pytest.raises(JailError):
        slot.run(spec)


def test_a_program_that_does_not_exist_is_our_failure_not_the_guests() -> None:
    with open_slot(slot_config("nowhere", 6)) as slot, pytest.raises(JailError, match="start /nowhere"):
        slot.run(JailSpec(argv=("/nowhere",), limits=LIMITS))


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 4096], ids=["empty", "large"])
def test_input_arrives_whole_and_ends(own_slot: Slot, data: bytes) -> None:
    code = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    assert own_slot.run(python(code, stdin=data)).stdout.decode().strip() == hashlib.sha256(data).hexdigest()


MEMORY_BYTES = 96 << 20
FILE_BYTES = 144 << 20


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """On a disk where there is one that can be written, and not in the page cache."""
    on_disk = Path("/var/tmp")
    with tempfile.TemporaryDirectory(dir=on_disk if os.access(on_disk, os.W_OK) else tmp_path_factory.mktemp("x")) as d:
        Path(d).chmod(0o755)
        path = Path(d) / "data"
        with path.open("wb") as file:
            for number in range(FILE_BYTES >> 20):
                file.write(bytes([number % 250 + 1]) * (1 << 20))
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        yield path


READ_ALL = """
import mmap, os, sys
heap = b"x" * int(sys.argv[1])
for _ in range(2):
    fd, total = os.open("/opt/large.d/data", os.O_RDONLY), 0
    while part := os.read(fd, 1 << 20):
        total += len(part)
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as mapped:
        touched = mapped[::mmap.PAGESIZE]
    os.close(fd)
    print(total, len(touched), sum(touched), heap.count(b"x", 0, 9))
"""


@pytest.mark.parametrize("heap_share", [0.0, 0.6], ids=["small-heap", "large-heap"])
def test_reading_a_file_larger_than_the_memory_limit_is_not_using_memory(large_file: Path, heap_share: float) -> None:
    """File pages are charged to the group, but make room for others: no kill, and no thrashing either."""
    limits = replace(LIMITS, memory_bytes=MEMORY_BYTES, cpu_time_secs=10 * SLOWNESS, wall_time_secs=60 * SLOWNESS)
    argv = (PYTHON, "-c", READ_ALL, str(int(MEMORY_BYTES * heap_share)))
    expected = sum((number % 250 + 1) * ((1 << 20) // mmap.PAGESIZE) for number in range(FILE_BYTES >> 20))
    with open_slot(slot_config("reading", 5, (BindMount(str(large_file.parent), "/opt/large.d"),))) as slot:
        outcome = slot.run(JailSpec(argv=argv, limits=limits))
    assert (outcome.stop_reason, outcome.exit_code, outcome.signal) == (StopReason.NONE, 0, None), outcome
    line = f"{FILE_BYTES} {FILE_BYTES // mmap.PAGESIZE} {expected} {9 if heap_share else 0}\n"
    assert outcome.stdout.decode() == 2 * line
    usage = outcome.evidence.cgroup
    assert usage is not None
    assert usage.oom_kill_events == 0
    assert classify(outcome, Phase.RUN).verdict is Verdict.AC


def test_the_guest_cannot_change_its_input(own_slot: Slot) -> None:
    code = "import os\ntry:\n    os.ftruncate(0, 0)\nexcept OSError as e:\n    print('refused')\n"
    code += "try:\n    open('/proc/self/fd/0', 'r+b', 0).write(b'x')\nexcept OSError as e:\n    print('refused')"
    assert own_slot.run(python(code, stdin=b"input")).stdout == b"refused\nrefused\n"


def test_a_dead_template_is_an_error_and_makes_the_slot_unhealthy() -> None:
    with open_slot(slot_config("dying", 2)) as slot:
        os.kill(slot.template_pid, signal.SIGKILL)
        os.waitid(os.P_PID, slot.template_pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(JailError):
            slot.run(python("print(1)"))
        assert not slot.healthy
        with pytest.raises(JailError, match="open a new one"):
            slot.run(python("print(1)"))
    assert not groups_of(os.getpid()) or all("dying" not in str(path) for path in groups_of(os.getpid()))


def test_closing_removes_the_groups_and_the_template() -> None:
    slot = open_slot(slot_config("closing", 3))
    template = slot.template_pid
    slot.close()
    assert not Path(f"/proc/{template}").exists()
    assert not [path for directory in groups_of(os.getpid()) for path in directory.iterdir() if path.name == "closing"]


RUNNER = f"""
import sys; sys.path.insert(0, sys.argv[1])
from sandbox_runtime.jail import *
from tests.jail.weakened.patience import be_patient
be_patient()
limits = Limits(5, 60, 64 << 20, 8, 32, 1 << 20, 1000)
slot = open_slot(SlotConfig("killed", 4))
print(slot.uid, flush=True)
code = b"import os, time; os.fork(); os.fork(); time.sleep(100)"
slot.run(JailSpec(("{PYTHON}", "-c", code.decode()), limits))
"""


@pytest.fixture
def killed_runner() -> Iterator[tuple[int, int]]:
    """The pid of a killed runner that nobody has reaped, and the user id of its guest, which had four processes."""
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, str(ROOT)], stdout=subprocess.PIPE)
    assert runner.stdout is not None
    uid = json.loads(runner.stdout.readline())
    until(lambda: len(processes_of(uid)) >= 4)
    assert groups_of(runner.pid)
    runner.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, runner.pid, os.WEXITED | os.WNOWAIT)
    yield runner.pid, uid
    runner.wait()
    runner.stdout.close()


def test_a_killed_runner_leaves_no_guest_and_its_groups_are_removed_by_the_next_one(
    killed_runner: tuple[int, int],
) -> None:
    pid, uid = killed_runner
    until(lambda: not processes_of(uid))
    remove_stale_groups()  # where a runner of another stage has just started, it has done so
    assert groups_of(pid) == []


def test_the_groups_of_a_killed_runner_are_removed_while_its_guests_still_die(killed_runner: tuple[int, int]) -> None:
    remove_stale_groups()
    assert groups_of(killed_runner[0]) == []


def test_groups_of_a_live_runner_are_left_alone(own_slot: Slot) -> None:
    remove_stale_groups()
    assert own_slot.run(python("print('alive')")).stdout == b"alive\n"
