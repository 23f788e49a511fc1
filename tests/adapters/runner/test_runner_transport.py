"""The runner's queues and bucket."""

import base64
import json
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError, EndpointConnectionError

from events.completed import ExecutionCompleted, Stream
from events.files import MAX_CASES
from events.judged import MAX_CHECKER_MESSAGE_CHARACTERS, CaseResult, CaseRun, CaseStream, JudgeCompleted
from events.message import parse_time
from events.vocabulary import Cause, Integrity, Outcome, Phase
from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from infra.embedded.confined import protocol
from sandbox_runtime.classify import classify
from sandbox_runtime.executor import execute
from sandbox_runtime.executor.report import result
from sandbox_runtime.judging import not_judged
from sandbox_runtime.judging.completion import MAX_HEADS_BYTES, KeptOutputs
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.transport import Transport, TransportError, connect, translated
from sandbox_runtime.worker.reports import advice
from tests.adapters.aws_account import Aws
from tests.judge_requests import case, judge_requested
from tests.runner_doubles import RecordedSlot, outcome, requested

pytestmark = pytest.mark.answered_by("engine", "moto")

KIB = 1024


@pytest.fixture
def transport(aws: Aws) -> Transport:
    return new_transport(aws, aws.names["PayloadsBucket"])


def new_transport(aws: Aws, bucket: str) -> Transport:
    return Transport(
        connect(slots=2, receive_wait_secs=0),
        completions_queue_url=aws.names["CompletionsQueue"],
        bucket=bucket,
        visibility_secs=60,
    )


def completed(stdout: bytes, stderr: bytes = b"") -> ExecutionCompleted:
    slot = RecordedSlot(outcome(stdout=stdout, stderr=stderr))
    started_at = parse_time("2026-11-24T12:00:00.000Z")
    return execute(slot, requested(), LANGUAGES[0], node_id="n", started_at=started_at)


