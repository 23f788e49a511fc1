"""The runner's access to SQS and S3: receive requests, extend their visibility timeouts, and send completions.

The order after an execution: put large output into the bucket, send the completion, delete the request.
A crash between two steps repeats the execution and never loses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from events.completed import ExecutionCompleted, Stream
from events.judged import CaseResults, JudgeCompleted
from events.message import is_correlation_id, write
from events.requested import MAX_JUDGING_BYTES, ExecutionRequested, JudgeRequested
from events.runner import MAX_CONTROL_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef, MessageTypeDef


class TransportError(Exception):
    """A call of SQS or S3 failed. `code` is AWS's error code or the name of the client's or the system's error."""

    def __init__(self, operation: str, code: str) -> None:
        self.operation = operation
        self.code = code
        super().__init__(f"{operation}: {code}")


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn the SDK's errors into TransportError, without their texts, which may quote the request."""
    try:
        yield
    except ClientError as error:
        raise TransportError(operation, error.response.get("Error", {}).get("Code", "Unknown")) from error
    # botocore passes on an OSError of credentials, such as a token file that is replaced just now.
    # It raises RuntimeError for new credentials that have expired already.
    except (BotoCoreError, OSError, RuntimeError) as error:
        raise TransportError(operation, type(error).__name__) from error


# AWS clients of the runner, with timeouts for short calls and for long polls.

CONNECT_TIMEOUT_SECS = 3
READ_TIMEOUT_SECS = 10


@dataclass(frozen=True, slots=True)
class Clients:
    """`receiving`: for long polls. `sqs`, `s3`: for short calls.

    `s3` makes its client at the first call: the client takes 5 MB, and few runs have output that large.
    """

    receiving: SQSClient
    sqs: SQSClient
    s3: Callable[[], S3Client]


def connect(*, slots: int, receive_wait_secs: int) -> Clients:
    """Make the clients. boto3 takes credentials, region and endpoint from the environment.

    Raises TransportError, for example when no region is set.
    """
    receiving = _config(pool=2, read_timeout=receive_wait_secs + READ_TIMEOUT_SECS)
    prompt = _config(pool=slots + 4, read_timeout=READ_TIMEOUT_SECS)
    with translated("connect"):
        session = boto3.Session()
        return Clients(
            receiving=session.client("sqs", config=receiving),
            sqs=session.client("sqs", config=prompt),
            s3=_made_once(lambda: session.client("s3", config=prompt)),
        )


def _made_once[Client](make: Callable[[], Client]) -> Callable[[], Client]:
    """Make a client once, under a lock: in boto3 making a client is not thread-safe, using one is."""
    making, made = Lock(), cache(make)

    def client() -> Client:
        with making:
            return made()

    return client


def _config(*, pool: int, read_timeout: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECS,
        read_timeout=read_timeout,
        max_pool_connections=pool,
        tcp_keepalive=True,
        user_agent="rustbox-runner",  # botocore builds its own for each call: an eighth of the call's CPU time
        parameter_validation=False,  # a twelfth of a call's CPU time; mypy checks the types, AWS the rest
        retries={"mode": "standard", "total_max_attempts": 3},
    )


# When both streams together are larger than this, the larger ones go into the bucket.
MAX_INLINE_OUTPUT_BYTES = 128 * 1024
# Results of a judge run that are larger than this go into the bucket, as JSON.
MAX_INLINE_CASES_BYTES = 96 * 1024
# SQS takes this many messages and this many bytes in one call.
MOST_PER_CALL = 10
MAX_BATCH_BYTES = 1_048_576
_CHUNK_BYTES = 1_048_576
# AWS says the second to a role without ListBucket.
_MISSING_CODES = {"NoSuchKey", "AccessDenied"}


@dataclass(frozen=True, slots=True)
class Received:
    """One received message, invisible to other runners until its visibility timeout expires."""

    queue_url: str
    receipt_handle: str
    message_id: str
    receive_count: int
    body: str
    correlation_id: str | None = None


