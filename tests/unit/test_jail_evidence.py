"""Controls are judged from what was measured; what was not seen, or has another shape, is missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import CONTROLS, STRICT_CONTROLS, CgroupUsage, JailSpec, Limits, SlotConfig, not_in_force
from sandbox_runtime.jail.controls.own_inodes import SOURCE
from sandbox_runtime.jail.evidence import (
    GROUP_CONTROLS,
    NAMESPACES,
    Measured,
    Mounted,
    controls,
    gather,
    measure,
    mount_table,
)
from sandbox_runtime.jail.evidence import usage as run_usage
from sandbox_runtime.jail.protocol import Terms
from sandbox_runtime.jail.python_fork import WarmStart
from tests.runner_doubles import USAGE
from tests.unit.jail_doubles import LIMITS, NOTHING

UID = 123_456
HOST = {name: f"{name}:[1]" for name in (*NAMESPACES, "user")}
TEMPLATE = {**HOST, "mnt": "mnt:[2]"}
TERMS = Terms(
    control_fd=3,
    uid=UID,
    runner_uid=0,
    binds=(),
    outer_namespaces=(HOST, TEMPLATE),
    membership_marker="/slot-0",
    required_controls=CONTROLS,
    shares_cpu=True,
    outer_filters=1,
)
STATUS = {
    "Uid": [str(UID)] * 4,
    "Gid": [str(UID)] * 4,
    "Groups": [],
    **{name: ["0000000000000000"] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
    "NoNewPrivs": ["1"],
    "Seccomp": ["2"],
    "Seccomp_filters": ["2"],
}


def mounted(point: str, kind: str, *options: str, source: str = SOURCE) -> Mounted:
    return Mounted(point, kind, f",{','.join(options)},", source)


MOUNTS = (
    mounted("/", "tmpfs", "ro", "nosuid"),
    mounted("/usr", "overlay", "ro", "nosuid", "nodev"),
    mounted("/dev/null", "overlay", "rw", "nosuid", "noexec"),
    mounted("/proc", "proc", "ro", "nosuid", "nodev", "noexec", "subset=pid", "hidepid=invisible"),
    mounted("/tmp", "tmpfs", "rw", "nosuid", "nodev", "noexec"),
    mounted("/dev/shm", "tmpfs", "rw", "nosuid", "nodev", "noexec"),
    mounted("/box", "tmpfs", "rw", "nosuid", "nodev"),
)
GROUPS_V1 = "3:memory:/x/slot-0\n2:pids:/slot-0\n1:cpu,cpuacct:/slot-0\n0::/\n"
MEASURED = Measured(
    namespaces={name: f"{name}:[9]" for name in NAMESPACES},
    user_namespace=HOST["user"],
    status=STATUS,
    groups=GROUPS_V1,
    mounts=MOUNTS,
    rlimits_in_force=True,
    executable_device=7,
)


def missing(measured: Measured, terms: Terms = TERMS) -> tuple[str, ...]:
    return not_in_force(controls(measured, terms), CONTROLS)


def test_all_controls_are_found_in_a_whole_measurement() -> None:
    assert missing(MEASURED) == ()
    assert missing(replace(MEASURED, groups="0::/base/slot-0\n")) == ()


def test_a_member_of_groups_without_the_cpu_controller_has_no_share() -> None:
    assert missing(replace(MEASURED, groups="0::/base/slot-0\n"), replace(TERMS, shares_cpu=False)) == ("cpu_share",)


def test_nothing_measured_is_nothing_in_force() -> None:
    empty = Measured({}, "", {}, "", (), rlimits_in_force=False, executable_device=0)
    assert missing(empty) == CONTROLS
    assert missing(MEASURED, replace(TERMS, outer_namespaces=())) == (
        *(name for name in CONTROLS if name.endswith("_namespace")),
        "dedicated_user",
    )


@pytest.mark.parametrize("outer", ["host", "template"])
@pytest.mark.parametrize("name", NAMESPACES)
def test_a_namespace_that_is_the_hosts_or_the_templates_is_missing(name: str, outer: str) -> None:
    shared = (HOST if outer == "host" else TEMPLATE)[name]
    (found,) = missing(replace(MEASURED, namespaces={**MEASURED.namespaces, name: shared}))
    assert found.endswith("_namespace")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"Uid": ["0"] * 4}, ("unprivileged_user", "dedicated_user")),
        ({"Uid": [str(UID), str(UID), "0", str(UID)]}, ("unprivileged_user", "dedicated_user")),
        ({"Gid": ["0"] * 4}, ("unprivileged_user",)),
        ({"Groups": ["4"]}, ("dedicated_user",)),
        ({"CapBnd": ["0000000000000001"]}, ("no_capabilities",)),
        ({"CapAmb": []}, ("no_capabilities",)),
        ({"CapEff": ["zero"]}, ("no_capabilities",)),
        ({"NoNewPrivs": ["0"]}, ("no_new_privileges",)),
        ({"Seccomp": ["1"]}, ("seccomp",)),
        ({"Seccomp": []}, ("seccomp",)),
        # A container's own filter is there without ours.
        ({"Seccomp_filters": ["1"]}, ("seccomp",)),
        ({"Seccomp_filters": []}, ("seccomp",)),
        ({"Seccomp_filters": ["many"]}, ("seccomp",)),
    ],
)
def test_each_line_of_the_status_is_judged(status: dict[str, list[str]], expected: tuple[str, ...]) -> None:
    assert missing(replace(MEASURED, status={**STATUS, **status})) == expected


def test_a_kernel_that_counts_no_filters_shows_none_of_ours() -> None:
    counted_not = {key: words for key, words in STATUS.items() if key != "Seccomp_filters"}
    assert missing(replace(MEASURED, status=counted_not)) == ("seccomp",)
    assert missing(MEASURED, replace(TERMS, outer_filters=None)) == ("seccomp",)


def test_user_id_0_is_privileged_even_if_it_was_asked_for() -> None:
    measured = replace(MEASURED, status={**STATUS, "Uid": ["0"] * 4, "Gid": ["0"] * 4})
    assert "unprivileged_user" in missing(measured, replace(TERMS, uid=0))


def test_in_a_user_namespace_the_user_id_is_the_runners_own() -> None:
    assert missing(replace(MEASURED, user_namespace="user:[9]")) == ("dedicated_user",)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("", GROUP_CONTROLS),
        ("0::/base/other\n", GROUP_CONTROLS),
        (GROUPS_V1.replace("memory:/x/slot-0", "memory:/x"), ("memory_limit",)),
        (GROUPS_V1.replace("pids:/slot-0", "pids:/slot-0/inner"), ("process_limit",)),
        (GROUPS_V1.replace("cpuacct:/slot-0", "cpuacct:/slot-1"), ("cpu_limit", "cpu_share")),
        (GROUPS_V1.replace("cpu,cpuacct:/slot-0", "cpuacct:/slot-0\n4:cpu:/"), ("cpu_share",)),
        ("broken", GROUP_CONTROLS),
    ],
)
def test_membership_is_read_from_the_groups_of_the_process(groups: str, expected: tuple[str, ...]) -> None:
    assert missing(replace(MEASURED, groups=groups)) == expected


def test_without_a_marker_no_group_is_the_slots() -> None:
    assert missing(MEASURED, replace(TERMS, membership_marker="")) == GROUP_CONTROLS


def changed(point: str, **changes: str) -> tuple[Mounted, ...]:
    return tuple(mount._replace(**changes) if mount.point == point else mount for mount in MOUNTS)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ((), ("read_only_root", "private_mounts", "own_inodes")),
        (MOUNTS[1:], ("read_only_root",)),
        (changed("/usr", options=",rw,nosuid,"), ("read_only_root",)),
        (changed("/usr", options=",ro,"), ("read_only_root",)),
        ((*MOUNTS, mounted("/data", "ext4", "rw", "nosuid")), ("read_only_root",)),
        (changed("/tmp", kind="ext4"), ("private_mounts",)),
        (changed("/box", options=",rw,nosuid,"), ("private_mounts",)),
        (changed("/dev/shm", options=",rw,nosuid,nodev,"), ("private_mounts",)),
        (changed("/proc", options=MOUNTS[3].options.replace("subset=pid,", "")), ("private_mounts",)),
        # The last one mounted on a point is the one that is seen.
        ((*MOUNTS, mounted("/tmp", "ext4", "rw", "nosuid")), ("private_mounts",)),
    ],
)
def test_the_mount_table_is_judged(mounts: tuple[Mounted, ...], expected: tuple[str, ...]) -> None:
    assert missing(replace(MEASURED, mounts=mounts)) == expected


@pytest.mark.parametrize("kind", ["ext4", "overlay"])
@pytest.mark.parametrize("point", ["/usr", "/dev/null", "/opt/rustbox/c"])
def test_a_bind_mount_has_the_inodes_of_the_host_or_of_a_container(point: str, kind: str) -> None:
    bound = mounted(point, kind, "ro", "nosuid", "nodev", source="overlay")
    assert missing(replace(MEASURED, mounts=(*MOUNTS, bound))) == ("own_inodes",)


def test_a_warm_interpreter_of_the_hosts_file_system_has_the_hosts_inode() -> None:
    warm = replace(TERMS, warm=WarmStart(("/usr/bin/python3", "solution.py"), (), ()), interpreter_device=3)
    assert missing(MEASURED, warm) == ()
    assert missing(MEASURED, replace(warm, interpreter_device=MEASURED.executable_device)) == ("own_inodes",)


LINE = "36 35 98:0 / /usr ro,nosuid,relatime shared:1 master:2 - ext4 /dev/sda rw,errors=remount-ro\n"


def test_the_mount_table_is_read_whole() -> None:
    bare = "37 35 0:1 /a\\040b /x-y rw - tmpfs  rw,size=1k\n"
    assert mount_table(LINE + bare) == (
        Mounted("/usr", "ext4", ",ro,nosuid,relatime,rw,errors=remount-ro,", "/dev/sda"),
        Mounted("/x-y", "tmpfs", ",rw,rw,size=1k,", ""),
    )


@pytest.mark.parametrize(
    "line", ["36 35 98:0 / /usr ro\n", "what is this\n", "\n", LINE.replace(" - ", " "), LINE + " \n"]
)
def test_a_mount_that_cannot_be_read_is_not_passed_over(line: str) -> None:
    with pytest.raises(ValueError, match="mountinfo"):
        mount_table(LINE + line)


def test_a_real_process_can_be_measured_and_has_no_control_of_its_own() -> None:
    measured = measure(Limits(1, 1, 1 << 20, 1, 4, 1, 1), Path("/proc/self/cgroup").read_text())
    own = (dict(measured.namespaces),)
    found = controls(measured, replace(TERMS, outer_namespaces=own))
    assert not any(found[name] for name in CONTROLS if name.endswith("_namespace"))
    assert any(mount.point == "/" for mount in measured.mounts)
    assert set(measured.status) >= {"Uid", "CapBnd", "NoNewPrivs", "Seccomp", "Seccomp_filters"}


def test_a_clock_that_stood_still_accounted_nothing() -> None:
    found = dict.fromkeys(CONTROLS, True)
    still = gather(found, "cgroup_v2", replace(USAGE, cpu_usage_usec=0), ())
    assert still.controls_missing == ("cpu_limit",)
    assert gather(found, "cgroup_v2", USAGE, ()).controls_missing == ()


def test_a_run_that_never_reported_had_no_control() -> None:
    evidence = gather(None, "cgroup_v1", USAGE, ())
    assert (evidence.controls_applied, evidence.controls_missing) == ((), CONTROLS)


def usage(**changes: int) -> CgroupUsage:
    return replace(USAGE, **changes)


@pytest.mark.parametrize(
    ("oom_kills", "limit_hits", "expected"), [(0, 0, (0, 0)), (0, 1, (0, 0)), (2, 1, (2, 2)), (2, 0, (0, 2))]
)
def test_only_kills_at_the_runs_own_limit_are_its_own(
    oom_kills: int, limit_hits: int, expected: tuple[int, int]
) -> None:
    start = replace(NOTHING, oom_kills=5, limit_hits=7)
    end = replace(start, oom_kills=5 + oom_kills, limit_hits=7 + limit_hits)
    found = run_usage(JailSpec(("true",), LIMITS), start, end)
    assert (found.oom_events, found.oom_kill_events) == expected


def test_a_process_that_is_left_over_is_not_cleaned_up() -> None:
    assert gather({}, "cgroup_v1", usage(process_count=0), ()).cleanup_verified
    assert gather({}, "cgroup_v1", usage(process_count=2), ()).leftover_processes == 2
    assert not gather({}, "cgroup_v1", usage(process_count=2), ()).cleanup_verified


def test_the_default_floor_has_all_controls_but_cpu_shares() -> None:
    assert SlotConfig("floor", 0).required_controls == STRICT_CONTROLS
    assert set(CONTROLS) - set(STRICT_CONTROLS) == {"cpu_share"}


def test_terms_survive_the_way_to_the_template() -> None:
    assert Terms.parse(TERMS.serialise()) == TERMS
