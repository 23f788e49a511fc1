"""Forks of a warm template, and pre-warmed runs: quick, and as separate from each other as fresh processes."""

import errno
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, JailSpec, Outcome, Slot, StopReason, open_slot
from sandbox_runtime.jail.python_fork import WarmStart
from sandbox_runtime.languages import binds, compile_spec, prepare, run_spec, warm_start
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.prewarm import shape_of
from tests.jail.hostile.host_state import host_state
from tests.jail.prewarmed import LIMITS, MARKER, PREWARMED, good, python
from tests.jail.processes import memory_of, processes_of
from tests.jail.slots import TOOLCHAINS, slot_config

Run = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    with open_slot(slot_config("warm-start", 43, warm=warm_start([PYTHON]))) as opened:
        yield opened


@pytest.fixture(params=["forked", "prewarmed"])
def run(request: pytest.FixtureRequest, slot: Slot) -> Run:
    def run_it(code: str) -> Outcome:
        if request.param == "prewarmed":
            slot.prewarm(PREWARMED)
        return slot.run(python(code))

    return run_it


def prewarmed_process(uid: int) -> int:
    """Staging returns before the process is there."""
    pause = threading.Event()
    while not (found := processes_of(uid)):
        pause.wait(0.01)
    return found[0]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_random_values_differ_over_8_runs(run: Run) -> None:
    code = """
import random, uuid, os, secrets, tempfile
print(random.random()); print(random.Random().random()); print(uuid.uuid4()); print(uuid.uuid1())
print(os.urandom(8).hex()); print(secrets.token_hex()); print(tempfile.mktemp())
"""
    seen = [good(run(code)).splitlines() for _ in range(8)]
    for values in zip(*seen, strict=True):
        assert len(set(values)) == 8, values


def test_numpy_like_generators_of_c_do_not_repeat(run: Run) -> None:
    code = "import hashlib, ssl\nprint(ssl.RAND_bytes(8).hex())"
    assert len({good(run(code)) for _ in range(8)}) == 8


def test_a_process_knows_its_own_numbers(run: Run) -> None:
    code = """
import os, signal, threading
main = threading.main_thread()
print(main.native_id == threading.get_native_id() == os.getpid(), main is threading.current_thread())
print(threading.enumerate() == [main], signal.getsignal(signal.SIGINT) is signal.default_int_handler)
thread = threading.Thread(target=lambda: print(threading.get_native_id() != os.getpid()))
thread.start(); thread.join()
if os.fork() == 0:
    print(threading.main_thread().native_id == os.getpid())
    os._exit(0)
else:
    print(os.wait()[1])
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    assert good(run(code)) == b"True True\nTrue True\nTrue\nTrue\n0\ninterrupted\n"


def test_memory_that_a_program_frees_goes_back_to_the_kernel(run: Run) -> None:
    """As in any interpreter: only while the template got ready was it taken from elsewhere, and kept."""
    code = """
def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) >> 8
before = resident_mib()
objects = [[n] for n in range(1_000_000)]
most = resident_mib()
del objects
print(most - before > 60, resident_mib() - before < 30)
"""
    assert good(run(code)) == b"True True\n"


def test_a_template_serves_many_runs_in_turn_without_growing(slot: Slot) -> None:
    def resident_kib() -> int:
        return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{slot.template_pid}/status").read_text())[0])

    for _ in range(10):
        assert good(slot.run(python("print(1)"))) == b"1\n"
    before = resident_kib()
    for _ in range(100):
        assert good(slot.run(python("print(1)"))) == b"1\n"
    assert resident_kib() - before < 256


def test_a_run_leaves_nothing_in_the_next_one(run: Run) -> None:
    spoil = (
        "import json, os, sys, builtins\njson.spoilt = builtins.spoilt = sys.spoilt = 1\nos.environ['SPOILT'] = '1'\n"
    )
    good(run(spoil))
    look = "import json, os, sys, builtins\nprint(any(hasattr(x, 'spoilt') for x in (json, sys, builtins)))\n"
    look += "print('SPOILT' in os.environ)"
    assert good(run(look)) == b"False\nFalse\n"


def test_the_template_has_never_read_anything_of_a_run(slot: Slot, run: Run) -> None:
    assert MARKER in good(run(f"import sys\nprint(sys.stdin.read(), {MARKER.decode()!r})"))
    slot.run(JailSpec(argv=("/usr/bin/echo", MARKER.decode()), limits=LIMITS, environment=(("M", MARKER.decode()),)))
    memory = memory_of(slot.template_pid)
    assert b"sandbox_runtime" in memory
    assert MARKER not in memory


def test_a_guest_cannot_reach_the_template_or_init(run: Run) -> None:
    code = """
