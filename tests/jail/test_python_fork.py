"""That a run forks from the template: only collected where Python runs do, see `tests.jail.slots`."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox_runtime.jail import Outcome, Slot, open_slot
from sandbox_runtime.languages import run_spec, warm_start
from sandbox_runtime.languages.python import PYTHON
from tests.jail.slots import slot_config

Run = Callable[[str], bytes]


@pytest.fixture(scope="module")
def slot() -> Iterator[Slot]:
    with open_slot(slot_config("python-fork", 43, warm=warm_start([PYTHON]))) as opened:
        yield opened


@pytest.fixture(params=["forked", "prewarmed"])
def run(request: pytest.FixtureRequest, slot: Slot) -> Run:
    def run_it(code: str) -> bytes:
        spec = run_spec(PYTHON, code.encode(), None, limits=PYTHON.run_limits("judge"), stdin=b"")
        if request.param == "prewarmed":
            slot.prewarm(spec)
        return good(slot.run(spec))

    return run_it


def good(outcome: Outcome) -> bytes:
    assert (outcome.exit_code, outcome.stderr, outcome.evidence.controls_missing) == (0, b"", ()), outcome
    return outcome.stdout


def test_a_run_really_starts_from_the_template(run: Run) -> None:
    code = "import sys\nprint('decimal' in sys.modules, 'sandbox_runtime' in sys.modules)"
    assert run(code) == b"True False\n"


def test_the_modules_with_fork_hooks_are_known(run: Run) -> None:
    """Those but `random` only make locks anew, which nobody held."""
    code = """
import sys
for name, module in sorted(sys.modules.items()):
    path = getattr(module, "__file__", None) or ""
    if name == "sitecustomize":
        continue  # the distribution's, a link to a file that no guest sees
    if path.endswith(".py") and "register_at_fork(" in open(path, encoding="utf-8").read():
        print(name)
"""
    assert run(code) == b"__main__\nlogging\nrandom\nthreading\n"


def test_nothing_of_the_host_is_on_the_command_line_of_the_template(slot: Slot) -> None:
    place = Path(f"/proc/{slot.template_pid}")
    assert place.joinpath("cmdline").read_bytes() == b"\0".join(part.encode() for part in PYTHON.run_argv) + b"\0"
    names = re.findall(rb"(?:^|\0)([A-Z_]+)=", place.joinpath("environ").read_bytes())
    assert {name.decode() for name in names} == {name for name, _ in PYTHON.guest_environment}