class Transport:
    """The runner's side of the queues and the bucket. Safe for threads, as the clients are."""

    def __init__(self, clients: Clients, *, completions_queue_url: str, bucket: str, visibility_secs: int) -> None:
        self._clients = clients
        self._completions_queue_url = completions_queue_url
        self._bucket = bucket
        self._visibility_secs = visibility_secs

    def receive(self, queue_url: str, most: int, wait_secs: int) -> list[Received]:
        """Receive up to `most` messages, waiting `wait_secs` for the first. Raises TransportError."""
        with translated("receive"):
            answer = self._clients.receiving.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=min(most, MOST_PER_CALL),
                WaitTimeSeconds=wait_secs,
                VisibilityTimeout=self._visibility_secs,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
                MessageAttributeNames=["correlation_id"],
            )
        return [
            Received(
                queue_url=queue_url,
                receipt_handle=message["ReceiptHandle"],
                message_id=message["MessageId"],
                receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
                body=message["Body"],
                correlation_id=_correlation_id(message),
            )
            for message in answer.get("Messages", [])
        ]

    def extend(self, received: Received) -> None:
        self.make_visible(received, self._visibility_secs)

    def make_visible(self, received: Received, delay_secs: int) -> None:
        """Make a message visible to all runners after `delay_secs`. Raises TransportError."""
        with translated("change_visibility"):
            self._clients.sqs.change_message_visibility(
                QueueUrl=received.queue_url, ReceiptHandle=received.receipt_handle, VisibilityTimeout=delay_secs
            )

    def delete(self, queue_url: str, receipt_handles: Sequence[str]) -> list[str | None]:
        """Remove up to MOST_PER_CALL messages of one queue for good. Returns the error code of each; None: it is gone.

        Raises TransportError when the whole call failed.
        """
        with translated("delete"):
            answer = self._clients.sqs.delete_message_batch(
                QueueUrl=queue_url,
                Entries=[{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(receipt_handles)],
            )
        return _codes(answer.get("Failed", ()), len(receipt_handles))

    def send(self, bodies: Sequence[str]) -> list[str | None]:
        """Send up to MOST_PER_CALL messages to the completions queue. Returns the error code of each; None: sent.

        Raises TransportError when the whole call failed. Then SQS may still have them.
        """
        with translated("send"):
            answer = self._clients.sqs.send_message_batch(
                QueueUrl=self._completions_queue_url,
                Entries=[{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)],
            )
        return _codes(answer.get("Failed", ()), len(bodies))

    def without_large_output(self, completed: ExecutionCompleted) -> ExecutionCompleted:
        """Move output that is too large for a message into the bucket. Raises TransportError."""
        if completed.stdout.size_bytes + completed.stderr.size_bytes <= MAX_INLINE_OUTPUT_BYTES:
            return completed
        prefix = f"outputs/{completed.submission_id}/{completed.execution_id}"
        return completed.changed(
            stdout=self._stored_if_large(completed.stdout, f"{prefix}/stdout"),
            stderr=self._stored_if_large(completed.stderr, f"{prefix}/stderr"),
        )

    def _stored_if_large(self, output: Stream, object_key: str) -> Stream:
        if output.content is None or output.size_bytes <= MAX_INLINE_OUTPUT_BYTES // 2:
            return output
        self._put(object_key, output.content, "application/octet-stream")
        return Stream(size_bytes=output.size_bytes, object_key=object_key)

    def without_large_cases(self, completed: JudgeCompleted) -> JudgeCompleted:
        """Move the results of a judge run that are too large for a message into the bucket. Raises TransportError."""
        # In UTF-8: with escapes, long messages of checkers would be too large for the readers of the object.
        text = write(CaseResults(completed.cases or ()))
        if completed.cases is None or len(text) <= MAX_INLINE_CASES_BYTES:
            return completed
        object_key = f"outputs/{completed.submission_id}/{completed.execution_id}/cases"
        self._put(object_key, text, "application/json")
        return completed.changed(cases=None, cases_key=object_key)

    def store_case_output(self, request: JudgeRequested, index: int, output: bytes) -> str:
        """Put the whole output of a case into the bucket, and return its key. Raises TransportError."""
        object_key = f"outputs/{request.submission_id}/{request.execution_id}/case-{index}-stdout"
        self._put(object_key, output, "application/octet-stream")
        return object_key

    def store_artifact(self, request: ExecutionRequested, number: int, content: bytes) -> str:
        """Put a file that a program left into the bucket, and return its key. Raises TransportError.

        Its media type stays out of the bucket: whoever opens the object gets bytes, never a page.
        """
        object_key = f"outputs/{request.submission_id}/{request.execution_id}/artifact-{number}"
        self._put(object_key, content, "application/octet-stream")
        return object_key

    def read_cases(self, object_key: str) -> bytes:
        """Read the cases of a judge run. Raises TransportError."""
        with translated("get_object"):
            found = self._clients.s3().get_object(Bucket=self._bucket, Key=object_key)
            return found["Body"].read(MAX_JUDGING_BYTES + 1)

    def read_file(self, object_key: str) -> Iterator[bytes]:
        """Yield the bytes of a stored file. Raises TransportError, also while it is read."""
        with translated("get_object"):
            body = self._clients.s3().get_object(Bucket=self._bucket, Key=object_key)["Body"]
            with closing(body):
                yield from body.iter_chunks(_CHUNK_BYTES)

    def is_over(self, submission_id: str) -> bool:
        """Whether the submission needs no run: it was deleted or cancelled, or it is final. Raises TransportError."""
        try:
            with translated("get_object"):
                self._clients.s3().get_object(Bucket=self._bucket, Key=f"deleted/{submission_id}")["Body"].close()
        except TransportError as error:
            if error.code in _MISSING_CODES:
                return False
            raise
        return True

    def read_control(self, node_id: str, seen_etag: str) -> tuple[str, bytes] | None:
        """Read the control object of a runner: ETag and content. None: there is none, or `seen_etag` is still that.

        Raises TransportError.
        """
        key = f"control/{hashlib.sha256(node_id.encode()).hexdigest()[:32]}"
        unless_seen: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key}
        if seen_etag:
            unless_seen["IfNoneMatch"] = seen_etag
        try:
            with translated("get_object"):
                found = self._clients.s3().get_object(**unless_seen)
                return found["ETag"], found["Body"].read(MAX_CONTROL_BYTES)
        except TransportError as error:
            if error.code in {"304", *_MISSING_CODES}:
                return None
            raise

    def put_live_output(self, submission_id: str, stream: str, content: bytes, execution: str) -> None:
        """Put the beginning of an output that still grows, in place of the one before. Raises TransportError."""
        # A parameter of the type names the execution: functions of the version before read the object as it is.
        self._put(f"live/{submission_id}/{stream}", content, f"application/octet-stream; execution={execution}")

    def _put(self, object_key: str, content: bytes, content_type: str) -> None:
        with translated("put_object"):
            self._clients.s3().put_object(Bucket=self._bucket, Key=object_key, Body=content, ContentType=content_type)


def _correlation_id(message: MessageTypeDef) -> str | None:
    """Read the attribute. The functions of the revision before send none."""
    attribute = message.get("MessageAttributes", {}).get("correlation_id")
    text = attribute.get("StringValue", "") if attribute is not None else ""
    return text if is_correlation_id(text) else None


def _codes(failed: Iterable[BatchResultErrorEntryTypeDef], count: int) -> list[str | None]:
    """Find the error code of each entry; their ids are their indexes."""
    by_id = {entry["Id"]: entry["Code"] for entry in failed}
    return [by_id.get(str(index)) for index in range(count)]
