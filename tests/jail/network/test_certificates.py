"""Each runtime finds the certificates of well-known authorities where it looks for them by itself."""

import pytest

from tests.guest_files import guests
from tests.jail.guest_requests import Run

# Each prints how many authorities it trusts. C and Rust have no TLS of their own: their libraries read this file.
COUNTS = guests("certificates")


@pytest.mark.parametrize("language", COUNTS)
def test_a_program_trusts_the_authorities_of_the_host(run: Run, language: str) -> None:
    completed = run(language, COUNTS[language])
    assert int(completed.stdout.inline) > 50
