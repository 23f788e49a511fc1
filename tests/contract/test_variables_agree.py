"""Functions and runner agree which variables a program may get."""

import pytest

from functions.messages import variables
from sandbox_runtime.messages import rules

NAMES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LD_PRELOAD", "LDFLAGS", "GLIBC_TUNABLES", "PYTHONPATH", "_JAVA_OPTIONS"),
    *("JAVA_HOME", "NODE_OPTIONS", "GOMAXPROCS", "RUST_LOG", "BASH_ENV", "ENV", "TMPDIR", "API_TOKEN", "HOMEPAGE"),
    *("ENVIRONMENT", "PATHS", "A", "A1_", "1A", "_A", "a", "", "A-B", "A" * 64, "A" * 65, "A\n", "É"),
)


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_take_and_refuse_the_same_names(name: str) -> None:
    assert (variables.name_problem(name) is None) == rules.are_variables({name: "x"})


def test_the_event_fits_beside_the_most_variables() -> None:
    assert variables.MAX_VARIABLES + len(variables.EVENT_VARIABLES) == rules.MAX_VARIABLES
    assert rules.are_variables(dict.fromkeys(variables.EVENT_VARIABLES, "{}"))
