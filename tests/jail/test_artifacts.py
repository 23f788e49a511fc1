"""The files that hostile programs leave: only regular files below the working directory come out, and bounded."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from events.files import PlacedFile
from sandbox_runtime.artifacts import (
    ANY_FILE,
    MOST_DEPTH,
    MOST_FILE_BYTES,
    MOST_FILES,
    MOST_SKIPPED,
    Artifact,
    Collected,
    Skipped,
    collect,
    content_of,
)
from sandbox_runtime.executor import execute
from sandbox_runtime.executor.steps import input_hashes
from sandbox_runtime.jail import (
    Box,
    GuestFile,
    InputFile,
    JailSpec,
    NotRegularFileError,
    Outcome,
    Slot,
    make_inputs_folder,
    open_slot,
)
from sandbox_runtime.languages import Language, warm_start
from sandbox_runtime.languages.python import PYTHON as PYTHON_LANGUAGE
from tests.jail.guest_requests import request
from tests.jail.slots import PYTHON, slot_config
from tests.jail.weakened.limits import SLOWNESS, SMALL

ROOT = Path(__file__).parents[2]
LIMITS = replace(
    SMALL,
    cpu_time_secs=10 * SLOWNESS,
    memory_bytes=256 << 20,
    max_processes=16,
    max_open_files=64,
    max_file_bytes=1 << 41,
)


def python(code: str, **more: object) -> JailSpec:
    files = (GuestFile("solution.py", code.encode()),)
    spec = JailSpec((PYTHON, "-u", "solution.py"), LIMITS, files=files, keeps_box=True)
    return replace(spec, **more)  # type: ignore[arg-type] # passed through


@pytest.fixture(scope="module")
def own_slot() -> Iterator[Slot]:
    with open_slot(slot_config("artifacts", 52)) as opened:
        yield opened


def collected(slot: Slot, code: str, patterns: tuple[str, ...] = ANY_FILE) -> tuple[Outcome, Collected]:
    spec = python(code)
    outcome = slot.answer(spec)
    assert outcome.box is not None, outcome
    given = {file.name: hashlib.sha256(file.content).hexdigest() for file in spec.files}
    return outcome, collect(outcome.box, patterns, given)


def paths(result: Collected) -> list[str]:
    return [artifact.path for artifact in result.artifacts]


READS_AS_A_USER = """
import os, sys
from sandbox_runtime.jail import Box, syscalls
syscalls.prctl("set parent death signal", syscalls.PR_SET_PDEATHSIG, 15)
box = Box(os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY), 4242)
print(box.read("file", 100), box.read("file of root", 100), syscalls.parent_death_signal())
"""


def test_a_runner_that_read_files_of_a_guest_still_ends_with_its_parent(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "file of root").touch(mode=0o600)
    command = [sys.executable, "-c", READS_AS_A_USER, str(tmp_path)]
    read = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert read.stdout == "b'content' None 15\n"


def test_files_come_out_with_their_sizes_hashes_and_types(own_slot: Slot) -> None:
    code = """
import os
os.makedirs('out/deep')
open('out/deep/plot.png', 'wb').write(b'png')
open('report.csv', 'w').write('a,b')
open('empty', 'w')
"""
    outcome, result = collected(own_slot, code)
    assert outcome.exit_code == 0, outcome.stderr
    assert result.skipped == ()
    assert result.artifacts == (
        Artifact("empty", 0, hashlib.sha256(b"").hexdigest(), "application/octet-stream"),
        Artifact("report.csv", 3, hashlib.sha256(b"a,b").hexdigest(), "text/csv"),
        Artifact("out/deep/plot.png", 3, hashlib.sha256(b"png").hexdigest(), "image/png"),
    )
    assert outcome.box is not None
    assert content_of(outcome.box, result.artifacts[2]) == b"png"


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        ("raise SystemExit(3)", "exit_code=3"),
        ("os.kill(os.getpid(), 9)", "signal=9"),
        ("while True: pass", "CPU_LIMIT"),
        ("kept = bytearray(512 << 20)", "OOM_KILL"),
    ],
)
def test_a_failed_run_has_artifacts_too(own_slot: Slot, ending: str, verdict: str) -> None:
    spec = python(f"import os\nopen('kept.txt', 'w').write('x')\n{ending}")
    outcome = own_slot.answer(replace(spec, limits=replace(LIMITS, cpu_time_secs=1)))
    assert verdict in repr(outcome)
    assert paths(collect(outcome.box, ("*.txt",), {})) == ["kept.txt"]


def test_links_pipes_sockets_and_folders_are_no_artifacts(own_slot: Slot) -> None:
    code = """
