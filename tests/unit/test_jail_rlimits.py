"""Limits that a guest gets whatever the runner has: `tests/vm/test_priority.py` tries them on a kernel."""

import resource
from dataclasses import replace

import pytest

from sandbox_runtime.jail import Limits
from sandbox_runtime.jail.controls import rlimits as controls
from sandbox_runtime.jail.controls.rlimits import rlimits

LIMITS = Limits(1, 1, 64 << 20, 4, 16, 1 << 20, 1000)


def test_priorities_cores_and_queue_limits_are_not_inherited_from_the_runner() -> None:
    found = rlimits(LIMITS)
    kinds = (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE, resource.RLIMIT_CORE, resource.RLIMIT_MSGQUEUE)
    assert [found[kind] for kind in kinds] == [(0, 0)] * 4


def test_a_stack_is_never_unlimited_and_a_thread_of_its_size_fits_a_small_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses to map more memory than the host has, so on a host of 1 GB a thread of 1 GB cannot start."""
    most_bytes = 480 << 20
    monkeypatch.setattr(controls, "_MOST_STACK_BYTES", most_bytes)
    for stack_bytes, granted in ((1 << 20, 1 << 20), (1 << 30, most_bytes), (1 << 62, most_bytes)):
        assert rlimits(replace(LIMITS, stack_bytes=stack_bytes))[resource.RLIMIT_STACK] == (granted, granted)
