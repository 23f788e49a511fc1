"""Files that all guests can read: none has an inode of the host or of another slot, so no lock would be shared."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import BindMount, Outcome, Slot, SlotConfig, WarmStart, open_slot
from sandbox_runtime.languages import Language, binds
from tests.guest_files import guest
from tests.jail.neighbours import python, run_client_beside_server
from tests.jail.slots import PYTHON, PYTHON_FORK, TOOLCHAINS, slot_config
from tests.jail.weakened.slots import WeakenedSlot

ALL_PLACES = guest("inodes/all_places.py")
HOLD = ALL_PLACES + "import ctypes, signal\nctypes.CDLL(None).prctl(15, b'neighbour')\nsignal.pause()\n"
# In the warm interpreter and in one that is started for the run.
STARTS = {"warm": True, "cold": False} if PYTHON_FORK else {"cold": False}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(scope="module")
def shown(languages: Mapping[str, Language]) -> tuple[BindMount, ...]:
    return binds(tuple(languages.values()), TOOLCHAINS)


def config_of(config: SlotConfig, shown: tuple[BindMount, ...], *, is_warm: bool) -> SlotConfig:
    command = python("")
    warm = WarmStart(command.argv, command.environment, ()) if is_warm else None
    return replace(config, binds=shown, warm=warm)


def inodes(outcome: Outcome) -> dict[str, str]:
    """Device and inode by path, as a guest saw them."""
    lines = (line.split(" ", 1) for line in outcome.stdout.decode().splitlines())
    return {path: inode for inode, path in lines if path != "places"}


def hosts_inode(path: str) -> str:
    facts = Path(path).stat()
    return f"{facts.st_dev}:{facts.st_ino}"


@pytest.mark.parametrize("start", STARTS)
def test_no_file_of_a_guest_has_an_inode_of_the_host_or_of_the_slot_beside_it(
    stack: ExitStack, shown: tuple[BindMount, ...], start: str
) -> None:
    def make(config: SlotConfig) -> Slot:
        return open_slot(config_of(config, shown, is_warm=STARTS[start]))

    holder, visitor = run_client_beside_server(stack, make, HOLD, ALL_PLACES)
    assert holder.stdout.endswith(b" places\n")
    left, right = inodes(holder), inodes(visitor)
    assert left.keys() == right.keys() >= {"/proc/self/exe", "/usr/bin/true", "/dev/null"}
    assert not set(left.values()) & set(right.values())
    assert hosts_inode("/usr/bin/true") not in left.values()
    assert hosts_inode(os.path.realpath(PYTHON)) not in left.values()
    assert holder.evidence.controls_missing == visitor.evidence.controls_missing == ()


@pytest.mark.parametrize("start", STARTS)
def test_with_the_hosts_inodes_it_would(stack: ExitStack, shown: tuple[BindMount, ...], start: str) -> None:
    def make(config: SlotConfig) -> Slot:
        return WeakenedSlot(config_of(config, shown, is_warm=STARTS[start]), "own_inodes")

    holder, visitor = run_client_beside_server(stack, make, HOLD, ALL_PLACES)
    left, right = inodes(holder), inodes(visitor)
    shared = {path for path, inode in left.items() if right[path] == inode}
    assert shared >= {"/usr/bin/true", "/usr/lib", "/dev/null", "/dev/urandom"}
    assert {bind.target for bind in shown} & shared
    assert not shared & {"/", "/etc/ld.so.cache"}
    assert left["/usr/bin/true"] == hosts_inode("/usr/bin/true")
    assert "own_inodes" in visitor.evidence.controls_missing
    assert holder.stdout.endswith(b" places\n")


OWN_FILES = """
import os
print(os.stat("/usr/lib/os-release").st_dev, os.stat("/dev/null").st_dev)
"""


def test_two_slots_have_file_systems_of_their_own(stack: ExitStack) -> None:
    slots = [stack.enter_context(open_slot(slot_config(f"own-{number}", number))) for number in (12, 13)]
    devices = [slot.run(python(OWN_FILES)).stdout.split() for slot in slots]
    hosts = [str(Path(path).stat().st_dev).encode() for path in ("/usr/lib/os-release", "/dev/null")]
    assert len({*devices[0], *devices[1], *hosts}) == 6


def test_the_host_keeps_its_mounts() -> None:
    """All is mounted in the namespaces of templates, also the overlay that a warm interpreter is started from."""
    warm = f'WarmStart(("{PYTHON}", "-u", "solution.py"), (), ())' if PYTHON_FORK else "None"
    code = f"""
import sys
sys.path.insert(0, sys.argv[1])
from sandbox_runtime.jail import SlotConfig, WarmStart, open_slot
before = open("/proc/self/mountinfo").read()
with open_slot(SlotConfig("mounts", 14, warm={warm})):
    assert open("/proc/self/mountinfo").read() == before
"""
    root = str(Path(__file__).parents[2])
    # In a namespace whose mounts spread: others may mount on this machine meanwhile.
    shared = ("/usr/bin/unshare", "--mount", "/bin/sh", "-c", 'mount --make-rshared / && exec "$@"', "sh")
    done = subprocess.run([*shared, sys.executable, "-c", code, root], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# A root of the runner that is an overlay itself, as in a container, or an overlay on an overlay.
ON_OVERLAYS = guest("inodes/on_overlays.py")


@pytest.mark.parametrize(("overlays", "missing"), [(0, ""), (1, ""), (2, "own_inodes")])
def test_a_root_may_be_an_overlay_but_none_on_another(overlays: int, missing: str) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", ON_OVERLAYS, root, str(overlays)], capture_output=True, check=False, text=True
    )
    assert done.stderr == ""
    found, said = done.stdout.splitlines()
    assert found == missing
    assert ("CONFIG_OVERLAY_FS" in said) == bool(missing)
