"""Limits that a guest gets whatever the runner has: `tests/vm/test_priority.py` tries them on a kernel."""

import resource

from sandbox_runtime.jail import Limits
from sandbox_runtime.jail.controls.rlimits import rlimits

LIMITS = Limits(1, 1, 64 << 20, 4, 16, 1 << 20, 1000)


def test_priorities_cores_and_queue_limits_are_not_inherited_from_the_runner() -> None:
    found = rlimits(LIMITS)
    kinds = (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE, resource.RLIMIT_CORE, resource.RLIMIT_MSGQUEUE)
    assert [found[kind] for kind in kinds] == [(0, 0)] * 4
