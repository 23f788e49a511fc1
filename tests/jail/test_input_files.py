"""Files of a request in a run: where they lie, who owns them, who pays for them, and that no guest changes them."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox_runtime.jail import (
    GuestFile,
    InputFile,
    JailError,
    JailSpec,
    Outcome,
    Slot,
    StopReason,
    make_inputs_folder,
    open_slot,
)
from sandbox_runtime.jail.controls.own_inodes import open_inputs
from sandbox_runtime.jail.protocol import inputs_table
from sandbox_runtime.languages import LANGUAGES, warm_start
from tests.guest_files import guest
from tests.jail.slots import PYTHON, slot_config
from tests.jail.weakened.limits import SLOWNESS, SMALL

MIB = 1 << 20
LIMITS = replace(
    SMALL,
    cpu_time_secs=4 * SLOWNESS,
    wall_time_secs=15 * SLOWNESS,
    max_processes=8,
    max_open_files=32,
    max_file_bytes=100 * MIB,
    output_bytes=100_000,
)


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    """One slot for all tests, with a warm interpreter: a run must not be able to spoil the next one."""
    with open_slot(slot_config("inputs", 0, warm=warm_start(LANGUAGES))) as opened:
        yield opened


class Folder:
    """The folder of one request, as the runner makes it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path / "inputs")
        self._files = Path(make_inputs_folder(self.path))

    def store(self, path: str, content: bytes, *, read_only: bool) -> InputFile:
        digest = hashlib.sha256(content).hexdigest()
        place = self.place(digest)
        if not place.exists():
            place.write_bytes(content)
            place.chmod(0o444)
        return InputFile(path, len(content), read_only=read_only, sha256=digest)

    def place(self, digest: str) -> Path:
        return self._files / digest


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def inline(path: str, content: bytes, *, read_only: bool = False) -> InputFile:
    return InputFile(path, len(content), read_only=read_only, content=content)


def python(code: str, *inputs: InputFile, folder: Folder | None = None, memory_mb: int = 64) -> JailSpec:
    return JailSpec(
        argv=(PYTHON, "-u", "solution.py"),
        limits=replace(LIMITS, memory_bytes=memory_mb * MIB),
        environment=(("PATH", "/usr/bin:/bin"), ("HOME", "/box"), ("LANG", "C.UTF-8")),
        files=(GuestFile("solution.py", code.encode()),),
        inputs=inputs,
        inputs_folder="" if folder is None else folder.path,
    )


def printed(outcome: Outcome) -> Any:
    assert (outcome.exit_code, outcome.stderr) == (0, b""), outcome
    assert outcome.evidence.controls_missing == ()
    return json.loads(outcome.stdout)


TREE = guest("inputs/tree.py")


def test_files_lie_at_their_paths_and_belong_to_the_guest(slot: Slot, folder: Folder) -> None:
    files = (
        inline("a.txt", b"inline"),
        inline("deep/b/c/d/e/f/g/h.bin", bytes(range(256))),
        inline("deep/empty", b""),
        inline("deep/kept", b"read only", read_only=True),
        folder.store("data/copied", b"stored", read_only=False),
        folder.store("data/shown", b"stored", read_only=True),
        folder.store('data/of "another" name\\#%s é', b"stored", read_only=True),
    )
    found = printed(slot.run(python(TREE, *files, folder=folder)))
    folders = {".", "data", *("/".join(["deep", *"bcdefg"[:depth]]) for depth in range(7))}
    assert {path for path, (_, _, text) in found.items() if text is None} == folders
    assert all(found[path] == ["0o755", True, None] for path in folders)
    assert found["a.txt"] == ["0o644", True, "inline"]
    assert found["deep/b/c/d/e/f/g/h.bin"] == ["0o644", True, bytes(range(256)).decode("latin-1")]
    assert found["deep/empty"] == ["0o644", True, ""]
    assert found["deep/kept"] == ["0o444", False, "read only"]
    assert found["data/copied"] == ["0o644", True, "stored"]
    assert found["data/shown"] == found['data/of "another" name\\#%s é'] == ["0o444", False, "stored"]


