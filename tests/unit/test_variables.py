"""Which environment variables a program may get."""

import pytest

from events.variables import EVENT_VARIABLES, MAX_VARIABLES, are_variables, name_problem

OFFERED = ("API_TOKEN", "HOMEPAGE", "ENVIRONMENT", "PATHS", "A", "A1_", "A" * 64)
REFUSED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LD_PRELOAD", "LDFLAGS", "GLIBC_TUNABLES", "PYTHONPATH", "_JAVA_OPTIONS"),
    *("JAVA_HOME", "NODE_OPTIONS", "GOMAXPROCS", "RUST_LOG", "BASH_ENV", "ENV", "TMPDIR"),
    *("1A", "_A", "a", "", "A-B", "A" * 65, "A\n", "É"),
)


@pytest.mark.parametrize("name", [*OFFERED, *REFUSED])
def test_a_name_that_steers_the_interpreter_or_the_sandbox_is_refused(name: str) -> None:
    assert (name_problem(name) is None) == are_variables({name: "x"}) == (name in OFFERED)


def test_the_event_fits_beside_the_most_variables() -> None:
    most = {f"A{number}": "x" for number in range(MAX_VARIABLES)}
    assert are_variables(most | dict.fromkeys(EVENT_VARIABLES, "{}"))
    assert not are_variables(most | dict.fromkeys((*EVENT_VARIABLES, "B"), "{}"))


@pytest.mark.parametrize("value", ["\0", "é" * 2_049])
def test_a_value_has_at_most_4096_bytes_and_no_nul(value: str) -> None:
    assert not are_variables({"A": value})
    assert are_variables({"A": value.replace("\0", "")[:2_048]})
