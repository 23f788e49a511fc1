"""Runs that end without having run: their rows are put as `submit` puts them, and a completion as a runner sends it.

So what is measured is the way from there to the webhooks, by the service's own `record` and `webhook`, and no sandbox
takes part.
"""

import json
import time
from pathlib import Path
from typing import Any

from functions.clock import now_ms, to_rfc3339
from functions.ids import new_id
from functions.submissions.model import Status, Submission
from functions.submissions.store import SubmissionStore
from tests.system.local_stack import LocalStack

_PROJECT_ID = "dev"
_PREFIX = "rustbox-local-"
_COMPLETION = Path(__file__).parents[1] / "events" / "execution_completed" / "v1.accepted.json"
_DAY_SECS = 86_400


class FinishedRuns:
    """Makes them, one at a time."""

    def __init__(self, local: LocalStack) -> None:
        self._store = SubmissionStore(f"{_PREFIX}SubmissionsTable", local.aws("dynamodb"))
        self._sqs = local.aws("sqs")
        self._queue_url: str = self._sqs.get_queue_url(QueueName=f"{_PREFIX}CompletionsQueue")["QueueUrl"]
        self._completion: dict[str, Any] = json.loads(_COMPLETION.read_text(encoding="utf-8"))

    def finish_one(self) -> tuple[str, float]:
        """Return its id, and when its completion was put on the queue, in seconds since the epoch."""
        now, run_id = now_ms(), new_id()
        self._store.create(
            Submission(
                submission_id=run_id,
                project_id=_PROJECT_ID,
                status=Status.PENDING,
                language="python",
                profile="judge",
                priority="batch",
                created_at=to_rfc3339(now),
                ttl=now // 1000 + _DAY_SECS,
                execution_id=new_id(),
                wall_budget_secs=7,
                code=b"print(42)\n",
                stdin=b"",
                due_at_ms=now + 1000 * _DAY_SECS,
            ),
            None,
        )
        times = {"started_at": to_rfc3339(now), "completed_at": to_rfc3339(now)}
        at = time.time()
        body = json.dumps(self._completion | {"submission_id": run_id} | times)
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=body)
        return run_id, at
