"""The message that requests one execution, and the queues. If a message is lost, the sweeper finds its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from events.requested import STANDARD_TOTAL_SECS, ExecutionRequested, JudgeRequested, Judging
from functions.aws.dynamodb.row_codec import read_compressed
from functions.clock import Clock, now_ms
from functions.submissions.model import Kind
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

    from events.judged import Completed
    from events.requested import Requested
    from functions.env import Env
    from functions.submissions.model import Submission


def execution_requested(row: Submission, requested_at: str) -> ExecutionRequested:
    """Return the message for the `execution_id` of a row that has its whole program."""
    return ExecutionRequested.of(_request_values(row, requested_at))


def judge_requested(
    row: Submission, requested_at: str, judging: Judging | None, judging_key: str | None
) -> JudgeRequested:
    """Return the same of a judge run, with its cases inside or the key of their object."""
    values = {
        "judging": judging,
        "judging_key": judging_key,
        "judging_object": row.judging_object,
        "passes": (row.plan or {}).get("passes"),
        "total_secs": row.wall_budget_secs if row.wall_budget_secs > STANDARD_TOTAL_SECS else None,
    }
    return JudgeRequested.of(_request_values(row, requested_at) | values)


def requested_again(row: Submission, requested_at: str) -> Requested:
    """Return the message for another execution of a row that has its whole program."""
    if row.kind is not Kind.JUDGE:
        return execution_requested(row, requested_at)
    judging = None if row.judging is None else Judging.parse(read_compressed(row.judging))
    return judge_requested(row, requested_at, judging, row.judging_key)


def _request_values(row: Submission, requested_at: str) -> dict[str, Any]:
    """Return the fields that the messages of both kinds of submissions have."""
    ids = ("submission_id", "execution_id", "project_id", "priority")
    return row.message_fields | {name: getattr(row, name) for name in ids} | {"requested_at": requested_at}


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

    @classmethod
    def from_env(cls, env: Env) -> Self:
        urls = (env.settings.interactive_queue_url, env.settings.batch_queue_url, env.settings.network_queue_url)
        return cls(env.sqs, *urls, env.clock)

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
        return sum(self.recent_depth(priority) for priority in self._urls)

    def _count(self, priority: str, names: list[QueueAttributeNameType]) -> int:
        answer = self._client.get_queue_attributes(QueueUrl=self._urls[priority], AttributeNames=names)
        return sum(int(count) for count in answer["Attributes"].values())
