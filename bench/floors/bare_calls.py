"""The calls of AWS and of a runner that a submission cannot do without, and nothing else: a program of its own.

Its clients are those of `functions` on the local stack, answered by an engine on the same file. Table and queue are its
own. What each sequence stands for is written in `calls`.
"""

import base64
import http.client
import json
import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from bench.answers import WrongAnswerError
from bench.floors.bare_submission import Answered, Asked, checked, key_of, ms_since, new
from bench.floors.child import Facts, serve
from functions.aws.clients import Clients
from infra.embedded import services
from infra.embedded.engine import open_engine
from infra.embedded.hook import Hook
from infra.local.embedded_aws import FOLDER, prepare_for_engine

_NAME = "bench-floor"
_SLOTS = os.cpu_count() or 1  # of the local stack's runner: more at once it would refuse
_TIMEOUT_SECS = 40
_PLACE = {"pk": {"S": "PLACE"}, "sk": {"S": "PLACE"}}
_FINAL = "SET #status = :status, summary = :summary, evidence = :evidence, stdout = :stdout, completed_at = :at"


class Calls:
    """Makes its table and queue.

    `state_dir`: of the stack. `runner`: host and port; `headers`: those of each request to it.
    """

    def __init__(self, state_dir: str, runner: str, headers: dict[str, str]) -> None:
        prepare_for_engine()
        engine = open_engine(Path(state_dir) / FOLDER, synchronous="NORMAL", prepare=False)
        Hook(partial(services.call, engine)).attach_everywhere()
        self._db, self._sqs = Clients.dynamodb(), Clients.sqs()
        self._runner, self._headers = runner, headers
        self._of_thread = threading.local()
        self._slots = threading.Semaphore(_SLOTS)
        self._db.create_table(
            TableName=_NAME,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        self._queue_url = self._sqs.create_queue(QueueName=_NAME)["QueueUrl"]

    def answer(self, *, with_place: bool) -> float:
        """Milliseconds: the runner asked and the row put beside it, then the final state."""
        return checked(self._answered(new(), with_place=with_place))

    def take_in(self) -> float:
        """Milliseconds: the row put, then the queue told."""
        asked = new()
        begun_ns = time.perf_counter_ns()
        self._put(asked)
        sent = self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=asked.body.decode(), MessageGroupId="bench")
        elapsed_ms = ms_since(begun_ns)
        if "MessageId" not in sent:
            raise WrongAnswerError("the queue did not take it")
        return elapsed_ms

    def read(self) -> float:
        """Milliseconds: a finished row, read consistently."""
        done = self._answered(new(), with_place=False)
        checked(done)
        begun_ns = time.perf_counter_ns()
        found = self._db.get_item(TableName=_NAME, Key=key_of(done.asked.row), ConsistentRead=True)["Item"]
        elapsed_ms = ms_since(begun_ns)
        if found["stdout"]["B"].decode() != done.asked.program.expected.stdout:
            raise WrongAnswerError("another row was read")
        return elapsed_ms

    def load(self, clients: int, count: int, *, with_place: bool) -> Facts:
        """The first sequence from so many threads: milliseconds of each, and seconds of all."""
        waiting = [new() for _ in range(count)]
        with ThreadPoolExecutor(clients) as threads:
            begun_ns = time.perf_counter_ns()
            done = list(threads.map(partial(self._answered, with_place=with_place), waiting))
            elapsed_secs = ms_since(begun_ns) / 1000
        return {"times_ms": [checked(one) for one in done], "elapsed_secs": elapsed_secs}

    def _answered(self, asked: Asked, *, with_place: bool) -> Answered:
        connection = self._connection()
        begun_ns = time.perf_counter_ns()
        if with_place:
            self._hold(1)
        with self._slots:
            connection.request("POST", "/v1/execute", asked.body, self._headers)
            self._put(asked)
            response = connection.getresponse()
            content = response.read()
        completed = json.loads(content)
        if response.status == http.client.OK:
            self._finish(asked, completed)
        elapsed_ms = ms_since(begun_ns)
        if with_place:
            self._hold(-1)  # ours is given back beside the final state
        return Answered(asked, elapsed_ms, response.status, content)

    def _connection(self) -> http.client.HTTPConnection:
        """One kept connection for each thread."""
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = http.client.HTTPConnection(self._runner, timeout=_TIMEOUT_SECS)
        connection: http.client.HTTPConnection = self._of_thread.connection
        return connection

    def _hold(self, count: int) -> None:
        self._db.update_item(
            TableName=_NAME,
            Key=_PLACE,
            UpdateExpression="ADD held :count",
            ConditionExpression="attribute_not_exists(held) OR held < :most",
            ExpressionAttributeValues={":count": {"N": str(count)}, ":most": {"N": "1000"}},
            ReturnValues="ALL_NEW",
        )

    def _put(self, asked: Asked) -> None:
        self._db.put_item(TableName=_NAME, Item=asked.row, ConditionExpression="attribute_not_exists(pk)")

    def _finish(self, asked: Asked, completed: Mapping[str, Any]) -> None:
        self._db.update_item(
            TableName=_NAME,
            Key=key_of(asked.row),
            UpdateExpression=_FINAL,
            ConditionExpression="#status = :pending",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":pending": {"S": "pending"},
                ":status": {"S": "completed"},
                ":summary": {"S": json.dumps([completed["result"], completed["metrics"]])},
                ":evidence": {"S": json.dumps(completed["evidence"])},
                ":stdout": {"B": base64.b64decode(completed["stdout"]["base64"])},
                ":at": {"S": completed["completed_at"]},
            },
            ReturnValues="ALL_NEW",
        )


class _Answers:
    """First `state_dir`, `runner` and `headers`; then the name of a method, and what it takes."""

    def __init__(self) -> None:
        self._calls: Calls | None = None

    def __call__(self, question: Facts) -> Facts:
        if self._calls is None:
            self._calls = Calls(**question)
            return {}
        match question.pop("what"):
            case "answer":
                return {"elapsed_ms": self._calls.answer(**question)}
            case "take in":
                return {"elapsed_ms": self._calls.take_in()}
            case "read":
                return {"elapsed_ms": self._calls.read()}
            case "load":
                return self._calls.load(**question)
            case other:
                raise ValueError(other)


if __name__ == "__main__":
    serve(_Answers())