import os
for path in ("/proc/1/mem", "/proc/1/maps", "/proc/1/environ", f"/proc/{os.getppid()}/mem"):
    try:
        open(path, "r+b" if path.endswith("mem") else "rb").read(1)
        print("opened", path)
    except OSError as error:
        print(error.errno in (1, 2, 13))
try:
    os.kill(1, 9)
    print("sent")
except OSError:
    pass
"""
    assert b"opened" not in good(run(code))


def test_a_prewarmed_process_is_used_once(slot: Slot) -> None:
    slot.prewarm(PREWARMED)
    prewarmed = prewarmed_process(slot.uid)
    slot.prewarm(PREWARMED)
    assert processes_of(slot.uid) == [prewarmed], "a second call makes no second one"
    assert good(slot.run(python("print(1)"))) == b"1\n"
    assert processes_of(slot.uid) == []
    assert good(slot.run(python("print(2)"))) == b"2\n"


GREETING = (("GREETING", "héllo"),)
SEEN = """
import ctypes, os, subprocess
own = ctypes.CDLL(None)
own.getenv.restype = ctypes.c_char_p
child = subprocess.run(["/usr/bin/printenv", "GREETING"], stdout=subprocess.PIPE).stdout
print(os.environ["GREETING"], own.getenv(b"GREETING").decode(), child.decode().strip())
print("GREETING" in open("/proc/self/environ").read())
"""


@pytest.mark.parametrize("is_prewarmed", [False, True])
def test_variables_reach_a_fork_and_its_children_and_no_later_run(slot: Slot, *, is_prewarmed: bool) -> None:
    if is_prewarmed:
        slot.prewarm(PREWARMED)
    spec = replace(python(SEEN), variables=GREETING)
    fork = b"False\n"  # a program that was started by exec has them there
    assert good(slot.run(spec)) == "héllo héllo héllo\n".encode() + fork
    if is_prewarmed:
        slot.prewarm(PREWARMED)
    assert good(slot.run(python("import os; print(os.environ.get('GREETING'))"))) == b"None\n"


@pytest.mark.parametrize("is_prewarmed", [False, True])
@pytest.mark.parametrize("name", ["TZ", "OPENSSL_CONF"])
def test_with_a_variable_that_an_interpreter_reads_at_its_start_a_program_starts_by_exec(
    slot: Slot, name: str, *, is_prewarmed: bool
) -> None:
    if is_prewarmed:
        slot.prewarm(PREWARMED)
    code = (
        f"import os, time\nprint({name!r} in open('/proc/self/environ').read(), os.environ[{name!r}], time.tzname[0])"
    )
    spec = replace(python(code), variables=((name, "XYZ5"),))
    zone = "XYZ" if name == "TZ" else "UTC"
    assert good(slot.run(spec)) == f"True XYZ5 {zone}\n".encode()


def test_a_prewarmed_run_gets_all_variables_that_a_message_may_have(slot: Slot) -> None:
    most = tuple((f"V{number:063}", "é" * 2_048) for number in range(35))
    slot.prewarm(PREWARMED)
    code = "import os; print(sum(len(v) for k, v in os.environ.items() if k.startswith('V0')))"
    assert good(slot.run(replace(python(code), variables=most))) == b"71680\n"


@pytest.mark.parametrize(
    "other",
    [
        python("print(3)", memory_bytes=LIMITS.memory_bytes // 2),
        replace(python(""), argv=("/usr/bin/echo", "3")),
        replace(python("import os\nprint(3)"), environment=(("A", "b"),)),
    ],
    ids=["limits", "command", "environment"],
)
def test_a_run_that_does_not_fit_gets_a_process_of_its_own(slot: Slot, other: JailSpec) -> None:
    before = host_state(slot)
    slot.prewarm(PREWARMED)
    assert good(slot.run(other)) == b"3\n"
    assert host_state(slot) == before


def test_limits_hold_in_a_prewarmed_run_from_its_own_start(slot: Slot) -> None:
    quick = python("while True: pass", cpu_time_secs=0.2)
    slot.prewarm(quick)
    outcome = slot.run(quick)
    assert outcome.stop_reason is StopReason.CPU_LIMIT
    assert outcome.cpu_usec >= 200_000
    slot.prewarm(PREWARMED)
    outcome = slot.run(python("x = bytearray(600 << 20)"))
    assert outcome.stop_reason is StopReason.OOM_KILL


@pytest.mark.parametrize(
    ("code", "limits", "reason"),
    [
        ("import time; time.sleep(60)", {"wall_time_secs": 0.3}, StopReason.WALL_LIMIT),
        ("print('x' * 9)", {"output_bytes": 4}, StopReason.NONE),
    ],
)
def test_a_prewarmed_run_of_other_time_and_output_keeps_the_limits_of_its_program(
    slot: Slot, code: str, limits: dict[str, float], reason: StopReason
) -> None:
    spec = python(code, **limits)
    slot.prewarm(shape_of(PREWARMED))
    assert slot.is_ready_for(spec)
    outcome = slot.run(spec)
    assert (outcome.stop_reason, outcome.stdout_cut) == (reason, "output_bytes" in limits)
    assert len(outcome.stdout) <= spec.limits.output_bytes
    assert outcome.evidence.controls_missing == ()


def test_a_prewarmed_process_that_was_killed_is_our_failure_and_the_slot_says_so() -> None:
    with open_slot(slot_config("prewarmed-dies", 44, warm=warm_start([PYTHON]))) as own:
        own.prewarm(PREWARMED)
        os.kill(prewarmed_process(own.uid), signal.SIGKILL)
        with pytest.raises(JailError):
            own.run(python("print(1)"))
        assert not own.healthy


def test_closing_a_slot_ends_its_prewarmed_run() -> None:
    with open_slot(slot_config("prewarmed-closed", 45, warm=warm_start([PYTHON]))) as own:
        before = descriptors()
        own.prewarm(PREWARMED)
        assert prewarmed_process(own.uid)
    assert not processes_of(own.uid)
    assert descriptors() <= before


def test_a_step_that_leaves_a_file_can_be_prewarmed_too() -> None:
    writing = replace(python("open('made', 'w').write('x')"), artifact="made", artifact_max_bytes=10)
    with open_slot(slot_config("prewarmed-artifact", 48, warm=warm_start([PYTHON]))) as own:
        own.prewarm(replace(writing, files=()))
        prewarmed = prewarmed_process(own.uid)
        outcome = own.run(writing)
        assert (outcome.artifact, outcome.exit_code) == (b"x", 0)
        assert outcome.evidence.controls_missing == ()
        # Nobody would have asked that process for the file.
        own.prewarm(PREWARMED)
        assert prewarmed_process(own.uid) != prewarmed
        assert own.run(writing).artifact == b"x"


def test_a_prewarmed_run_is_given_files_that_it_may_not_write_itself(slot: Slot) -> None:
    code = """
