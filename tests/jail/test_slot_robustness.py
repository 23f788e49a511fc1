"""The slot and its processes under our own faults: garbage, death, a template that hangs, descriptors that run out."""

import errno
import marshal
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from events.vocabulary import Phase
from sandbox_runtime.executor.step_runs import RunStop, StepRuns
from sandbox_runtime.jail import (
    SETUP_TIMEOUT,
    GuestFile,
    JailError,
    JailSpec,
    Slot,
    StopReason,
    TransientJailError,
    open_slot,
)
from sandbox_runtime.jail.protocol import START_RUN, receive, send
from sandbox_runtime.jail.supervisor import watch
from sandbox_runtime.jail.supervisor.launch import TemplateProcess, request_of
from sandbox_runtime.jail.supervisor.run_io import RunIO
from tests.jail.changed_slots import ChangedSlot
from tests.jail.processes import processes_of, status_of
from tests.jail.slots import PYTHON, slot_config
from tests.jail.weakened.limits import SMALL
from tests.until import until

ROOT = Path(__file__).parents[2]
LIMITS = SMALL

SLEEP = JailSpec(argv=("/usr/bin/sleep", "100"), limits=LIMITS)


def python(code: str) -> JailSpec:
    files = (GuestFile("solution.py", code.encode()),)
    return JailSpec(argv=(PYTHON, "solution.py"), limits=LIMITS, files=files)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def opened() -> Iterator[Slot]:
    with open_slot(slot_config("robust", 50)) as made:
        yield made


@pytest.mark.parametrize(
    ("end", "kind"),
    [("os.kill(os.getpid(), 9)", TransientJailError), ("os._exit(3)", JailError), ("os.abort()", JailError)],
)
def test_a_template_that_is_killed_while_it_opens_says_nothing_about_the_host(end: str, kind: type[JailError]) -> None:
    """Else a runner whose start meets the kernel's want of memory counts as one that can never work."""
    with pytest.raises(JailError) as refused:
        ChangedSlot(slot_config("killed", 51), end)
    assert type(refused.value) is kind


GARBAGE = [b"{", b"null", b"[]", b'{"argv":["/usr/bin/true"]}', b"\xff\xfe", b'{"kind":"open"}', b"x" * 50_000]
GARBLED = [*GARBAGE, marshal.dumps(5), marshal.dumps((1, 2, 3)), marshal.dumps(("", 0, {})), b"(\x0b"]


def template_of(opened: Slot) -> TemplateProcess:
    assert opened._template is not None
    return opened._template


@pytest.mark.parametrize("message", GARBAGE, ids=range(len(GARBAGE)))
def test_a_template_answers_garbage_with_a_failure_and_serves_the_next_run(opened: Slot, message: bytes) -> None:
    channel = template_of(opened).channel
    read_end, write_end = os.pipe()
    send(channel, message, [write_end])
    os.close(write_end)
    answer, _ = receive(channel)
    assert b'"failed"' in answer
    assert os.read(read_end, 1) == b"", "the template kept a descriptor that came with the garbage"
    os.close(read_end)
    assert opened.run(python("print(1)")).stdout == b"1\n"


