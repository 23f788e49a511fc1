"""The first run shows its patterns with programs in languages that the runner offers."""

import httpx
import pytest

from infra.local.processes.first_run import _C, _JAVASCRIPT, _PYTHON, _offered


@pytest.mark.parametrize(("program", "shown"), [(_C, _C), (_JAVASCRIPT, _PYTHON), (_PYTHON, _PYTHON)])
def test_a_language_that_is_not_offered_is_replaced(program: dict[str, str], shown: dict[str, str]) -> None:
    answer = httpx.MockTransport(lambda _request: httpx.Response(200, json=["python", "c"]))
    with httpx.Client(base_url="http://127.0.0.1", transport=answer) as client:
        assert _offered(client, program) == shown