import os, socket
os.symlink('/etc/passwd', 'absolute')
os.symlink('../../../../etc/passwd', 'upwards')
os.symlink('/proc/1/root/etc/shadow', 'magic')
os.symlink('/', 'root')
os.symlink('self', 'self')
os.mkfifo('pipe')
socket.socket(socket.AF_UNIX).bind('socket')
os.mkdir('folder')
"""
    _, result = collected(own_slot, code)
    assert result.artifacts == ()
    found = {skipped.path: skipped.reason for skipped in result.skipped}
    assert found.keys() == {"absolute", "magic", "pipe", "root", "self", "socket", "upwards"}
    assert set(found.values()) == {"not_a_regular_file"}


@pytest.mark.parametrize(
    "path", ["../etc/passwd", "/etc/passwd", "a/../../etc/passwd", "link/passwd", "magic/fd", "..", ".", "a", "pipe"]
)
def test_no_path_leads_out_of_the_working_directory(own_slot: Slot, path: str) -> None:
    code = """
import os
os.mkdir('a'); os.symlink('/etc', 'link'); os.symlink('/proc/self', 'magic'); os.mkfifo('pipe')
"""
    outcome = own_slot.answer(python(code))
    box = outcome.box
    assert box is not None
    with pytest.raises((OSError, NotRegularFileError)), box.open_file(path):
        pass
    own_slot.settle()  # init, and with it the mount namespace, is gone
    outcome = own_slot.answer(python(code))
    own_slot._ending.await_reaped()  # type: ignore[union-attr]
    assert outcome.box is not None
    with pytest.raises((OSError, NotRegularFileError)), outcome.box.open_file(path):
        pass


def test_a_sparse_terabyte_counts_its_length_and_costs_no_read(own_slot: Slot) -> None:
    code = f"""
import os
os.truncate(os.open('terabyte', os.O_WRONLY | os.O_CREAT), 1 << 40)
os.truncate(os.open('largest', os.O_WRONLY | os.O_CREAT), {MOST_FILE_BYTES})
os.truncate(os.open('larger', os.O_WRONLY | os.O_CREAT), {MOST_FILE_BYTES + 1})
"""
    _, result = collected(own_slot, code)
    assert [(artifact.path, artifact.size) for artifact in result.artifacts] == [("largest", MOST_FILE_BYTES)]
    assert result.skipped == (Skipped("larger", "file_too_large"), Skipped("terabyte", "file_too_large"))


def test_all_files_together_are_bounded(own_slot: Slot) -> None:
    code = f"""
import os
for number in range(6):
    os.truncate(os.open(f'{{number}}', os.O_WRONLY | os.O_CREAT), {20 << 20})
"""
    _, result = collected(own_slot, code)
    assert paths(result) == ["0", "1", "2", "3", "4"]
    assert result.skipped == (Skipped("5", "total_too_large"),)


def test_changed_files_of_the_request_are_bounded_together_with_the_others(own_slot: Slot) -> None:
    names = tuple(f"{number}" for number in range(6))
    outcome = own_slot.answer(python(f"import os\nfor n in {names}: os.truncate(os.open(n, 65), {20 << 20})"))
    result = collect(outcome.box, names, dict.fromkeys(names, hashlib.sha256(b"").hexdigest()))
    assert paths(result) == ["0", "1", "2", "3", "4"]
    assert result.skipped == (Skipped("5", "total_too_large"),)


def test_of_ten_thousand_files_the_first_hundred_come_out(own_slot: Slot) -> None:
    outcome, result = collected(own_slot, "for number in range(10_000): open(f'{number:05}', 'w')")
    assert outcome.exit_code == 0, outcome.stderr
    assert paths(result) == [f"{number:05}" for number in range(MOST_FILES)]
    assert result.skipped == (Skipped("00100", "too_many_files"),)


def test_of_ten_thousand_links_the_first_are_named(own_slot: Slot) -> None:
    _, result = collected(own_slot, "import os\nfor n in range(10_000): os.symlink('/', f'{n:05}')\nopen('z', 'w')")
    assert paths(result) == ["z"]
    assert len(result.skipped) == MOST_SKIPPED


def test_a_deep_tree_is_left_at_its_depth(own_slot: Slot) -> None:
    code = """
import os
for _ in range(3000):
    open('file', 'w').close()
    os.mkdir('d')
    os.chdir('d')
"""
    outcome, result = collected(own_slot, code)
    assert outcome.exit_code == 0, outcome.stderr
    assert paths(result) == ["d/" * depth + "file" for depth in range(MOST_DEPTH)]
    assert result.skipped == (Skipped("/".join(["d"] * MOST_DEPTH), "too_deep"),)


def test_strange_names_are_skipped_and_shown_with_escapes(own_slot: Slot) -> None:
    code = r"""