WRITE = guest("inputs/write.py")


def test_no_guest_writes_through_a_read_only_file(slot: Slot, folder: Folder) -> None:
    shown = folder.store("shown", b"shared by all runs", read_only=True)
    before = folder.place(shown.sha256).stat()
    found = printed(slot.run(python(f"NAME = 'shown'\n{WRITE}", shown, folder=folder)))
    assert "done" not in found.values(), found
    after = folder.place(shown.sha256).stat()
    assert folder.place(shown.sha256).read_bytes() == b"shared by all runs"
    for fact in ("st_mode", "st_uid", "st_mtime_ns", "st_size"):
        assert getattr(before, fact) == getattr(after, fact)


def test_no_guest_changes_a_read_only_file_of_the_message(slot: Slot) -> None:
    found = printed(slot.run(python(f"NAME = 'kept'\n{WRITE}", inline("kept", b"text", read_only=True))))
    assert [name for name, how in found.items() if how == "done"] in ([], ["link"]), found


def test_a_read_only_file_keeps_its_name(slot: Slot, folder: Folder) -> None:
    code = """
import json, os
def outcome(act):
    try:
        act()
    except OSError as error:
        return error.strerror
print(json.dumps([outcome(lambda: os.unlink("shown")), outcome(lambda: os.rename("solution.py", "shown"))]))
"""
    found = printed(slot.run(python(code, folder.store("shown", b"text", read_only=True), folder=folder)))
    assert None not in found


def test_two_runs_with_the_same_writable_file_do_not_see_each_other(slot: Slot, folder: Folder) -> None:
    code = "import json\nwith open('data', 'r+') as file:\n    print(json.dumps(file.read()))\n    file.write('mark')\n"
    copied = folder.store("data", b"fresh", read_only=False)
    for _ in range(2):
        assert printed(slot.run(python(code, copied, folder=folder))) == "fresh"
    assert folder.place(copied.sha256).read_bytes() == b"fresh"


def test_a_guest_sees_no_other_file_of_the_folder_and_no_path_of_the_host(slot: Slot, folder: Folder) -> None:
    folder.store("unused", b"of another request", read_only=True)
    code = """
import json, os
seen = {path: os.listdir(path) for path in (".", "data", "/tmp", "/dev/shm")}
print(json.dumps([seen, open("/proc/self/mountinfo").read()]))
"""
    seen, mounts = printed(slot.run(python(code, folder.store("data/x", b"text", read_only=True), folder=folder)))
    assert seen == {".": seen["."], "data": ["x"], "/tmp": [], "/dev/shm": []}
    assert sorted(seen["."]) == ["data", "solution.py"]
    assert folder.path not in mounts
    assert str(Path(folder.path).parent.name) not in mounts


def test_runs_share_no_inode_of_a_read_only_file(slot: Slot, folder: Folder) -> None:
    code = "import json, os\nfacts = os.stat('x')\nprint(json.dumps([facts.st_dev, facts.st_ino]))\n"
    shown = folder.store("x", b"text", read_only=True)
    host = folder.place(shown.sha256).stat()
    of_folder = open_inputs(folder.path)  # an overlay as another run has it at the same time
    try:
        other = os.stat(shown.sha256, dir_fd=of_folder)
        device, _ = printed(slot.run(python(code, shown, folder=folder)))
    finally:
        os.close(of_folder)
    assert device not in {host.st_dev, other.st_dev}


def test_copies_count_as_the_guests_memory(slot: Slot, folder: Folder) -> None:
    content = os.urandom(24 * MIB)
    copied = folder.store("large", content, read_only=False)
    outcome = slot.run(python("print(0)", copied, folder=folder))
    assert printed(outcome) == 0
    assert outcome.memory_peak_bytes >= len(content)
    shown = replace(copied, read_only=True)
    code = "import json\nwith open('large', 'rb') as file:\n  while part := file.read(1 << 16): pass\nprint(0)"
    outcome = slot.run(python(code, shown, folder=folder, memory_mb=20))
    assert printed(outcome) == 0
    assert outcome.memory_peak_bytes < len(content)


