"""The message that requests one execution, and the queues. If a message is lost, the sweeper finds its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.files import PlacedFile, read_files
from events.message import to_shape
from events.network import Network
from events.program import RequestedLimits
from events.requested import ExecutionRequested
from functions.clock import Clock, now_ms
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

    from events.judged import Completed
    from events.requested import Requested
    from events.variables import Environment
    from functions.submissions.model import Submission


def execution_requested(
    submission: Submission,
    code: bytes,
    stdin: bytes,
    requested_at: str,
    environment: Environment | None = None,
    files: tuple[PlacedFile, ...] = (),
) -> ExecutionRequested:
    """Return the message for the row's `execution_id`. Code, stdin and files may come from the bucket."""
    network = Network.of(submission.network) if submission.network else None
    return ExecutionRequested.of(
        request_values(submission, code, requested_at, files)
        | {
            "network": network,
            "artifacts": submission.artifact_patterns,
            "args": submission.args or None,
            "stdin": stdin,
            "environment": None if environment is None else environment.variables,
            "secret_names": None if environment is None else environment.secret_names or None,
        }
    )


def requested_again(
    submission: Submission,
    code: bytes,
    stdin: bytes,
    requested_at: str,
    environment: Environment | None,
    files: bytes | None,
) -> ExecutionRequested:
    """Return the message for another execution. `files`: as the row or the bucket has them."""
    return execution_requested(submission, code, stdin, requested_at, environment, read_files(files))


def request_values(
    submission: Submission, code: bytes, requested_at: str, files: tuple[PlacedFile, ...] = ()
) -> dict[str, Any]:
    """Return the fields that the messages of both kinds of submissions have."""
    return {
        "submission_id": submission.submission_id,
        "execution_id": submission.execution_id,
        "project_id": submission.project_id,
        "language": submission.language,
        "profile": submission.profile,
        "priority": submission.priority,
        "code": code,
        "limits": to_shape(dict(submission.limits), RequestedLimits),
        "files": files or None,
        "compile_args": submission.compile_args or None,
        "requested_at": requested_at,
    }


_DEPTH_FRESH_MS = 1_000
_MOST_QUEUES = 3


class Queues:
    """SQS: a queue of submissions for each priority, `interactive`, `batch` and `network`, and that of completions.

    MessageGroupId is the project: on a standard queue it makes delivery fair between projects.
    """

    def __init__(
        self, client: SQSClient, interactive_url: str, batch_url: str, network_url: str, clock: Clock = now_ms
    ) -> None:
        self._client = client
        self._urls = {"interactive": interactive_url, "batch": batch_url, "network": network_url}
        self._depths = TtlCache[str, int](_DEPTH_FRESH_MS, _MOST_QUEUES, clock)

    def send_execution(self, message: Requested, correlation_id: str | None = None) -> None:
        """Request one execution. The correlation id is an attribute: runners of the previous revision ignore it."""
        attributes: dict[str, MessageAttributeValueTypeDef] = {}
        if correlation_id is not None:
            attributes["correlation_id"] = {"DataType": "String", "StringValue": correlation_id}
        self._client.send_message(
            QueueUrl=self._urls[message.priority],
            MessageBody=message.serialise(),
            MessageGroupId=message.project_id,
            MessageAttributes=attributes,
        )

    def send_completion(self, queue_url: str, message: Completed) -> None:
        """Send a runner's completion to `record`."""
        self._client.send_message(QueueUrl=queue_url, MessageBody=message.serialise())

    def waiting(self, priority: str) -> int:
        """Return SQS's estimate of the messages that no runner has received."""
        return self._count(priority, ["ApproximateNumberOfMessages"])

    def depth(self, priority: str) -> int:
        """Return SQS's estimate of waiting and in-flight messages."""
        return self._count(priority, ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])

    def recent_depth(self, priority: str) -> int:
        """Like `depth`, cached for a second."""
        return self._depths.get_or_load(priority, lambda: self.depth(priority))

    def recent_depths(self) -> int:
        """Return the `recent_depth` of all three queues together."""
        return sum(self.recent_depth(priority) for priority in self._urls)

    def _count(self, priority: str, names: list[QueueAttributeNameType]) -> int:
        answer = self._client.get_queue_attributes(QueueUrl=self._urls[priority], AttributeNames=names)
        return sum(int(count) for count in answer["Attributes"].values())