import os
for name in (b'new\nline', b'\xff\xfe', 'right\u202eleft'.encode(), b'\x1b[2J', 'ä ü'.encode(), b'n' * 255):
    open(name, 'w')
os.mkdir(b'f' * 200); open(b'f' * 200 + b'/' + b'g' * 100, 'w')
os.mkdir(b'\xff'); open(b'\xff/inner', 'w')
"""
    _, result = collected(own_slot, code)
    assert paths(result) == ["n" * 255, "ä ü"]
    assert {skipped.reason for skipped in result.skipped} == {"name"}
    assert {skipped.path for skipped in result.skipped} == {
        r"new\nline",
        r"\xff\xfe",
        r"right\u202eleft",
        r"\x1b[2J",
        r"\xff",
        ("f" * 200 + "/" + "g" * 100)[:255],
    }


def test_modes_of_the_guest_decide_what_can_be_read(own_slot: Slot) -> None:
    code = """
import os
open('own', 'w').write('x'); os.chmod('own', 0o600)
open('hidden', 'w').write('x'); os.chmod('hidden', 0)
os.mkdir('closed'); open('closed/file', 'w'); os.chmod('closed', 0)
os.mkdir('private'); open('private/file', 'w'); os.chmod('private', 0o700)
"""
    _, result = collected(own_slot, code)
    assert paths(result) == ["own", "private/file"]
    assert result.skipped == (Skipped("hidden", "unreadable"), Skipped("closed", "unreadable"))
    assert Path("/etc/shadow").read_text(), "this thread has the rights of root again"


def test_hard_links_are_files_of_their_own(own_slot: Slot) -> None:
    code = """
import os
open('one', 'w').write('x'); os.link('one', 'two')
for target in ('/usr/bin/env', '/etc/hosts', '/proc/self/status'):
    try: os.link(target, 'foreign')
    except OSError: pass
"""
    _, result = collected(own_slot, code)
    assert paths(result) == ["one", "two"]


def test_a_given_file_is_an_artifact_only_when_it_has_changed(own_slot: Slot) -> None:
    _, result = collected(own_slot, "open('solution.py', 'r+').read()")
    assert result.artifacts == ()
    _, result = collected(own_slot, "import os\nopen('solution.py', 'a').write('#'); os.utime('solution.py', (0, 0))")
    assert paths(result) == ["solution.py"]


REPLACED = """
import os
os.rename('deep', 'moved')
os.mkdir('deep')
for name in ('fixed', 'shown'):
    open(f'deep/{name}', 'w').write('new')
"""


def test_a_read_only_file_is_an_artifact_only_when_another_one_is_in_its_place(own_slot: Slot, tmp_path: Path) -> None:
    """A program may rename the folder of such a file. A stored one is read while its mount exists, and afterwards."""
    content, digest = b"stored", hashlib.sha256(b"stored").hexdigest()
    folder = make_inputs_folder(str(tmp_path / "inputs"))
    (Path(folder) / digest).write_bytes(content)
    files = (
        InputFile("deep/fixed", 5, read_only=True, content=b"fixed"),
        InputFile("deep/shown", len(content), read_only=True, sha256=digest),
    )
    cases: Mapping[str, tuple[list[str], tuple[Skipped, ...]]] = {
        "": ([], ()),
        REPLACED: (["deep/fixed", "deep/shown", "moved/fixed"], (Skipped("moved/shown", "unreadable"),)),
    }
    for code, expected in cases.items():
        spec = python(code, inputs=files, inputs_folder=str(tmp_path / "inputs"))
        outcome = own_slot.answer(spec)
        assert (outcome.exit_code, outcome.stderr) == (0, b"")
        assert outcome.box is not None
        results = [collect(outcome.box, ANY_FILE, input_hashes(spec))]
        with closing(Box(os.dup(outcome.box._fd), own_slot.uid)) as later:
            own_slot.settle()
            results.append(collect(later, ANY_FILE, input_hashes(spec)))
        assert [(paths(result), result.skipped) for result in results] == [expected, expected]


def test_processes_that_write_until_the_end_change_nothing_while_it_is_read(own_slot: Slot) -> None:
    code = """
import os, time
for number in range(8):
    if os.fork() == 0:
        os.setsid()
        with open(f'grows-{number}', 'wb', buffering=0) as file:
            while True:
                file.write(b'x' * 4096)
                if file.tell() > 4 << 20: file.truncate(0); file.seek(0)
