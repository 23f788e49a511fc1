"""CPython's own tests have the same outcomes in a run as on the host, but for the limits and refusals that we chose.

`cpython_differences.json` lists the differences by their reason, and the modules that are left out. docs/languages.md
explains each reason. A test has a name such as `TestCase.test_name`. `TestCase.*` stands for all tests of a class that
pass on the host, and `*` for all of a module.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.system.cpython_tests import Outcomes, in_run, modules, on_host
from tests.system.local_stack import ROOT, LocalStack

pytestmark = [pytest.mark.whole, pytest.mark.timeout(900)]  # the first one waits for the stack, and all for two workers
LISTED = json.loads(Path(__file__).with_name("cpython_differences.json").read_text(encoding="utf-8"))
DIFFERENCES: dict[str, dict[str, list[str]]] = LISTED["differences"]
LEFT_OUT: dict[str, list[str]] = LISTED["left_out"]
MODULES = [name for name in modules() if not any(name in names for names in LEFT_OUT.values())]
_ATTEMPTS = 3
"""Some tests depend on time, and fail on a busy machine."""


@pytest.fixture(scope="module")
def compared(
    request: pytest.FixtureRequest, small_stack: Callable[..., LocalStack]
) -> Iterator[dict[str, Future[str]]]:
    """Compare the modules of this session, two at a time, as the machine has two cores."""
    stack = small_stack()
    stack.start()
    wanted = [item.callspec.params["module"] for item in request.session.items if "compared" in item.fixturenames]  # type: ignore[attr-defined]
    with stack.client(timeout_secs=120) as client, ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(_compare, client, name) for name in wanted}
        pool.shutdown(cancel_futures=True)


def _compare(client: httpx.Client, module: str) -> str:
    """Return the problems of a module: unlisted differences, and listed ones that are none."""
    problems = ""
    for _ in range(_ATTEMPTS):
        host, run = on_host(module), in_run(client, module)
        problems = _problems([name for one in DIFFERENCES.values() for name in one.get(module, [])], host, run)
        if not problems:
            break
    return problems


def _problems(listed: list[str], host: Outcomes, run: Outcomes) -> str:
    if not host.found or not run.found:
        return f"{len(host.found)} tests ended on the host, {len(run.found)} in the run"
    others = run.others(host)
    passed = {name for name, word in host.found.items() if word == "passed"}
    new = [f"new: {name}: {what}" for name, what in others.items() if not any(_is(name, one) for one in listed)]
    # A host may skip a listed test, for example where it lacks a program.
    awaited = {name for name in passed if any(_is(name, one) for one in listed)}
    awaited |= {one for one in listed if "*" not in one and one not in host.found.keys() | run.found.keys()}
    return "\n".join([*new, *(f"listed, and no difference: {name}" for name in sorted(awaited - others.keys()))])


def _is(name: str, listed: str) -> bool:
    return name == listed or (listed.endswith("*") and name.startswith(listed[:-1]))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_the_outcomes_of_the_host_but_for_listed_differences(
    module: str, compared: dict[str, Future[str]]
) -> None:
    assert compared[module].result() == ""


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"A.one": "failed", "B.two": "skipped", "B.three": "passed"}, ""),
        ({"A.one": "passed", "B.two": "skipped"}, "listed, and no difference: A.one"),
        ({"A.one": "failed", "B.two": "passed"}, "listed, and no difference: B.two"),
        ({"A.one": "failed", "B.two": "skipped", "C.four": "failed"}, "new: C.four: passed -> failed why"),
        ({"A.one": "failed", "B.two": "skipped", "C.four": None}, "new: C.four: passed -> None None"),
        ({}, "4 tests ended on the host, 0 in the run"),
    ],
)
def test_a_new_difference_and_one_that_went_away_are_problems(run: dict[str, str | None], expected: str) -> None:
    host = {"A.one": "passed", "B.two": "passed", "B.three": "skipped", "C.four": "passed"}
    found = {name: word for name, word in ({**host, **run} if run else {}).items() if word is not None}
    assert (
        _problems(["A.one", "B.*"], Outcomes(host, {}), Outcomes(found, {"C.four": "why"} if "C.four" in found else {}))
        == expected
    )


def test_a_listed_test_that_is_no_more_is_a_problem() -> None:
    outcomes = Outcomes({"A.one": "passed"}, {})
    assert _problems(["A.gone"], outcomes, outcomes) == "listed, and no difference: A.gone"


def test_every_module_is_run_or_left_out_for_a_reason() -> None:
    assert len(MODULES) > 350, "install libpython3.13-testsuite"
    named = {name for names in (*LEFT_OUT.values(), *DIFFERENCES.values()) for name in names}
    assert named <= {*modules()}


def test_the_page_on_languages_explains_every_difference() -> None:
    page = (ROOT / "docs" / "languages.md").read_text(encoding="utf-8")
    section = page.partition("## CPython's own tests\n")[2].partition("\n## ")[0]
    reasons = {*re.findall(r"^\| (.+) \| .+ \|$", section, re.MULTILINE)}
    assert reasons >= DIFFERENCES.keys() | LEFT_OUT.keys()