def answer_of_init(opened: Slot, request: bytes, fds: list[int]) -> bytes:
    """Start a run with this request, see it reaped, and return what init reported."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            send(ours, request)
            template_of(opened).send(START_RUN, [theirs.fileno(), *fds])
        _, (pidfd,) = template_of(opened).expect("started", descriptors=1)
        os.close(pidfd)
        template_of(opened).expect("reaped")
        return receive(ours)[0]


@pytest.mark.parametrize("request_bytes", GARBLED, ids=range(len(GARBLED)))
def test_a_garbled_request_ends_that_run_only(opened: Slot, request_bytes: bytes) -> None:
    assert b'"failed"' in answer_of_init(opened, request_bytes, [])
    assert opened.run(python("print(1)")).stdout == b"1\n"


@pytest.mark.parametrize("missing", [1, 3, 20])
def test_a_right_request_with_too_few_descriptors_ends_that_run_only(opened: Slot, missing: int) -> None:
    groups, spec = opened._groups, python("print(1)")
    groups.prepare(LIMITS)
    with closing(RunIO(opened.uid)) as run_io:
        run_io.fill(spec)
        request = request_of(spec, groups, is_prewarmed=False).serialise()
        fds = [*run_io.streams.as_list(), *groups.init_entry_fds, *groups.program_entry_fds]
        assert b'"failed"' in answer_of_init(opened, request, fds[:-missing])
    assert opened.run(python("print(1)")).stdout == b"1\n"


def test_closing_a_slot_ends_a_run_in_another_thread(opened: Slot) -> None:
    failures: list[JailError] = []

    def run() -> None:
        try:
            opened.run(SLEEP)
        except JailError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: processes_of(opened.uid))
    opened.close()
    thread.join()
    assert len(failures) == 1
    assert not processes_of(opened.uid)


def test_closing_is_bounded_when_the_template_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_slot(slot_config("hanging", 51))
    process = template_of(made)._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(SETUP_TIMEOUT, "secs", 0.2)
    made.close()
    assert process.returncode == -signal.SIGKILL
    assert not list(Path("/sys/fs/cgroup").glob(f"**/rustbox-*-{os.getpid()}-*/hanging"))


def test_a_template_that_dies_at_its_start_is_reported_with_its_last_error_lines() -> None:
    with pytest.raises(JailError, match=r"the template ended: .*files of another revision"):
        ChangedSlot(slot_config("stillborn", 55), "raise SystemExit('files of another revision')")


def test_a_template_that_never_answers_is_reported_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SETUP_TIMEOUT, "secs", 0.2)
    with pytest.raises(JailError, match="no answer in time; the host may be overloaded"):
        ChangedSlot(slot_config("silent", 56), "import signal; signal.pause()")
    assert not list(Path("/sys/fs/cgroup").glob(f"**/rustbox-*-{os.getpid()}-*/silent"))


def test_closing_twice_is_harmless(opened: Slot) -> None:
    opened.close()
    opened.close()
    with pytest.raises(JailError, match="open a new one"):
        opened.run(python("print(1)"))


@pytest.mark.parametrize("successes", range(5))
def test_when_descriptors_run_out_the_run_fails_and_none_is_lost(
    opened: Slot, monkeypatch: pytest.MonkeyPatch, successes: int
) -> None:
    opened.run(python("print(1)"))
    before = open_descriptors()
    left = iter(range(successes))

    def limited(original: Callable[..., object]) -> Callable[..., object]:
        def make(*arguments: object) -> object:
            if next(left, None) is None:
                raise OSError(24, "Too many open files")
            return original(*arguments)

        return make

    for owner, name in ((os, "memfd_create"), (os, "pipe2"), (socket, "socketpair")):
        monkeypatch.setattr(owner, name, limited(getattr(owner, name)))
    with pytest.raises(JailError, match="open descriptors"):
        opened.run(python("print(1)"))
    assert open_descriptors() == before


def test_a_slot_that_cannot_get_its_descriptors_is_a_failure_of_the_jail_and_none_is_lost() -> None:
    before, (soft, hard) = open_descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)
    failures = set()
    for more in range(40):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (before + more, hard))
            with open_slot(slot_config("poor", 54)):
                pass
        except JailError as error:
            failures.add(error.errno)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert open_descriptors() == before
    assert errno.EMFILE in failures
    with open_slot(slot_config("poor", 54)) as made:
        assert made.run(python("print(1)")).stdout == b"1\n"


FILL_A_SEGMENT = """
import ctypes
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
ctypes.memset(libc.shmat(libc.shmget(0, 200 << 20, 0o1600), None, 0), 1, 200 << 20)
print("filled")
"""


def test_memory_that_the_kernel_frees_late_does_not_hurt_the_next_run(opened: Slot) -> None:
    large = replace(python(FILL_A_SEGMENT), limits=replace(LIMITS, memory_bytes=512 << 20))
    for _ in range(3):
        assert opened.run(large).stdout == b"filled\n"
        small = opened.run(python("x = bytearray(40 << 20); print(len(x))"))
        assert (small.exit_code, small.stop_reason) == (0, StopReason.NONE)
        assert small.evidence.cgroup is not None
        assert small.evidence.cgroup.memory_peak_bytes > 38 << 20


def test_groups_that_were_left_behind_are_taken_over() -> None:
    with open_slot(slot_config("left", 53)) as first:
        paths = [
            path for path in Path("/sys/fs/cgroup").glob(f"**/rustbox-*-{os.getpid()}-*/left/**/") if path.is_dir()
        ]
        assert paths
        first.close()
        for path in paths:
            path.mkdir(parents=True)
        with open_slot(slot_config("left", 53)) as second:
            assert second.run(python("print(1)")).stdout == b"1\n"
    assert not [path for path in paths if path.exists()]


def test_failed_runs_lose_no_descriptor() -> None:
    before = open_descriptors()
    for _ in range(3):
        with open_slot(slot_config("failing", 52)) as made, pytest.raises(JailError):
            made.run(JailSpec(argv=("/nowhere",), limits=LIMITS))
    assert open_descriptors() == before


RUNNER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from sandbox_runtime.jail.controls.identity import guest_uid
print(os.getpid(), guest_uid(0), flush=True)
sys.stdin.read()
"""