import os, resource
print(os.path.getsize(__file__) > 1 << 20, resource.getrlimit(resource.RLIMIT_FSIZE))
file = os.open("/tmp/large", os.O_WRONLY | os.O_CREAT)
print(os.write(file, b"x" * (2 << 20)))
try:
    os.write(file, b"x")
except OSError as error:
    print(error.errno)
#""".ljust(LIMITS.max_file_bytes + 1, "x")
    assert LIMITS.max_file_bytes == 1 << 20
    for is_prewarmed in (True, False):
        if is_prewarmed:
            slot.prewarm(PREWARMED)
            assert slot.is_ready_for(python(code))
        outcome = slot.run(python(code))
        assert good(outcome) == f"True ({1 << 20}, {1 << 20})\n{1 << 20}\n{errno.EFBIG}\n".encode()
        assert "rlimits" in outcome.evidence.controls_applied


@pytest.mark.parametrize(("memory_bytes", "most_bytes"), [(LIMITS.memory_bytes, 4 << 20), (32 << 20, 1 << 20)])
def test_more_files_than_are_placed_in_a_guests_memory_get_a_run_of_their_own(
    slot: Slot, memory_bytes: int, most_bytes: int
) -> None:
    for size_bytes, is_placed in ((most_bytes, True), (most_bytes + 1, False)):
        slot.prewarm(python("", memory_bytes=memory_bytes))
        asked = python("print(1)\n#".ljust(size_bytes, "x"), memory_bytes=memory_bytes)
        assert slot.is_ready_for(asked) is is_placed
        assert good(slot.run(asked)) == b"1\n"


