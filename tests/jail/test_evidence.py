"""Each control, switched off alone in a test-only template, is what is reported missing, and what the floor stops.

The changes are made in the template's process by name; a name that is gone ends the template, and the test fails.
"""

import textwrap

import pytest

from sandbox_runtime.jail import CONTROLS, JailError, JailSpec, open_slot
from sandbox_runtime.jail.controls.cgroup.detect import bases_v1
from tests.choice import whole_but
from tests.jail.changed_slots import OTHER_INIT, ChangedSlot
from tests.jail.hostile.catalogue import UNPROVABLE
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SMALL

LIMITS = SMALL
TRUE = JailSpec(argv=("/usr/bin/true",), limits=LIMITS)


_WITHOUT_MOUNT = """
mount = syscalls.mount
def weakened(source, target, kind, flags, data=""):
    if not ({condition}):
        mount(source, target, kind, flags, data)
syscalls.mount = weakened
"""
_WITHOUT_ENTRY = """
enter = program.enter_groups
program.enter_groups = lambda fds: enter({fds})
"""
_BECOME_GUEST = """
def weakened(uid):
    {body}
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
identity.become_guest = weakened
"""
# Without no_new_privs only a privileged process may load a filter: it goes first, then the user id.
_WITHOUT_NO_NEW_PRIVILEGES = """
load, become_program, waiting = Program.load, program.become_program, []
def remember(request, descriptors, terms, its_filter, script):
    waiting.append(its_filter)
    become_program(request, descriptors, terms, its_filter, script)
def become_guest(uid):
    os.setgroups([]); os.setresgid(uid, uid, uid)
    load(waiting[0])
    os.setresuid(uid, uid, uid)
program.become_program, identity.become_guest, Program.load = remember, become_guest, lambda self: None
"""

_WITHOUT_OWN_GROUP = """
really_start, nowhere = small_init.SmallInit.start, os.open("/dev/null", os.O_WRONLY)
small_init.SmallInit.start = lambda init, flags, status_fd, _: really_start(init, flags, status_fd, nowhere)
"""

CHANGES = {
    # /usr/bin/true harms nobody whose namespace it shares; the host's name must not be set.
    # The small init is process 1 or nothing: see below.
    "pid_namespace": "share_namespace(syscalls.CLONE_NEWPID); small_init.load = lambda _: None",
    "mount_namespace": "share_namespace(syscalls.CLONE_NEWNS)",
    "network_namespace": "share_namespace(syscalls.CLONE_NEWNET)",
    "ipc_namespace": "share_namespace(syscalls.CLONE_NEWIPC)",
    "uts_namespace": "share_namespace(syscalls.CLONE_NEWUTS); socket.sethostname = lambda name: None",
    "cgroup_namespace": "unshare = os.unshare; os.unshare = lambda what: what == os.CLONE_NEWCGROUP or unshare(what)",
    "process_limit": _WITHOUT_OWN_GROUP,
    "memory_limit": _WITHOUT_ENTRY.format(fds="fds[1:] if len(fds) > 1 else fds"),
    "cpu_limit": _WITHOUT_ENTRY.format(fds="fds[:1] + fds[2:]"),
    "cpu_share": _WITHOUT_ENTRY.format(fds="fds[:2]"),
    "unprivileged_user": _BECOME_GUEST.format(body="os.setgroups([]); os.setresuid(uid, uid, uid)"),
    "dedicated_user": _BECOME_GUEST.format(
        body="os.setgroups([uid + 1]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)"
    ),
    "no_capabilities": "syscalls.drop_bounding_set = lambda: None",
    "no_new_privileges": _WITHOUT_NO_NEW_PRIVILEGES,
    "seccomp": "Program.load = lambda self: None",
    "read_only_root": _WITHOUT_MOUNT.format(condition='target == "/" and flags & syscalls.MS_REMOUNT'),
    "private_mounts": _WITHOUT_MOUNT.format(condition='target == "/dev/shm"'),
    "own_inodes": "own_inodes._overlay = refuse",
    "rlimits": "rlimits.apply = lambda limits, **_: None",
}
# The same where the other init is used: for a file that it copies out, and on other machines.
OF_PROCESS_1 = {"pid_namespace", "process_limit", "seccomp"}
OTHERS = {"process_limit": _WITHOUT_ENTRY.format(fds="fds if len(fds) > 1 else ()")}
# What a container sets for every process in it cannot be switched off there; its own filter is told from ours.
SWITCHABLE = tuple(name for name in CONTROLS if name != "no_new_privileges" or name not in UNPROVABLE)
# In the one tree of cgroup v2 a process is in all groups or in none.
GROUP_CONTROLS = {"memory_limit", "process_limit", "cpu_limit", "cpu_share"}
CPU_CONTROLS = {"cpu_limit", "cpu_share"}  # of one hierarchy, where v1's cpu and cpuacct are mounted together


