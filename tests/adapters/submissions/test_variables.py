"""Environment variables of a run: the program gets them, and nothing shows them again."""

from typing import Any

import pytest

from functions.handlers import submit, sweep
from functions.submissions.store import SubmissionStore
from functions.submissions.sweeper import Sweep
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import post, send

ENV = {"LOG_LEVEL": "debug", "TOKEN": "t0p-s3cret"}
PROGRAM = {"language": "python", "code": "print(1)", "env": ENV, "keep_code": True}


def test_a_program_gets_its_variables_also_when_its_message_was_lost(aws: Aws, project_key: str) -> None:
    answer = post(project_key, PROGRAM)
    assert answer.status == 202
    (message,) = aws.messages("BatchQueue")
    assert (message["environment"], message.get("secret_names")) == (ENV, None)
    row = submit.ENV[SubmissionStore].get(answer.json["id"])
    assert row is not None
    aws.environment("SweepFunction")
    sweeping = Sweep(sweep.ENV)
    sweeping._send_again(row, row.execution_id, row.due_at_ms or 0, row.due_at_ms or 0)
    (again,) = aws.messages("BatchQueue")
    assert again["environment"] == ENV


def test_no_row_and_no_answer_shows_them(aws: Aws, project_key: str) -> None:
    submission_id = post(project_key, PROGRAM).json["id"]
    assert "t0p-s3cret" not in str(aws.items("SubmissionsTable"))
    for path in ("", "/program"):
        shown = send(project_key, "GET", f"/api/result/{submission_id}{path}")
        assert shown.status == 200
        assert "s3cret" not in str(shown.json)


def test_they_belong_to_the_meaning_of_a_request(project_key: str) -> None:
    first = post(project_key, PROGRAM, idempotency_key="key")
    assert post(project_key, PROGRAM, idempotency_key="key").json["id"] == first.json["id"]
    other = post(project_key, PROGRAM | {"env": {"LOG_LEVEL": "info"}}, idempotency_key="key")
    assert (other.status, other.json["error"]) == (409, "idempotency_conflict")
    assert post(project_key, PROGRAM | {"env": {}}, idempotency_key="key").status == 409


@pytest.mark.parametrize(
    ("env", "field"),
    [
        ({"lower": "x"}, "env.lower"),
        ({"LD_PRELOAD": "x"}, "env.LD_PRELOAD"),
        ({"RUSTBOX_EVENT": "x"}, "env.RUSTBOX_EVENT"),
        ({"A": "x\0"}, "env.A"),
        ({"A": 1}, "env.A"),
        ({f"A{number}": "" for number in range(33)}, "env"),
        ({"A": "x" * 2_561}, "env"),
        ([], "env"),
    ],
)
def test_other_variables_are_refused(aws: Aws, project_key: str, env: Any, field: str) -> None:
    answer = post(project_key, PROGRAM | {"env": env})
    assert (answer.status, [problem["field"] for problem in answer.json["fields"]]) == (422, [field])
    assert aws.messages("BatchQueue") == []
