"""An older version refuses the state of a newer one whose rows it could not read whole."""

import pytest

from infra.local.settings import StartError
from infra.local.state import require_readable
from tests.embedded.backend import Backend


@pytest.mark.parametrize(
    ("versions", "older"),
    [
        (["1.3.0"], "1.1.9"),
        (["1.3.0", "1.2.0"], "1.1.0"),  # the rows of 1.3 are still there
        (["1.1.0", "1.3.0"], "1.1.0"),
        (["2.0.0"], "1.9.0"),
        (["0.10.0"], "0.8.0"),
    ],
)
def test_a_version_that_is_too_old_is_refused(aws: Backend, versions: list[str], older: str) -> None:
    ssm = aws.client("ssm")
    for version in versions:
        require_readable(ssm, version)
    with pytest.raises(StartError, match=f"version {max(versions)}, and {older} reads .*: install a newer version, or"):
        require_readable(ssm, older)
    require_readable(ssm, versions[-1])


@pytest.mark.parametrize("versions", [["1.2.0", "1.1.0", "1.2.0"], ["1.2.3", "1.2.0"], ["1.2.0", "3.0.0"]])
def test_a_newer_version_and_the_one_before_are_taken(aws: Backend, versions: list[str]) -> None:
    for version in versions:
        require_readable(aws.client("ssm"), version)
