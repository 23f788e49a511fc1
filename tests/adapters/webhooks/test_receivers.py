"""The receivers that people copy from docs/, called by our own dispatcher."""

import base64
import json
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from functions.clock import now_ms
from functions.ids import new_id
from functions.submissions.model import Submission
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.replay import ReplayResult, ReplayStore
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.sealed_secrets import EndpointSecrets
from functions.webhooks.signature import new_private_key, parse_private_key, parse_secret, sign
from tests.adapters.aws_account import Aws
from tests.adapters.hook_receiver import HookReceiver, Received
from tests.adapters.openapi_check import check_webhook
from tests.adapters.pipeline import SECRET, Pipeline
from tests.adapters.receiver_process import COMMANDS, ReceiverProcess, environment, running
from tests.submission_factory import SUBMISSION_ID, FakeTime

OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
RAW_SECRET = "any text you choose, ünïcode"
PRIVATE_KEY = parse_private_key(new_private_key())
BODY = b'{"type":"submission.completed"}'
REFUSED = "refused: the signature is wrong, or the timestamp too old"


@pytest.fixture
def pipeline(aws: Aws, receiver: HookReceiver) -> Pipeline:
    """At the time of the receivers, which have clocks of their own."""
    return Pipeline(aws, FakeTime(now_ms()), receiver)