def send(aws: Aws, body: str) -> str:
    url = aws.names["InteractiveQueue"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    return url


def test_a_received_message_counts_its_receives_and_stays_invisible(aws: Aws, transport: Transport) -> None:
    url = send(aws, "body")
    (first,) = transport.receive(url, 5, 0)
    assert (first.body, first.receive_count, first.queue_url) == ("body", 1, url)
    assert transport.receive(url, 5, 0) == []
    transport.make_visible(first, 0)
    (second,) = transport.receive(url, 5, 0)
    assert (second.message_id, second.receive_count) == (first.message_id, 2)
    transport.extend(second)
    assert transport.delete(url, [second.receipt_handle]) == [None]
    counts = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_no_more_messages_are_received_than_asked_for(aws: Aws, transport: Transport) -> None:
    for index in range(4):
        url = send(aws, str(index))
    assert len(transport.receive(url, 3, 0)) == 3


def test_small_output_travels_in_the_message(aws: Aws, transport: Transport) -> None:
    message = completed(b"x" * (64 * KIB), b"y" * (64 * KIB))
    assert transport.without_large_output(message) == message
    assert transport.send([message.serialise()]) == [None]
    (sent,) = aws.messages("CompletionsQueue")
    assert ExecutionCompleted.parse(json.dumps(sent)) == message


def test_several_messages_are_sent_and_deleted_in_one_call(aws: Aws, transport: Transport) -> None:
    bodies = [f'{{"number":{number}}}' for number in range(10)]
    assert transport.send(bodies) == [None] * 10
    assert sorted(message["number"] for message in aws.messages("CompletionsQueue")) == list(range(10))
    for body in bodies:
        url = send(aws, body)
    received = transport.receive(url, 10, 0)
    assert transport.delete(url, [message.receipt_handle for message in received]) == [None] * len(received)


def test_a_bad_entry_of_a_batch_fails_alone(aws: Aws, transport: Transport) -> None:
    url = send(aws, "body")
    (received,) = transport.receive(url, 1, 0)
    bad, good = transport.delete(url, ["no-receipt", received.receipt_handle])
    assert (bad, good) == ("ReceiptHandleIsInvalid", None)


@pytest.mark.parametrize(
    ("stdout", "stderr", "stored"),
    [
        (1024 * KIB, 10, {"stdout"}),
        (10, 1024 * KIB, {"stderr"}),
        (1024 * KIB, 1024 * KIB, {"stdout", "stderr"}),
        (64 * KIB + 1, 64 * KIB, {"stdout"}),
    ],
)
def test_large_output_goes_to_the_bucket_whole(
    aws: Aws, transport: Transport, stdout: int, stderr: int, stored: set[str]
) -> None:
    message = completed(b"\xff" * stdout, b"e" * stderr)
    arrived = transport.without_large_output(message)
    assert len(arrived.serialise()) < 256 * KIB
    for name, content in (("stdout", b"\xff" * stdout), ("stderr", b"e" * stderr)):
        output = getattr(arrived, name)
        if name in stored:
            key = f"outputs/{message.submission_id}/{message.execution_id}/{name}"
            assert output == Stream(len(content), object_key=key)
            found = aws.client("s3").get_object(Bucket=aws.names["PayloadsBucket"], Key=output.object_key)
            assert found["Body"].read() == content
        else:
            assert output == Stream.of(content)


def test_a_missing_queue_is_an_error_with_the_code_of_aws(transport: Transport, aws: Aws) -> None:
    url = aws.names["InteractiveQueue"] + "-gone"
    with pytest.raises(TransportError) as caught:
        transport.receive(url, 1, 0)
    assert (caught.value.operation, "NonExistentQueue" in caught.value.code) == ("receive", True)


def test_output_that_the_bucket_refuses_is_an_error(aws: Aws) -> None:
    transport = new_transport(aws, "no-such-bucket")
    with pytest.raises(TransportError) as caught:
        transport.without_large_output(completed(b"x" * (200 * KIB)))
    assert caught.value.code == "NoSuchBucket"


def test_an_error_repeats_nothing_of_the_request() -> None:
    refused: Any = {"Error": {"Code": "InvalidMessageContents", "Message": "SECRET"}}
    for cause in (ClientError(refused, "SendMessage"), EndpointConnectionError(endpoint_url="http://SECRET")):
        with pytest.raises(TransportError) as caught, translated("send"):
            raise cause
        assert "SECRET" not in str(caught.value)


def test_credentials_that_are_expired_when_they_come_are_an_error_of_the_transport() -> None:
    ended = {"access_key": "a", "secret_key": "s", "token": "t", "expiry_time": "2020-01-01T00:00:00Z"}
    core = botocore.session.Session()
    vars(core)["_credentials"] = RefreshableCredentials.create_from_metadata(ended, lambda: ended, "container-role")
    sqs = boto3.Session(botocore_session=core, region_name="us-east-1").client("sqs", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(TransportError, match="send: RuntimeError") as caught, translated("send"):
        sqs.send_message(QueueUrl="http://127.0.0.1:1/q", MessageBody="x")
    assert "credentials" in advice(caught.value.code)


def test_an_error_of_the_system_is_one_of_the_transport() -> None:
    with pytest.raises(TransportError, match="send: FileNotFoundError"), translated("send"):
        raise FileNotFoundError("/run/secrets/token")


@pytest.mark.parametrize("character", ["x", "\x01", '"', "\U0001f600"])
def test_the_functions_and_the_local_stack_take_the_largest_results(
    aws: Aws, transport: Transport, character: str
) -> None:
    message, request = character * MAX_CHECKER_MESSAGE_CHARACTERS, judge_requested([case()])
    ran = CaseRun(
        result(classify(outcome(), Phase.RUN)), Integrity.COMPLETE, 0.1, 0.1, 1, CaseStream(0, b""), CaseStream(0, b"")
    )

    def judged(index: int) -> CaseResult:
        key = f"outputs/{request.submission_id}/{request.execution_id}/case-{index}-stdout"
        stdout = CaseStream(1 << 20, b"x" * (MAX_HEADS_BYTES // MAX_CASES), key)
        told = kept.message(message)
        return CaseResult(index, Outcome.JUDGE_ERROR, told, None, ran.changed(stdout=stdout), kept.message(message))

    kept = KeptOutputs(lambda index, _: f"case-{index}")
    cases = tuple(map(judged, range(MAX_CASES)))
    ended = not_judged(request, "n", Cause.IE_NOT_RUN, "").changed(failure=None, cases=cases)
    stored = transport.without_large_cases(ended)
    text = Payloads(aws.names["PayloadsBucket"], Clients.s3).get_cases(stored.submission_id, stored.cases_key or "")
    assert len(JudgeCompleted.parse(stored.serialise()).read_cases(text)) == MAX_CASES
    assert len(base64.b64encode(text)) < protocol.MOST_BYTES


def test_a_completion_that_is_stored_already_stays_as_it_is(transport: Transport) -> None:
    message = completed(b"")
    key = f"outputs/{message.submission_id}/{message.execution_id}/stdout"
    message = message.changed(stdout=Stream(1 << 20, object_key=key))
    assert transport.without_large_output(message) == message


def test_without_a_region_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(TransportError, match="connect: NoRegionError"):
        connect(slots=1, receive_wait_secs=1)