def test_copies_beyond_the_memory_limit_are_the_guests_failure(slot: Slot, folder: Folder) -> None:
    copied = folder.store("large", os.urandom(48 * MIB), read_only=False)
    outcome = slot.run(python("print(0)", copied, folder=folder, memory_mb=32))
    assert outcome.stop_reason is StopReason.OOM_KILL
    assert outcome.stdout == b""
    assert printed(slot.run(python("print(0)"))) == 0


def test_what_a_guest_unpacks_counts_as_its_memory(slot: Slot, folder: Folder) -> None:
    packed = folder.store("bomb.gz", gzip.compress(bytes(200 * MIB), 1), read_only=True)
    code = "import gzip, shutil\nshutil.copyfileobj(gzip.open('bomb.gz'), open('unpacked', 'wb'))\n"
    spec = python(code, packed, folder=folder, memory_mb=48)
    outcome = slot.run(replace(spec, limits=replace(spec.limits, max_file_bytes=1 << 30)))
    assert outcome.stop_reason is StopReason.OOM_KILL


@pytest.mark.parametrize("name", ["queue.py", "json/__init__.py", "random.py"])
def test_a_module_of_the_request_comes_before_one_of_the_interpreter(slot: Slot, name: str) -> None:
    module = name.partition(".")[0].partition("/")[0]
    code = f"import {module}\nprint({module}.answer)"
    assert printed(slot.run(python(code, inline(name, b"answer = 42\n")))) == 42


def test_a_script_imports_its_modules_and_packages(slot: Slot) -> None:
    files = (inline("helper.py", b"import pkg.sub\nanswer = pkg.sub.value\n"), inline("pkg/sub.py", b"value = 7\n"))
    assert printed(slot.run(python("import helper\nprint(helper.answer)", *files))) == 7


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//x", "a/.", "", "x\0"])
def test_a_path_out_of_the_working_directory_is_refused(path: str) -> None:
    with pytest.raises(JailError, match="place file"):
        inputs_table((inline(path, b""),))


def test_a_missing_file_fails_before_guest_code(folder: Folder) -> None:
    with open_slot(slot_config("inputs-failing", 1)) as other, pytest.raises(JailError, match="place the files"):
        other.run(python("print(0)", InputFile("x", 3, sha256="0" * 64), folder=folder))


def test_a_file_that_is_shorter_than_announced_fails_before_guest_code(folder: Folder) -> None:
    stored = folder.store("x", b"abc", read_only=False)
    with open_slot(slot_config("inputs-failing", 1)) as other, pytest.raises(JailError, match="place the files"):
        other.run(python("print(0)", replace(stored, size=4), folder=folder))


def test_a_compile_step_gets_files_too(slot: Slot, folder: Folder) -> None:
    code = "open('made', 'w').write(open('a/in').read() + open('b').read())"
    spec = python(code, inline("a/in", b"one "), folder.store("b", b"two", read_only=True), folder=folder)
    outcome = slot.run(replace(spec, artifact="made", artifact_max_bytes=100))
    assert outcome.artifact == b"one two"


def test_a_run_with_files_after_a_pre_warmed_one_does_not_use_it(slot: Slot) -> None:
    spec = python("print(open('a').read())", inline("a", b"1"))
    slot.prewarm(replace(spec, inputs=(), files=()))
    assert printed(slot.run(spec)) == 1


def test_a_read_only_file_larger_than_the_memory_limit_is_read_from_the_disk(slot: Slot, folder: Folder) -> None:
    shown = folder.store("large", os.urandom(MIB) * 80, read_only=True)
    fd = os.open(folder.place(shown.sha256), os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # as after an eviction: the guest is charged for its pages
    os.close(fd)
    code = "size = 0\nfile = open('large', 'rb')\nwhile part := file.read(1 << 16): size += len(part)\nprint(size)"
    for _ in range(2):
        outcome = slot.run(python(code, shown, folder=folder, memory_mb=32))
        assert printed(outcome) == 80 * MIB
        assert outcome.memory_peak_bytes <= 32 * MIB
