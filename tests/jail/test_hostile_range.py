"""The slots of the hostile programs: a slot that broke fails one test, not all tests after it."""

import os
import signal
from collections.abc import Mapping
from contextlib import closing

import pytest

from sandbox_runtime.jail import JailError
from sandbox_runtime.languages import Language
from tests.jail.hostile.catalogue import all_programs
from tests.jail.hostile.trial import Range


def test_a_broken_slot_is_replaced_before_the_next_program(languages: Mapping[str, Language]) -> None:
    program = next(program for program in all_programs() if program.name == "python/group_path.py")
    with closing(Range({"python": languages["python"]}, b"")) as shooting_range:
        os.kill(shooting_range._strict.template_pid, signal.SIGKILL)
        with pytest.raises(JailError):
            shooting_range.try_out(program)
        trial = shooting_range.try_out(program)
    assert (trial.contained.verdict in program.expected, trial.canary) == (True, "")