def test_two_containers_whose_runners_have_one_pid_have_different_user_ids() -> None:
    command = ["unshare", "--pid", "--fork", sys.executable, "-I", "-c", RUNNER, str(ROOT)]
    runners = [
        # Both are alive at once: the number of a namespace that is gone is given again.
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        said = [runner.stdout.readline().split() for runner in runners if runner.stdout]
    finally:
        for runner in runners:
            runner.communicate()
    (first, uid), (second, other_uid) = said
    assert first == second == "1"
    assert abs(int(uid) - int(other_uid)) >= 64, "a runner has this many slots"


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_init_is_neither_root_nor_the_guest_and_keeps_at_most_two_capabilities(opened: Slot) -> None:
    read_end, write_end = os.pipe()
    seen: list[dict[str, list[str]]] = []

    def look() -> None:
        guest = until(lambda: [pid for pid in processes_of(opened.uid) if name_of(pid) == "sleep"])[0]
        parent = status_of(Path(f"/proc/{guest}"))["PPid"][0]
        seen.append(status_of(Path("/proc") / parent))
        os.close(write_end)

    thread = threading.Thread(target=look)
    thread.start()
    opened.run(SLEEP, cancel_fd=read_end)
    thread.join()
    os.close(read_end)
    (init,) = seen
    kill_and_read = (1 << 5) | (1 << 2)
    assert len(set(init["Uid"] + init["Gid"])) == 1
    assert int(init["Uid"][0]) not in {0, opened.uid}
    for name in ("CapPrm", "CapEff"):  # a container may give the runner fewer than both
        assert int(init[name][0], 16) & ~kill_and_read == 0
    assert int(init["CapBnd"][0], 16) == 0
    assert (init["Groups"], init["NoNewPrivs"], init["Seccomp"]) == ([], ["1"], ["2"])


def test_a_program_may_open_its_output_by_name(opened: Slot) -> None:
    code = "for name in ('stdout', 'stderr'):\n    with open(f'/dev/{name}', 'w') as file: file.write(name)"
    outcome = opened.run(python(code))
    assert (outcome.stdout, outcome.stderr) == (b"stdout", b"stderr")


@pytest.mark.parametrize("reason", [StopReason.WALL_LIMIT, StopReason.CANCELLED])
def test_a_guest_that_cannot_be_killed_has_a_final_answer(
    opened: Slot, monkeypatch: pytest.MonkeyPatch, reason: StopReason
) -> None:
    """As while the kernel is busy for it. A request that runs again would take the next slot."""

    def kill_in_vain(_: int) -> None:
        monkeypatch.setattr(SETUP_TIMEOUT, "secs", 0.1)

    monkeypatch.setattr(watch, "kill_run", kill_in_vain)
    cancel_fd = os.eventfd(reason is StopReason.CANCELLED)
    try:
        spec = replace(SLEEP, limits=replace(LIMITS, wall_time_secs=0.5))
        outcome, found = StepRuns(opened, RunStop(cancel_fd)).run(spec, Phase.RUN)
    finally:
        os.close(cancel_fd)
    assert outcome.stop_reason is reason
    assert outcome.evidence.leftover_processes > 0
    assert outcome.evidence.collection_errors == (
        "stdout still open",
        "stderr still open",
        "a process cannot be killed",
    )
    assert (found.verdict, found.cause) == ("IE", "ie_cleanup_failure")
    assert not opened.healthy
