"""Every program of `programs/` in the real jail: contained, the right verdict, and nothing left behind.

The first line of a program names the verdicts that are right for it. A program that can tell whether its attack
worked prints a line that begins with ESCAPED.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_runtime.jail import Slot
from sandbox_runtime.messages import ExecutionCompleted, InlineOutput, LimitOverrides

PROGRAMS = sorted((Path(__file__).parent / "programs").iterdir())
LANGUAGES = {".py": "python", ".c": "c", ".js": "javascript"}
# Less than the defaults, so that the endless programs end sooner. An emulated machine needs more for the others.
SLOWNESS = int(os.environ.get("RUSTBOX_TEST_SLOWNESS", "1"))
LIMITS = LimitOverrides(cpu_time_secs=min(15, SLOWNESS), wall_time_secs=min(25, 3 * SLOWNESS), memory_mb=128)


def output_of(completed: ExecutionCompleted) -> tuple[bytes, bytes]:
    assert isinstance(completed.stdout, InlineOutput)
    assert isinstance(completed.stderr, InlineOutput)
    return completed.stdout.content, completed.stderr.content


def host_state(slot: Slot) -> dict[str, object]:
    guests = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and entry.exists() and _owner(entry) == slot.uid
    ]
    return {
        "guests": guests,
        "mounts": Path("/proc/self/mountinfo").read_text().count("\n"),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "groups": len(
            [path for path in Path("/sys/fs/cgroup").glob("**/rustbox-*/*") if f"-{os.getpid()}-" in str(path)]
        ),
    }


def _owner(process: Path) -> int:
    try:
        return process.stat().st_uid
    except FileNotFoundError:
        return -1


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_hostile_program_is_contained(program: Path, run: Callable[..., ExecutionCompleted], slot: Slot) -> None:
    source = program.read_text()
    expected = source.splitlines()[0].partition("expect:")[2].split()
    assert expected, "the first line names the expected verdicts"
    before = host_state(slot)

    completed = run(LANGUAGES[program.suffix], source, limits=LIMITS)

    stdout, stderr = output_of(completed)
    assert completed.result.verdict in expected, (completed.result, stdout[-500:], stderr[-500:])
    assert b"ESCAPED" not in stdout, stdout
    assert completed.evidence is not None
    assert not completed.evidence.controls_missing
    assert completed.evidence.teardown.cleanup_verified
    assert host_state(slot) == before

    canary = run("python", "import sys; print(sys.stdin.read(), 6 * 7)", stdin=b"canary")
    assert canary.result.verdict == "AC"
    assert output_of(canary) == (b"canary 42\n", b"")