def test_a_prewarmed_compile_step_compiles() -> None:
    assert C.compile is not None
    prepare(C, TOOLCHAINS)
    step = compile_spec(C, C.compile, b"int main(void) { return 7; }")
    with open_slot(slot_config("prewarmed-compile", 49, binds([C], TOOLCHAINS), warm=warm_start([PYTHON]))) as own:
        own.prewarm(replace(step, files=()))
        assert own.is_ready_for(step)
        compiled = own.run(step)
        assert compiled.artifact is not None, compiled
        assert compiled.evidence.controls_missing == ()
        run = run_spec(C, b"", compiled.artifact, limits=C.run_limits("judge"), stdin=b"")
        assert own.run(run).exit_code == 7


def test_another_interpreter_is_not_kept_warm() -> None:
    other = WarmStart(("/usr/bin/true", "solution.py"), (), ())
    assert not other.is_possible
    with open_slot(slot_config("not-warm", 46, warm=other)) as own:
        assert good(own.run(python("print(4)"))) == b"4\n"


def mappings(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/maps").read_text().splitlines()


def test_no_memory_is_both_writable_and_executable(slot: Slot) -> None:
    assert not [line for line in mappings(slot.template_pid) if "wx" in line.split()[1]]
    code = "print([line for line in open('/proc/self/maps') if 'wx' in line.split()[1]])"
    assert good(slot.run(python(code))) == b"[]\n"


def test_a_slot_without_a_warm_interpreter_has_no_huge_pages() -> None:
    with open_slot(slot_config("warm-off", 61)) as opened:
        for number in range(5):  # until a template has settled
            outcome = opened.run(JailSpec(("/usr/bin/echo", str(number)), LIMITS))
            assert good(outcome) == f"{number}\n".encode()
        shown = Path(f"/proc/{opened.template_pid}/smaps_rollup").read_text()
    assert re.search(r"^AnonHugePages: +0 kB$", shown, re.MULTILINE)


OVERWRITE = """
import ctypes
libc = ctypes.CDLL(None)
begin = {begin}
if libc.mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(4096), 3) == 0:
    ctypes.memset(begin, 0, 4)
print(ctypes.string_at(begin, 4))
"""


def test_a_guest_that_overwrites_its_interpreter_changes_no_other_process(slot: Slot) -> None:
    executable = str(Path(f"/proc/{slot.template_pid}/exe").readlink())
    begin = int(next(line for line in mappings(slot.template_pid) if line.endswith(executable)).split("-")[0], 16)
    assert good(slot.run(python(OVERWRITE.format(begin=begin)))) == b"b'\\x00\\x00\\x00\\x00'\n"
    with Path(f"/proc/{slot.template_pid}/mem").open("rb") as memory:
        memory.seek(begin)
        assert memory.read(4) == b"\x7fELF"
    assert good(slot.run(python(f"import ctypes; print(ctypes.string_at({begin}, 4))"))) == b"b'\\x7fELF'\n"
