"""The interpreter in fewer mappings and in huge pages: what is joined, that it works, and that it is each run's own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailSpec, Slot, SlotConfig, open_slot
from sandbox_runtime.jail.loaded_segments import loaded
from sandbox_runtime.languages import run_spec, warm_start
from sandbox_runtime.languages.python import PYTHON

ROOT = Path(__file__).parents[2]
_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ \d+ *(.*)")
_HUGE_PAGE_BYTES = 1 << 21


@dataclass(frozen=True)
class Mapping:
    begin: int
    end: int
    rights: str
    offset: int
    path: str


def mappings(process: str | int) -> list[Mapping]:
    lines = (_LINE.match(line) for line in Path(f"/proc/{process}/maps").read_text().splitlines())
    found = (line for line in lines if line is not None)
    return [Mapping(int(m[1], 16), int(m[2], 16), m[3], int(m[4], 16), m[5]) for m in found]


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    with open_slot(SlotConfig("mapped-code", 60, warm=warm_start([PYTHON]))) as opened:
        yield opened


def python(code: str) -> JailSpec:
    return run_spec(PYTHON, code.encode(), None, limits=PYTHON.run_limits("judge"), stdin=b"")


def changed(before: str, then: str) -> subprocess.CompletedProcess[str]:
    """A process that calls `before`, maps its code densely, prints how many huge pages it got, and goes on."""
    code = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom sandbox_runtime.jail.mapped_code import map_densely\n"
    command = [sys.executable, "-u", "-c", f"{code}{before}\nprint(map_densely())\n{then}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_segments_are_where_the_kernel_says_that_they_are() -> None:
    program, *libraries = loaded()
    known = mappings("self")
    assert len(libraries) > 2
    for segments in (program, *libraries):
        assert any(segment.is_writable for segment in segments)
        for segment in segments:
            inside = [one for one in known if one.begin < segment.end and segment.begin < one.end]
            assert inside[0].begin <= segment.begin, (segment, inside)
            assert inside[-1].end >= segment.end, (segment, inside)
            assert len({one.path for one in inside if one.path}) == 1
    owner = next(one.path for one in known if one.begin == program[0].begin)
    assert owner == str(Path(sys.executable).resolve())


def test_a_template_has_two_mappings_of_a_library(slot: Slot) -> None:
    found = mappings(slot.template_pid)
    libraries = {one.path for one in found if ".so" in one.path and "memfd" not in one.path}
    counts = {path: sum(one.path == path for one in found) for path in libraries}
    assert len(counts) > 10
    # The dynamic linker's own one, which the kernel mapped, may have one more.
    assert max(counts.values()) <= 3, counts
    assert sum(counts.values()) <= 2 * len(counts) + 2, counts


def test_nothing_is_both_written_to_and_executed(slot: Slot) -> None:
    assert not [one for one in mappings(slot.template_pid) if "w" in one.rights and "x" in one.rights]
    outcome = slot.run(python("print([l for l in open('/proc/self/maps') if 'wx' in l.split()[1]])"))
    assert outcome.stdout == b"[]\n"


def test_the_interpreter_s_code_is_in_huge_pages(slot: Slot) -> None:
    program = next(loaded())
    unwritten = [segment for segment in program if not segment.is_writable]
    begin = -(-unwritten[0].begin // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
    pages = (unwritten[-1].end - begin) // _HUGE_PAGE_BYTES
    assert pages > 0
    shown = Path(f"/proc/{slot.template_pid}/smaps").read_text()
    mapped = re.search(
        rf"^{begin:08x}-{begin + pages * _HUGE_PAGE_BYTES:08x} r-xp (?:.*\n)+?AnonHugePages: +(\d+) kB",
        shown,
        re.MULTILINE,
    )
    assert mapped is not None
    assert int(mapped[1]) << 10 == pages * _HUGE_PAGE_BYTES


def test_a_slot_that_runs_seldom_has_no_huge_pages() -> None:
    with open_slot(SlotConfig("mapped-seldom", 61, runs_seldom=True)) as opened:
        for number in range(5):  # until a template has settled
            outcome = opened.run(JailSpec(("/usr/bin/echo", str(number)), PYTHON.run_limits("judge")))
            assert (outcome.stdout, outcome.evidence.controls_missing) == (f"{number}\n".encode(), ())
        shown = Path(f"/proc/{opened.template_pid}/smaps_rollup").read_text()
    assert re.search(r"^AnonHugePages: +0 kB$", shown, re.MULTILINE)


EVERYTHING = """
import ctypes, decimal, hashlib, json, os, re, signal, subprocess, threading, traceback, zlib
assert json.loads(json.dumps([1, {"a": None}])) == [1, {"a": None}]
assert hashlib.sha256(b"").hexdigest().startswith("e3b0c442")
assert str(decimal.Decimal(1) / 3) == "0.3333333333333333333333333333"
assert zlib.decompress(zlib.compress(b"x" * 9999)) == b"x" * 9999
assert re.sub(r"(a+)b", r"\\1", "aab") == "aa"
assert ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 7)() == 7
signal.signal(signal.SIGUSR1, lambda *_: print("signal"))
os.kill(os.getpid(), signal.SIGUSR1)
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
assert subprocess.run(["/bin/echo", "child"], capture_output=True).stdout == b"child\\n"
def deep(n): return deep(n - 1) if n else 1 / 0
try: deep(300)
except ZeroDivisionError: print("more times" in traceback.format_exc())
pid = os.fork()
if pid == 0: print("fork", flush=True); os._exit(0)
os.waitpid(pid, 0)
"""


def test_everything_works_as_before_and_again() -> None:
    ran = changed("print(map_densely(), flush=True)", EVERYTHING)
    assert (ran.stderr, ran.returncode) == ("", 0)
    first, second, *words = ran.stdout.split()
    assert first == second
    assert int(first) > 0
    assert sorted(words) == ["True", "fork", "signal", "thread"]


@pytest.mark.parametrize("base", ["0x400000", "0x10000000"])
def test_a_library_that_was_linked_for_an_address_of_its_own_is_mapped_too(base: str, tmp_path: Path) -> None:
    library = tmp_path / "placed.so"
    command = ["gcc", "-shared", "-fPIC", f"-Wl,-Ttext-segment={base}", "-x", "c", "-o", str(library), "-"]
    subprocess.run(command, input=b"int answer = 41;\nint next(void) { return ++answer; }", check=True)
    ran = changed(f"import ctypes; placed = ctypes.CDLL({str(library)!r})", "print(placed.next(), placed.next())")
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert ran.stdout.split()[1:] == ["42", "43"]


NO_ROOM = """
import resource
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + (3 << 20),) * 2)
"""


@pytest.mark.parametrize(
    "before",
    [
        "import ctypes; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0",  # PR_SET_MDWE: nobody makes code
        "import ctypes; assert ctypes.CDLL(None).prctl(41, 1, 0, 0, 0) == 0",  # PR_SET_THP_DISABLE
        NO_ROOM,
    ],
    ids=["no new code", "no huge pages", "no room"],
)
def test_where_the_kernel_refuses_all_stays_as_it_was(before: str) -> None:
    ran = changed(before, "import json; print(json.dumps(str(2**0.5))[:5])")
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert ran.stdout.split() == ["0", '"1.41']


OVERWRITE = """
import ctypes
libc = ctypes.CDLL(None)
begin = {begin}
if libc.mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(4096), 3) == 0:
    ctypes.memset(begin, 0, 4)
print(ctypes.string_at(begin, 4))
"""


def test_a_guest_that_overwrites_its_interpreter_changes_nobody_else_s(slot: Slot) -> None:
    begin = next(loaded())[0].begin
    first = slot.run(python(OVERWRITE.format(begin=begin)))
    assert first.stdout == b"b'\\x00\\x00\\x00\\x00'\n", first
    with Path(f"/proc/{slot.template_pid}/mem").open("rb") as memory:
        memory.seek(begin)
        assert memory.read(4) == b"\x7fELF"
    following = slot.run(python(f"import ctypes; print(ctypes.string_at({begin}, 4))"))
    assert following.stdout == b"b'\\x7fELF'\n"
