"""A trick of `python_fork` that fails on this interpreter costs speed only: it is tried, logged and left out."""

import logging
from pathlib import Path

import pytest

from sandbox_runtime.jail import Slot, SlotConfig, open_slot
from sandbox_runtime.jail.python_fork import START_CODE
from sandbox_runtime.jail.supervisor import slot as slot_module
from sandbox_runtime.languages import fork_problem, offering, tried_warm_start, warm_start
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.python import PYTHON
from tests.choice import whole_but
from tests.jail.slots import TOOLCHAINS

_IMPORT = "from sandbox_runtime.jail.inside.template import main\n"
# What each does in the template before it starts, and what the reason says.
FAULTS = {
    "the template dies of a signal": (
        """
import ctypes
from sandbox_runtime.jail.python_fork import fork
fork._make_immortal = lambda: ctypes.string_at(0)
""",
        "the template ended",
    ),
    "another interpreter": (
        """
from sandbox_runtime.jail.python_fork import main_script
main_script._MINOR_VERSION += 1
""",
        "needs CPython 3.13",
    ),
    "a run dies of a signal": (
        """
import ctypes
from sandbox_runtime.jail.python_fork import fork
fork.PythonFork.run = lambda self: ctypes.string_at(0)
""",
        "signal 11",
    ),
    "a run says something else": (
        """
import os
from sandbox_runtime.jail.python_fork import fork
fork.PythonFork.run = lambda self: (os.write(1, b'41'), os._exit(0))
""",
        "'41'",
    ),
    "only a pre-warmed run dies": (
        """
import ctypes
from sandbox_runtime.jail.python_fork import fork
get_ready = fork.PythonFork.get_ready
def die_if_prewarmed(self, *, is_prewarmed):
    if is_prewarmed:
        ctypes.string_at(0)
    get_ready(self, is_prewarmed=False)
fork.PythonFork.get_ready = die_if_prewarmed
""",
        "",
    ),
}


@pytest.mark.parametrize("fault", whole_but(FAULTS, ["a run dies of a signal", "only a pre-warmed run dies"]))
def test_a_trick_that_fails_is_left_out_with_one_line(
    fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code, reason = FAULTS[fault]
    monkeypatch.setattr(slot_module, "START_CODE", START_CODE.replace(_IMPORT, _IMPORT + code))
    with caplog.at_level(logging.WARNING):
        assert tried_warm_start([C, PYTHON], str(tmp_path)) is None
    (record,) = caplog.records
    assert (record.message, record.__dict__["language"]) == ("programs start by exec, not by fork", "python")
    assert record.__dict__["reason"]
    assert reason in record.__dict__["reason"]
    assert not list(tmp_path.glob("trials*"))  # the next start tries again


def test_a_trial_that_passed_is_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[SlotConfig] = []

    def open_counted(config: SlotConfig) -> Slot:
        opened.append(config)
        return open_slot(config)

    monkeypatch.setattr(offering, "open_slot", open_counted)
    for _ in range(2):
        assert tried_warm_start([PYTHON], str(tmp_path)) == warm_start([PYTHON])
    assert len(opened) == 1
    (elsewhere := tmp_path / "elsewhere").mkdir()
    for _ in range(2):
        assert tried_warm_start([PYTHON], TOOLCHAINS, trials_dir=str(elsewhere)) == warm_start([PYTHON])
    assert len(opened) == 2


def test_without_python_nothing_is_tried(tmp_path: Path) -> None:
    assert tried_warm_start([C], str(tmp_path)) is None
    assert not list(tmp_path.iterdir())


def test_this_host_can_fork() -> None:
    assert fork_problem(PYTHON, TOOLCHAINS) == ""
