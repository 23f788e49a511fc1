"""The worker's floor: below it nothing is received, and a permissive runner says so in its heartbeat."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from sandbox_runtime.commands import work
from sandbox_runtime.commands.exit_codes import CommandError
from sandbox_runtime.commands.work import check_host, required_floor
from sandbox_runtime.jail import CONTROLS, STRICT_CONTROLS, HostSupport, JailError, read_facts
from sandbox_runtime.jail.controls import identity
from sandbox_runtime.settings import WorkerSettings, worker_settings
from sandbox_runtime.worker import RunnerFacts

NEEDED = dict.fromkeys(("INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "COMPLETIONS_QUEUE_URL", "PAYLOADS_BUCKET"), "x")
BELOW = tuple(name for name in CONTROLS if name not in {"memory_limit", "own_inodes"})
PERMISSIVE = HostSupport(None, BELOW)


def settings(**changes: str) -> WorkerSettings:
    return worker_settings({**NEEDED, **changes})


def test_the_default_floor_is_strict_isolation_also_when_less_is_allowed() -> None:
    assert required_floor(settings()) == required_floor(settings(ALLOW_PERMISSIVE="true")) == STRICT_CONTROLS


def test_a_floor_of_all_controls_needs_no_permission() -> None:
    assert set(required_floor(settings(REQUIRED_CONTROLS=",".join(CONTROLS)))) == set(CONTROLS)


def test_a_lower_floor_is_taken_when_it_is_allowed() -> None:
    assert required_floor(settings(ALLOW_PERMISSIVE="true", REQUIRED_CONTROLS="seccomp,rlimits")) == (
        "seccomp",
        "rlimits",
    )


def test_a_lower_floor_is_refused_without_permission() -> None:
    with pytest.raises(CommandError, match="only ALLOW_PERMISSIVE=true permits"):
        required_floor(settings(REQUIRED_CONTROLS="seccomp,rlimits"))


def test_a_host_below_the_floor_is_refused_with_the_names() -> None:
    with pytest.raises(CommandError, match="memory_limit is not in force") as caught:
        check_host(PERMISSIVE, CONTROLS)
    assert "doctor" in str(caught.value)


def test_a_host_at_the_floor_is_accepted() -> None:
    check_host(PERMISSIVE, BELOW)


def test_a_host_whose_probe_failed_is_refused_with_any_floor() -> None:
    broken = HostSupport(None, (), JailError("clone", errno=1))
    with pytest.raises(CommandError, match="clone: Operation not permitted"):
        check_host(broken, ())


def test_the_heartbeat_of_a_permissive_runner_says_so() -> None:
    beat = RunnerFacts({}, {}, PERMISSIVE).heartbeat("node", slots=1, busy=0)
    assert (beat.isolation_mode, beat.cgroup_backend, beat.controls) == ("permissive", None, BELOW)


def test_a_runner_without_cpu_shares_works_and_is_strict() -> None:
    support = HostSupport("cgroup_v1", STRICT_CONTROLS)
    check_host(support, required_floor(settings()))
    beat = RunnerFacts({}, {}, support).heartbeat("node", slots=1, busy=0)
    assert (beat.isolation_mode, set(CONTROLS) - set(beat.controls)) == ("strict", {"cpu_share"})


def test_user_ids_differ_between_slots_and_runners_and_are_no_special_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    for pid in (1, 2, 3, 99_999, 4_194_303):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        seen |= {identity.guest_uid(index) for index in range(64)}
    assert len(seen) == 5 * 64
    assert min(seen) >= 100_000
    assert max(seen) < 3 << 30, "init's user ids begin there"


def test_user_ids_differ_between_containers_that_were_started_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runners = set()
    for inode in range(4_026_531_836, 4_026_532_036):
        monkeypatch.setattr(os, "stat", lambda _path, inode=inode: SimpleNamespace(st_ino=inode))
        for pid in range(1, 100):
            monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
            runners.add(identity.guest_uid(0))
    assert len(runners) == 200 * 99


@pytest.mark.parametrize("index", [-1, 64])
def test_a_slot_index_out_of_range_has_no_user_id(index: int) -> None:
    with pytest.raises(ValueError, match="0 to 63"):
        identity.guest_uid(index)


def test_core_dumps_that_leave_the_jail_are_logged_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pattern = "|/usr/share/apport/apport -p%p"
    monkeypatch.setattr(work, "read_facts", lambda: replace(read_facts(), core_pattern=pattern))
    check_host(HostSupport("cgroup_v1", STRICT_CONTROLS), ())
    (line,) = (record for record in caplog.records if record.message == "crashes of programs leave the jail")
    assert pattern in line.__dict__["problem"]
    assert "run `sysctl -w kernel.core_pattern=core` on the host" in line.__dict__["problem"]