time.sleep(0.2)
"""
    outcome, result = collected(own_slot, code)
    assert outcome.box is not None
    assert result.artifacts
    for artifact in result.artifacts:
        content = content_of(outcome.box, artifact)
        assert hashlib.sha256(content).hexdigest() == artifact.sha256


def test_the_walk_ends_after_its_time(own_slot: Slot) -> None:
    outcome = own_slot.answer(python("for number in range(50): open(f'{number:05}', 'w')"))
    clock = iter(range(1000))
    result = collect(outcome.box, ANY_FILE, {}, clock=lambda: next(clock))
    assert len(result.artifacts) < 10
    assert result.skipped[-1] == Skipped("", "time")


def test_many_patterns_over_many_names_end_in_time(own_slot: Slot) -> None:
    outcome = own_slot.answer(python("for number in range(10_000): open('a' * 200 + f'{number:05}', 'w')"))
    assert outcome.exit_code == 0, outcome.stderr
    hostile = tuple("*a" * 120 + f"*{number}x" for number in range(16))
    assert collect(outcome.box, hostile, {}).artifacts == (), "a walk of 2 s; exponential matching would take years"


def test_a_prewarmed_run_keeps_its_box() -> None:
    with open_slot(slot_config("prewarmed-box", 53, warm=warm_start([PYTHON_LANGUAGE]))) as own:
        language = PYTHON_LANGUAGE
        spec = JailSpec(language.run_argv, LIMITS, language.guest_environment, family=language.family)
        for keeps_box in (True, False, True):
            own.prewarm(spec)
            files = (GuestFile("solution.py", b"open('made', 'w').write('x')"),)
            outcome = own.answer(replace(spec, files=files, keeps_box=keeps_box))
            assert (outcome.box is not None) == keeps_box
            if outcome.box is not None:
                assert paths(collect(outcome.box, ("made",), {})) == ["made"]


def test_the_python_init_serves_artifacts_too() -> None:
    with open_slot(slot_config("python-init-box", 54, small_init="")) as own:
        _, result = collected(own, "open('made', 'w').write('x')")
        assert paths(result) == ["made"]


def test_a_cancelled_run_keeps_its_files(own_slot: Slot) -> None:
    read_end, write_end = os.pipe()
    timer = threading.Timer(1, os.close, [write_end])
    timer.start()
    outcome = own_slot.answer(python("import time\nopen('made', 'w').write('x')\ntime.sleep(60)"), cancel_fd=read_end)
    timer.join()
    os.close(read_end)
    assert isinstance(outcome.box, Box)
    assert paths(collect(outcome.box, ("made",), {})) in (["made"], [])  # it may not have come to that


def test_files_of_the_last_run_cost_the_next_one_no_memory(own_slot: Slot) -> None:
    for _ in range(5):
        outcome = own_slot.answer(python("open('large', 'wb').write(bytes(100 << 20))"))
        assert outcome.exit_code == 0, outcome
    outcome = own_slot.answer(python("kept = bytearray(150 << 20)"))
    assert outcome.exit_code == 0
    outcome = own_slot.answer(python("print(1)", keeps_box=False))
    assert outcome.box is None


@pytest.mark.parametrize("language", ["python", "c", "java"])
def test_a_request_gets_what_its_program_made_and_changed(
    slot: Slot, languages: Mapping[str, Language], language: str
) -> None:
    sources = {
        "python": "open('made.txt', 'w').write('x'); open('changed.txt', 'a').write('y')",
        "c": '#include <stdio.h>\nint main(void) { fputs("x", fopen("made.txt", "w"));'
        ' fputs("y", fopen("changed.txt", "a")); return 0; }',
        "java": "import java.nio.file.*; class Main { public static void main(String[] a) throws Exception {"
        ' Files.writeString(Path.of("made.txt"), "x");'
        ' Files.writeString(Path.of("changed.txt"), "y", StandardOpenOption.APPEND); } }',
    }
    files = (
        PlacedFile("same.txt", read_only=False, content=b"same"),
        PlacedFile("changed.txt", read_only=False, content=b"old"),
        PlacedFile("fixed.txt", read_only=True, content=b"fixed"),
    )
    stored: dict[str, bytes] = {}

    def store(number: int, content: bytes) -> str:
        key = f"outputs/{asked.submission_id}/{asked.execution_id}/artifact-{number}"
        stored[key] = content
        return key

    asked = request(language, sources[language].encode()).changed(artifacts="changed", files=files)
    completed = execute(
        slot, asked, languages[language], node_id="tests", started_at=datetime.now(UTC), store_artifact=store
    )
    slot.settle()
    assert completed.result.verdict == "AC", completed
    assert completed.artifacts is not None
    assert [(file.path, stored[file.key]) for file in completed.artifacts] == [
        ("changed.txt", b"oldy"),
        ("made.txt", b"x"),
    ]
    assert completed.artifacts_skipped is None
    assert ExecutionCompleted.parse(completed.serialise()).artifacts == completed.artifacts
