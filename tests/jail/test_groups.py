"""Control groups of this kernel: memory that no limit would hold, and members that are not ours to kill."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, JailSpec, Limits, open_slot
from sandbox_runtime.jail.controls.cgroup import cgroup_backend, close_groups, interface, open_groups, v1, v2
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS

LIMITS = Limits(5 * SLOWNESS, 20 * SLOWNESS, 64 << 20, 4, 16, 1 << 20, 1000)
TRUE = JailSpec(argv=("/usr/bin/true",), limits=LIMITS)
NO_SWAP = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@pytest.fixture
def swaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """/proc/swaps of a host whose kernel has no limit of swap for a group."""
    monkeypatch.setattr(v1 if cgroup_backend() == "cgroup_v1" else v2, "_SWAP_LIMIT", "memory.none")
    path = tmp_path / "swaps"
    path.write_text(NO_SWAP)
    monkeypatch.setattr(interface, "_SWAPS", path)
    yield path
    assert not list(Path("/sys/fs/cgroup").glob("**/rustbox-*/swapping"))


def test_without_a_limit_of_swap_nothing_runs_on_a_host_that_has_some(swaps: Path) -> None:
    with open_slot(slot_config("swapping", 55)) as slot:
        assert slot.run(TRUE).evidence.controls_missing == ()
        swaps.write_text(NO_SWAP + "/dev/zram0 partition 1048572 0 100\n")
        with pytest.raises(JailError, match="swapoff"):
            slot.run(TRUE)
    with pytest.raises(JailError, match="swapoff"):
        open_slot(slot_config("swapping", 55))


def test_a_swap_limit_of_the_group_makes_host_swap_irrelevant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interface, "_SWAPS", tmp_path / "none")
    with open_slot(slot_config("limited", 56)) as slot:
        assert slot.run(TRUE).exit_code == 0


def test_groups_are_removed_when_a_process_in_them_dies_late(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = open_groups("dying")
    member = subprocess.Popen(["/usr/bin/sleep", "100"])
    (entry,) = (Path(f"/proc/self/fd/{fd}").readlink() for fd in groups.init_entry_fds)
    entry.write_text(str(member.pid))
    monkeypatch.setattr(interface, "_LONGEST_REMOVAL_SECS", 0)
    with pytest.raises(JailError, match="remove cgroup"):
        groups.close()
    monkeypatch.undo()
    again = open_groups("dying")
    killer = threading.Timer(0.3, member.kill)
    killer.start()
    close_groups(again)
    killer.join()
    assert member.wait() == -9
    assert not list(Path("/sys/fs/cgroup").glob(f"**/rustbox-*-{os.getpid()}-*/dying"))


KILL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sandbox_runtime.jail.controls.cgroup.detect import _kill_members
_kill_members(Path(sys.argv[2]))
print("alive")
"""


def test_a_member_that_the_kernel_calls_0_does_not_end_the_killer(tmp_path: Path) -> None:
    """A process of another pid namespace; kill(2) would take the number for the caller's own process group."""
    member = subprocess.Popen(["/usr/bin/sleep", "100"])
    (tmp_path / "cgroup.procs").write_text(f"0\n{member.pid}\n0\n")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-I", "-c", KILL, root, str(tmp_path)],
        capture_output=True,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (0, b"alive\n")
    assert member.wait() == -9
