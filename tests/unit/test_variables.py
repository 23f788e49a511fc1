"""Which environment variables a program may get."""

import json

import pytest

from events import MessageInvalidError
from events.requested import ExecutionRequested
from events.variables import EVENT_VARIABLES, MAX_VARIABLES, are_variables, name_problem
from tests.submission_factory import golden

OFFERED = ("API_TOKEN", "HOMEPAGE", "ENVIRONMENT", "PATHS", "A", "A1_", "A" * 64)
REFUSED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LDFLAGS", "GLIBC_TUNABLES"),
    *("GCONV_PATH", "MALLOC_CHECK_", "BASH_ENV", "ENV", "IFS", "SHELL", "TMPDIR", "LOCPATH"),
    *("PYTHONPATH", "PYTHONSTARTUP", "PYTHON_GIL", "JAVA_HOME", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"),
    *("JDK_JAVA_OPTIONS", "CLASSPATH", "NODE_OPTIONS", "BUN_CONFIG", "GODEBUG", "GOMAXPROCS", "RUST_LOG"),
    *("RUST_BACKTRACE", "CPATH", "path", "a", "lower", "1A", "1ST", "_A", "A-B", "A=B", "", "A" * 65, "A\n", "É", "Ä"),
)


def is_taken(variables: dict[str, str]) -> bool:
    """Tell whether a message may have these."""
    message = golden("execution_requested/v1.environment") | {"environment": variables}
    try:
        return ExecutionRequested.parse(json.dumps(message)).environment is not None
    except MessageInvalidError:
        return False


@pytest.mark.parametrize("name", [*OFFERED, *REFUSED])
def test_a_name_that_steers_the_interpreter_or_the_sandbox_is_refused(name: str) -> None:
    assert (name_problem(name) is None) == are_variables({name: "x"}) == is_taken({name: "x"}) == (name in OFFERED)


def test_the_event_fits_beside_the_most_variables() -> None:
    most = {f"A{number}": "x" for number in range(MAX_VARIABLES)}
    assert are_variables(most | dict.fromkeys(EVENT_VARIABLES, "{}"))
    many = most | dict.fromkeys((*EVENT_VARIABLES, "B"), "{}")
    assert not are_variables(many)
    assert not is_taken(many)


@pytest.mark.parametrize("value", ["\0", "a\0b", "x" * 4_097, "é" * 2_049])
def test_a_value_has_at_most_4096_bytes_and_no_nul(value: str) -> None:
    assert not are_variables({"A": value})
    assert not is_taken({"A": value})
    assert is_taken({"A": value.replace("\0", "")[:2_048], "RUSTBOX_EVENT": "{}"})
