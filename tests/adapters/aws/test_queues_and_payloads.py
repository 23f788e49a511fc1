from typing import Any

import pytest

from events.requested import ExecutionRequested
from events.variables import Environment
from functions.aws.clients import Clients
from functions.aws.payloads import OUTPUT_MAX_BYTES, PayloadMissingError, Payloads
from functions.clock import Clock, now_ms
from functions.submissions.queues import Queues, execution_requested
from tests.adapters.aws_account import Aws
from tests.submission_factory import EXECUTION_ID, SUBMISSION_ID, FakeTime, new_submission

pytestmark = pytest.mark.answered_by("engine", "moto")


def received(aws: Aws, queue: str) -> dict[str, Any]:
    answer = aws.client("sqs").receive_message(QueueUrl=aws.names[queue], MessageSystemAttributeNames=["All"])
    (message,) = answer["Messages"]
    assert isinstance(message, dict)
    return message


def queues(aws: Aws, clock: Clock = now_ms) -> Queues:
    interactive, batch, network = (aws.names[f"{name}Queue"] for name in ("Interactive", "Batch", "Network"))
    return Queues(Clients.sqs(), interactive, batch, network, clock)


def test_an_execution_is_grouped_by_its_project(aws: Aws) -> None:
    row = new_submission()
    message = execution_requested(row, row.created_at)
    queues(aws).send_execution(message)
    taken = received(aws, "BatchQueue")
    assert taken["Body"] == message.serialise()
    assert taken["Attributes"]["MessageGroupId"] == "dev"


def test_the_largest_submission_fits_a_message(aws: Aws) -> None:
    row = new_submission(code=b"x" * 65_536, stdin=b"y" * 262_144)
    message = execution_requested(row, row.created_at)
    queues(aws).send_execution(message)
    assert len(received(aws, "BatchQueue")["Body"]) > 400_000


def test_characters_that_sqs_refuses_are_escaped(aws: Aws) -> None:
    row = new_submission(environment=Environment({"A": "\uffff\ufffe"}))
    message = execution_requested(row, row.created_at)
    queues(aws).send_execution(message)
    assert ExecutionRequested.parse(received(aws, "BatchQueue")["Body"]) == message


def test_depth_counts_waiting_and_in_flight_messages(aws: Aws) -> None:
    made = queues(aws)
    row = new_submission()
    for _ in range(3):
        made.send_execution(execution_requested(row, row.created_at))
    received(aws, "BatchQueue")
    assert made.depth("batch") == 3


def test_a_recent_depth_is_at_most_a_second_old(aws: Aws) -> None:
    time, row = FakeTime(), new_submission()
    made = queues(aws, time)
    assert made.recent_depth("batch") == 0
    made.send_execution(execution_requested(row, row.created_at))
    time.advance(0.9)
    assert made.recent_depth("batch") == 0
    time.advance(0.1)
    assert made.recent_depth("batch") == 1


@pytest.fixture
def payloads(aws: Aws) -> Payloads:
    return Payloads(aws.names["PayloadsBucket"], Clients.s3)


def test_an_input_comes_back_byte_for_byte(payloads: Payloads) -> None:
    assert payloads.put_input(SUBMISSION_ID, b"\0\xff", b"\x80") == f"inputs/{SUBMISSION_ID}"
    assert payloads.get_input(SUBMISSION_ID) == (b"\0\xff", b"\x80", None)


def test_an_output_comes_back_byte_for_byte(payloads: Payloads) -> None:
    key = payloads.put_output(SUBMISSION_ID, EXECUTION_ID, "stderr", b"\0\xff")
    assert key == f"outputs/{SUBMISSION_ID}/{EXECUTION_ID}/stderr"
    assert payloads.get_output(SUBMISSION_ID, key) == b"\0\xff"


def test_the_output_of_another_submission_is_not_read(payloads: Payloads) -> None:
    key = payloads.put_output("0" * 36, EXECUTION_ID, "stdout", b"not yours")
    with pytest.raises(PayloadMissingError):
        payloads.get_output(SUBMISSION_ID, key)


def test_an_object_larger_than_any_output_is_read_to_the_limit(payloads: Payloads) -> None:
    key = payloads.put_output(SUBMISSION_ID, EXECUTION_ID, "stdout", b"x" * (OUTPUT_MAX_BYTES + 1))
    assert len(payloads.get_output(SUBMISSION_ID, key)) == OUTPUT_MAX_BYTES


def test_a_deleted_object_is_missing_and_a_second_delete_is_no_error(payloads: Payloads) -> None:
    key = payloads.put_output(SUBMISSION_ID, EXECUTION_ID, "stdout", b"x")
    payloads.delete_all([key, payloads.put_input(SUBMISSION_ID, b"x", b"")])
    payloads.delete_all([key])
    with pytest.raises(PayloadMissingError):
        payloads.get_output(SUBMISSION_ID, key)
    with pytest.raises(PayloadMissingError):
        payloads.get_input(SUBMISSION_ID)
