"""Sees what the bus passes on, and injects what it may answer: at the level of HTTP, under botocore."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders

from tests.adapters.aws_account import Aws


class BusWatch:
    """A rule, for every event of ours if no pattern is given, with a queue behind it."""

    def __init__(self, aws: Aws, pattern: str = '{"source": ["rustbox"]}') -> None:
        sqs, events, bus = aws.client("sqs"), aws.client("events"), aws.names["EventBus"]
        self._aws = aws
        aws.names["BusWatch"] = sqs.create_queue(QueueName="bus-watch")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=aws.names["BusWatch"], AttributeNames=["QueueArn"])
        events.put_rule(Name="all", EventBusName=bus, EventPattern=pattern)
        target = {"Id": "watch", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule="all", EventBusName=bus, Targets=[target])

    def seen(self) -> list[dict[str, Any]]:
        """Events since the last look: source, detail-type, detail."""
        return self._aws.messages("BusWatch")


class _Body(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def bus_answers(aws: Aws, *answers: dict[str, Any] | int) -> Iterator[list[str]]:
    """Answer the next PutEvents with these bodies, or with errors of these statuses; yields the details put."""
    left, put = list(answers), list[str]()

    def answer(request: AWSRequest, **_: object) -> AWSResponse | None:
        body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        put.extend(entry["Detail"] for entry in json.loads(body)["Entries"])
        if not left:
            return None
        given = left.pop(0)
        request.url = "http://bus.invalid/"  # every hook is asked: moto's would put it although
        status, content = (given, {"__type": "InternalException"}) if isinstance(given, int) else (200, given)
        return AWSResponse(request.url, status, HTTPHeaders(), _Body(json.dumps(content).encode()))

    hooks = aws.client("events").meta.events
    hooks.register_first("before-send.eventbridge.PutEvents", answer)
    try:
        yield put
    finally:
        hooks.unregister("before-send.eventbridge.PutEvents", answer)


def failed(code: str = "ThrottlingException") -> dict[str, Any]:
    """The answer of PutEvents, with status 200, when it refused the one entry."""
    return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "not taken"}]}