def without(control: str, *, backend: str | None) -> tuple[str, set[str]]:
    """The change, and the controls that it takes away."""
    if control in GROUP_CONTROLS and backend == "cgroup_v2":
        return _WITHOUT_ENTRY.format(fds="()"), GROUP_CONTROLS
    if control in CPU_CONTROLS and bases_v1()["cpu"] == bases_v1()["cpuacct"]:
        return _WITHOUT_ENTRY.format(fds="fds[:1]"), CPU_CONTROLS
    return CHANGES[control], {control}


@pytest.fixture(scope="module")
def backend() -> str | None:
    with open_slot(slot_config("whole", 40)) as slot:
        evidence = slot.run(TRUE).evidence
    assert (evidence.controls_applied, evidence.controls_missing) == (CONTROLS, ())
    return evidence.cgroup_backend


def test_every_control_has_a_test_that_switches_it_off() -> None:
    assert set(CHANGES) == set(CONTROLS)


@pytest.mark.parametrize(
    ("control", "other_init"),
    [
        pytest.param(control, other, id=f"{control}-{'other' if other else 'small'} init", marks=marks)
        for control in SWITCHABLE
        # The supervisor finds out the same way, whatever is process 1.
        for other, marks in ((False, ()), (True, () if control in OF_PROCESS_1 else pytest.mark.whole))
    ],
)
def test_a_control_that_is_off_is_reported_missing_and_no_other(
    control: str, backend: str | None, *, other_init: bool
) -> None:
    change, expected = without(control, backend=backend)
    if other_init:
        change = OTHER_INIT + (OTHERS.get(control, change) if len(expected) == 1 else change)
    with ChangedSlot(slot_config("weakened", 41, required_controls=()), change) as slot:
        outcome = slot.run(TRUE)
    assert set(outcome.evidence.controls_missing) == expected
    assert set(outcome.evidence.controls_applied) == set(CONTROLS) - expected
    assert (outcome.exit_code, outcome.evidence.cleanup_verified) == (0, True)


# If the floor let it pass, the guest's start would be the failure that is seen.
_SHOW_EXEC = """
def start(request):
    raise syscalls.JailError("the guest was started")
program._execute = start
"""


# The test above has every control; each missing one is compared with the floor in the same way.
@pytest.mark.parametrize("control", whole_but(SWITCHABLE, SWITCHABLE[::6]))
def test_below_the_floor_the_guest_is_not_started(control: str, backend: str | None) -> None:
    change, expected = without(control, backend=backend)
    with ChangedSlot(slot_config("weakened", 42, required_controls=CONTROLS), change + _SHOW_EXEC) as slot:
        with pytest.raises(JailError) as caught:
            slot.run(TRUE)
        assert not slot.healthy
    assert caught.value.step == "confirm controls"
    assert set(caught.value.target.split(", ")) == expected


def test_a_floor_that_does_not_name_the_missing_control_lets_the_guest_start() -> None:
    floor = tuple(name for name in CONTROLS if name != "seccomp")
    with ChangedSlot(slot_config("weakened", 43, required_controls=floor), CHANGES["seccomp"]) as slot:
        assert slot.run(TRUE).evidence.controls_missing == ("seccomp",)


def test_a_filter_that_was_there_before_is_not_taken_for_ours() -> None:
    """As in a container, whose own filter every process has. This one allows everything."""
    own = """\
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
    Program([(0x06, 0, 0, 0x7FFF0000)]).load()
    """
    with ChangedSlot(slot_config("contained", 48), own) as slot:
        assert slot.run(TRUE).evidence.controls_missing == ()
    own = textwrap.dedent(own) + CHANGES["seccomp"]
    with ChangedSlot(slot_config("contained", 48, required_controls=()), own) as slot:
        assert slot.run(TRUE).evidence.controls_missing == ("seccomp",)


def test_a_misspelt_floor_is_refused_before_a_slot_is_opened() -> None:
    with pytest.raises(ValueError, match="secomp"):
        slot_config("typo", 44, required_controls=("secomp",))


def test_proc_of_all_processes_is_no_private_mount() -> None:
    change = "mounts._PROC_OPTIONS = ('hidepid=invisible',)"
    with ChangedSlot(slot_config("weakened", 45, required_controls=()), change) as slot:
        assert slot.run(TRUE).evidence.controls_missing == ("private_mounts",)


def test_a_setuid_mount_is_no_read_only_root() -> None:
    change = """
    mount = syscalls.mount
    def weakened(source, target, kind, flags, data=""):
        mount(source, target, kind, flags & ~syscalls.MS_NOSUID if target.endswith("/usr") else flags, data)
    syscalls.mount = weakened
    """
    with ChangedSlot(slot_config("weakened", 46, required_controls=()), change) as slot:
        assert slot.run(TRUE).evidence.controls_missing == ("read_only_root",)


def test_a_program_that_ends_before_it_reports_is_our_failure() -> None:
    change = "program._confirm = lambda controls, required: os._exit(0)"
    with ChangedSlot(slot_config("weakened", 47), change) as slot, pytest.raises(JailError, match="start the program"):
        slot.run(TRUE)