@pytest.fixture(params=list(COMMANDS))
def runtime(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def process(runtime: str) -> Iterator[ReceiverProcess]:
    with running(runtime, SECRET) as started:
        yield started


def last_status(pipeline: Pipeline, submission: Submission, endpoint_id: str = "run") -> int:
    status: int = pipeline.attempts(submission, endpoint_id)[-1]["status_code"]
    return status


def deliver(pipeline: Pipeline, url: str, secret: str = SECRET) -> tuple[Submission, int]:
    """Finish a run that has a webhook and let the dispatcher send it once; the status that came back."""
    submission = pipeline.run(webhook_url=url, webhook_secret=secret)
    pipeline.webhook(*pipeline.hints())
    return submission, last_status(pipeline, submission)


def replay(pipeline: Pipeline, submission: Submission) -> int:
    """Replay its delivery as the API does."""
    delivery = pipeline.delivery(submission)
    assert delivery is not None
    replays = ReplayStore(pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb"), pipeline.time)
    box = pipeline.boxes.seal(pipeline.secrets[submission.submission_id][0], "dev", "run")
    assert replays.replay(delivery, box) is ReplayResult.DONE
    pipeline.webhook(json.dumps({"event_id": submission.submission_id, "endpoint_id": "run", "project_id": "dev"}))
    return last_status(pipeline, submission)


@pytest.fixture
def seen(pipeline: Pipeline, receiver: HookReceiver) -> Received:
    """A request of the dispatcher, as it came."""
    deliver(pipeline, receiver.url)
    return receiver.received[-1]


def signed(body: bytes, webhook_id: str = SUBMISSION_ID) -> dict[str, str]:
    """Headers of a genuine request."""
    secs = now_ms() // 1000
    signature = sign(parse_secret(SECRET), webhook_id, secs, body)
    return {"webhook-id": webhook_id, "webhook-timestamp": str(secs), "webhook-signature": signature}


def test_a_sent_webhook_fits_the_schema(seen: Received) -> None:
    check_webhook(seen.headers, seen.body)


def finish(pipeline: Pipeline, endpoint: Endpoint) -> int:
    """Finish a run and let the dispatcher send it to an endpoint once; the status that came back."""
    submission = pipeline.run(webhook_url=None, webhook_secret=None)
    pipeline.webhook(*pipeline.hints())
    return last_status(pipeline, submission, endpoint.endpoint_id)


def test_during_a_rotation_the_old_and_the_new_secret_verify(pipeline: Pipeline) -> None:
    for runtime in COMMANDS:
        with running(runtime, SECRET) as old:
            endpoint = pipeline.endpoint(url=old.url)
            secret = pipeline.rotate(endpoint, overlap_secs=60)
            assert finish(pipeline, endpoint) == 200, runtime
            with running(runtime, secret) as new:
                pipeline.change_endpoint(endpoint, {"url": new.url})
                pipeline.time.advance(2)
                assert finish(pipeline, endpoint) == 200, runtime
                pipeline.time.advance(60)
                assert finish(pipeline, endpoint) == 200, runtime
            pipeline.change_endpoint(endpoint, {"url": old.url})
            pipeline.time.advance(2)
            assert finish(pipeline, endpoint) == 401, runtime
        assert pipeline.endpoints.delete("dev", endpoint.endpoint_id)


def test_a_receiver_with_two_secrets_bridges_a_rotation_without_overlap(pipeline: Pipeline) -> None:
    for runtime in COMMANDS:
        with running(runtime, OTHER_SECRET, SECRET) as process:
            endpoint = pipeline.endpoint(url=process.url)
            assert finish(pipeline, endpoint) == 200, runtime
            box = pipeline.boxes.seal(OTHER_SECRET, "dev", endpoint.endpoint_id)
            pipeline.change_endpoint(endpoint, {"secret_box": box})
            assert finish(pipeline, endpoint) == 200, runtime
            assert process.told(2) == ["handled", "handled"], runtime
        assert pipeline.endpoints.delete("dev", endpoint.endpoint_id)


def test_a_request_with_two_signatures_is_documented(pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint()
    pipeline.rotate(endpoint)
    assert finish(pipeline, endpoint) == 200
    (request,) = pipeline.sent_to(endpoint)
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    check_webhook(request.headers, request.body)


@pytest.mark.parametrize("secret", [SECRET, RAW_SECRET], ids=["whsec", "raw"])
def test_receivers_accept_sent_webhooks(pipeline: Pipeline, secret: str) -> None:
    for runtime in COMMANDS:
        with running(runtime, secret) as process:
            submission, status = deliver(pipeline, process.url, secret)
            assert (status, pipeline.state(submission)) == (200, DeliveryState.DELIVERED), runtime
            assert process.told(1) == ["handled"]
            (event,) = process.end()
        kind, webhook_id, stdout = event["type"], event["id"], event["stdout"]
        assert (kind, webhook_id, stdout) == ("submission.completed", submission.submission_id, "42\n"), runtime


def test_a_receiver_refuses_a_forged_request_and_the_event_is_retried(pipeline: Pipeline) -> None:
    for runtime in COMMANDS:
        with running(runtime, SECRET) as process:
            submission, status = deliver(pipeline, process.url, OTHER_SECRET)
            assert (status, pipeline.state(submission)) == (401, DeliveryState.RETRYING), runtime
            for behind_secs in (310, -310):
                pipeline.time.ms = now_ms() - behind_secs * 1000  # of the receiver's clock, which goes on
                assert deliver(pipeline, process.url)[1] == 401, (runtime, behind_secs)
            pipeline.time.ms = now_ms()
            assert (process.told(3), process.end()) == ([REFUSED] * 3, []), runtime


def test_a_duplicate_is_answered_and_handled_once(pipeline: Pipeline) -> None:
    for runtime in COMMANDS:
        with running(runtime, SECRET) as process:
            submission, _ = deliver(pipeline, process.url)
            pipeline.time.advance(2)
            assert replay(pipeline, submission) == 200, runtime
            assert process.told(2) == ["handled", "duplicate"], runtime
            assert [event["id"] for event in process.end()] == [submission.submission_id], runtime


def test_not_a_byte_of_it_can_be_changed(seen: Received) -> None:
    middle, later = len(seen.body) // 2, str(int(seen.headers["webhook-timestamp"]) + 1)
    changed = [seen.body[:place] + bytes([seen.body[place] ^ 1]) + seen.body[place + 1 :] for place in (0, middle, -2)]
    written_again = json.dumps(json.loads(seen.body)).encode()  # the raw bytes count, not what they mean
    for runtime in COMMANDS:
        with running(runtime, SECRET) as process:
            for body in (*changed, seen.body[:-1], seen.body + b" ", written_again):
                assert process.post(seen.headers, body) == 401, (runtime, body)
            for header in ({"webhook-id": new_id()}, {"webhook-timestamp": later}):
                assert process.post(seen.headers | header, seen.body) == 401, (runtime, header)
            assert process.post(seen.headers, seen.body) == 200, runtime
            assert len(process.end()) == 1, runtime


def test_headers_that_make_no_sense_are_refused(process: ReceiverProcess) -> None:
    for header in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        for value in ("", "\xb2", "-1", "1e9", "9" * 5000, "v1,", "v2,AAAA", "v1,AAAA " * 900):
            assert process.post(signed(b"{}") | {header: value}, b"{}") == 401, (header, value)
        headers = signed(b"{}")
        assert process.post({name: value for name, value in headers.items() if name != header}, b"{}") == 401
        assert process.post(headers, b"{}") == 200


BAD_FRAMING = {
    "": {400, 411},
    "content-length: -1": {400, 411},
    "content-length: +2": {400, 411},
    "content-length: two": {400, 411},
    "content-length: \xb2": {400, 411},
    "content-length: 2, 2": {400, 411},
    "content-length: 2\r\ncontent-length: 3": {400, 411},
    "content-length: " + "9" * 5000: {400, 411},
    "transfer-encoding: chunked": {400, 411},
    "content-length: 2\r\ntransfer-encoding: chunked": {400, 411},
    "content-length: 1048577": {413},
    "content-length: 999999999999": {413},
}


def test_a_body_without_a_good_length_is_not_read(process: ReceiverProcess) -> None:
    """By which of us it is refused, the receiver or the server below it, is all the same."""
    for framing, statuses in BAD_FRAMING.items():
        lines = ["POST / HTTP/1.1", "host: x", *(f"{name}: {value}" for name, value in signed(b"{}").items()), framing]
        head = "\r\n".join([*(line for line in lines if line), "", ""]).encode("latin-1")
        assert process.raw(head + b"{}") in statuses, framing
    assert process.post(signed(b"{}"), b"{}") == 200
    assert process.end() == [{}]


def test_a_long_body_is_taken_up_to_the_bound(process: ReceiverProcess) -> None:
    body = b"{}".ljust(1024 * 1024)
    assert process.post(signed(body), body) == 200
    assert process.post(signed(body + b" "), body + b" ") == 413
    assert process.end() == [{}]


def test_an_event_that_could_not_be_handled_comes_again(process: ReceiverProcess) -> None:
    webhook_id = new_id()
    statuses = [process.post(signed(body, webhook_id), body) for body in (b"no json", b"no json", b"{}", b"{}")]
    assert statuses == [500, 500, 200, 200]
    # Each request has a thread of its own, which writes its line when it has answered.
    told = Counter(line.partition(":")[0] for line in process.told(4))
    assert told == {"failed": 2, "handled": 1, "duplicate": 1}
    assert process.raw(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") == 501


def test_output_of_a_program_does_not_control_the_terminal(process: ReceiverProcess) -> None:
    body = json.dumps({"stdout": "\x1b[2J\x7f\x9b2J\u202e"}, ensure_ascii=False).encode()
    assert process.post(signed(body), body) == 200
    process.process.terminate()
    assert process.process.stdout is not None
    printed = process.process.stdout.readline()
    assert (printed.strip().isascii(), "\x1b" in printed, "\x7f" in printed) == (True, False, False)
    assert json.loads(printed) == json.loads(body)


def test_a_receiver_does_not_start_without_a_good_secret(runtime: str) -> None:
    too_long = "whsec_" + base64.b64encode(bytes(65)).decode()
    for secret in (None, "", "whsec_", "whsec_short", "whsec_" + "%" * 40, too_long):
        ended = subprocess.run(
            [*COMMANDS[runtime], "--port", "0"], env=environment(secret), capture_output=True, timeout=60, check=False
        )
        assert (ended.returncode, b"listening" in ended.stderr) == (1, False), secret
        assert b"secret" in ended.stderr, secret


def test_a_receiver_with_once_ends_after_one_event(runtime: str) -> None:
    with running(runtime, SECRET, None, "--once") as process:
        assert process.post(signed(b"[1]"), b"[2]") == 401
        assert process.post(signed(b"[1]"), b"[1]") == 200
        assert process.process.wait(60) == 0


def test_a_public_key_verifies_webhooks_of_an_asymmetric_endpoint(pipeline: Pipeline) -> None:
    """A rotation overlap too; not one that another key has signed, nor a changed body."""
    for runtime in COMMANDS:
        endpoint = pipeline.endpoint()
        first, second = (asymmetric(pipeline, endpoint) for _ in range(2))
        with running(runtime, first) as old, running(runtime, second) as new:
            for receiver in (old, new):
                pipeline.change_endpoint(endpoint, {"url": receiver.url})
                assert finish(pipeline, endpoint) == 200, runtime
            pipeline.time.advance(60)
            pipeline.change_endpoint(endpoint, {"url": old.url})
            pipeline.time.advance(2)
            assert finish(pipeline, endpoint) == 401, runtime
            headers = signed(BODY) | {"webhook-signature": sign(PRIVATE_KEY, SUBMISSION_ID, now_ms() // 1000, BODY)}
            assert new.post(headers, BODY) == 401, runtime
        pipeline.endpoints.delete("dev", endpoint.endpoint_id)
        with running(runtime, PRIVATE_KEY.public_key()) as ours:
            assert ours.post(headers, BODY) == 200, runtime
            assert ours.post(headers, BODY + b" ") == 401, runtime
            entry = headers["webhook-signature"]
            for wrong in (
                "v1a,",
                "v1a,%",
                "v1a," + "A" * 88,
                entry.replace("v1a,", "v1,"),
                signed(BODY)["webhook-signature"],
            ):
                assert ours.post(headers | {"webhook-signature": wrong}, BODY) == 401, (runtime, wrong)
            assert ours.post(headers | {"webhook-signature": f"v1,AAAA {entry}"}, BODY) == 200, runtime


def asymmetric(pipeline: Pipeline, endpoint: Endpoint) -> str:
    """Give an endpoint a new key pair, as a rotation with overlap does; return the public key."""
    seen = pipeline.at(endpoint)
    box, public_key = EndpointSecrets(pipeline.boxes).new_keys(SECRET, "dev", endpoint.endpoint_id, asymmetric=True)
    assert public_key is not None
    until_ms = pipeline.time() + 60_000
    previous = {"previous_secret_box": seen.secret_box, "previous_until_ms": until_ms}
    pipeline.change_endpoint(endpoint, {"secret_box": box, "public_key": public_key, **previous})
    return public_key
