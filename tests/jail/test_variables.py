"""Variables of a check reach its program in every language, and nothing of them stays for the next run."""

from collections.abc import Callable

import pytest

from events.completed import ExecutionCompleted
from tests.guest_files import guests
from tests.jail.language_programs.table import ONE_OF_EACH_KIND

Run = Callable[..., ExecutionCompleted]
READS = guests("variables")


def stdout(completed: ExecutionCompleted) -> bytes:
    assert completed.result.verdict == "AC", completed
    return completed.stdout.inline


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_program_gets_its_variables_and_the_next_one_does_not(run: Run, name: str) -> None:
    plain = stdout(run(name, READS[name]))
    assert plain.startswith(b"none /usr/bin")
    assert stdout(run(name, READS[name], environment={"GREETING": "héllo"})) == plain.replace(b"none", "héllo".encode())
    assert stdout(run(name, READS[name])) == plain


@pytest.mark.parametrize("name", ["python", "c"])
def test_a_secret_is_masked_in_both_streams(run: Run, name: str) -> None:
    variables = {"GREETING": "hunter22", "OTHER": "hunter2"}
    assert b"hunter" not in stdout(run(name, READS[name], environment=variables, secret_names=("GREETING",)))
    fails = run(
        "python", b'import os\nraise ValueError(os.environ["OTHER"])\n', environment=variables, secret_names=("OTHER",)
    )
    assert fails.stderr.inline.endswith(b"ValueError: ****\n")
