"""Checks behind their entry points, with a clock of the test and a runner that answers as it is told."""

import base64
import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from functions.aws.clients import Clients
from functions.aws.dynamodb.items import from_item
from functions.checks.runs import start
from functions.checks.runs.run import Run
from functions.checks.runs.store import RunStore
from functions.handlers import check_schedule as schedule
from functions.handlers import checks, record
from functions.projects.model import ProjectNetwork, Quota
from functions.projects.store import ProjectStore
from functions.submissions.queues import execution_requested
from functions.submissions.store import submission_of
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, send
from tests.adapters.pipeline import Context, call
from tests.submission_factory import FakeTime, golden

PROGRAM = {"name": "Nightly totals", "language": "python", "code": "print(42)"}
MINUTE = 60


def passes(_program: str) -> dict[str, Any]:
    return {}


def prints(text: str) -> Callable[[str], dict[str, Any]]:
    raw = text.encode()
    stream = {"size_bytes": len(raw), "base64": base64.b64encode(raw).decode()}
    return lambda _program: {"stdout": stream}


def breaks(_program: str) -> dict[str, Any]:
    return {"result": golden("execution_completed/v1.platform_failure")["result"]}


class CheckWorld:
    """`answer`: what a program gives, as changes of the golden completion."""

    def __init__(self, aws: Aws, key: str) -> None:
        self.aws, self.key, self.time = aws, key, FakeTime()
        self.answer: Callable[[str], dict[str, Any]] = passes
        aws.environment("ScheduleFunction")
        self.env = schedule.ENV
        for env in (schedule.ENV, checks.ENV):
            aws.monkeypatch.setattr(env, "clock", self.time)
        assert self.env.settings  # other functions have other variables

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return send(self.key, method, path, body, **more)

    def create(self, **changes: Any) -> Any:
        answer = self.call("POST", "/api/checks", {**PROGRAM, **changes})
        assert answer.status == 200, answer.json
        return answer.json

    def allow_network(self, network: ProjectNetwork) -> None:
        """Set the network of the project."""
        projects = ProjectStore(self.aws.names["ProjectsTable"], Clients.dynamodb())
        record = projects.get(PROJECT_ID)
        assert record is not None
        projects.change(record, replace(record.project, network=network))

    def set_files_mb(self, files_mb: int) -> None:
        """Set the room for the project's files."""
        projects = ProjectStore(self.aws.names["ProjectsTable"], Clients.dynamodb())
        record = projects.get(PROJECT_ID)
        assert record is not None
        projects.change(record, replace(record.project, files_mb=files_mb))

    def allow_requests(self, most: int) -> None:
        """Let the project request that many runs of checks in an hour."""
        self.aws.monkeypatch.setattr(start, "MAX_CHECKS", most)
        projects = ProjectStore(self.aws.names["ProjectsTable"], Clients.dynamodb())
        record = projects.get(PROJECT_ID)
        assert record is not None
        projects.change(record, replace(record.project, quotas={"judge": Quota(0, 1, 1)}))

    def show(self, check: Any) -> Any:
        return self.call("GET", f"/api/checks/{check['id']}").json

    def runs(self, check: Any) -> list[Any]:
        items: list[Any] = self.call("GET", f"/api/checks/{check['id']}/runs", query={"limit": "100"}).json["items"]
        return items

    def rows(self, check: Any) -> list[Run]:
        return self.env[RunStore].since(PROJECT_ID, check["id"], 0, 10_000)

    def statuses(self, check: Any) -> list[str]:
        """The statuses of its runs, oldest first."""
        return [run.status.value for run in reversed(self.rows(check))]

    def schedule(self) -> dict[str, Any]:
        """Let the minute schedule fire."""
        return schedule.handler({"source": "schedule"}, Context())  # type: ignore[arg-type]

    def send_again(self) -> None:
        """Send pending submissions whose message was lost, as the sweeper does."""
        for item in self.aws.items("SubmissionsTable"):
            if item.get("status") == {"S": "pending"}:
                row = submission_of(from_item(item))
                message = execution_requested(row, row.created_at)
                self.aws.client("sqs").send_message(
                    QueueUrl=self.aws.names["BatchQueue"], MessageBody=message.serialise()
                )

    def run_programs(self) -> int:
        """Run all queued submissions; return their number."""
        messages = self.aws.messages("BatchQueue") + self.aws.messages("NetworkQueue")
        completions = []
        for message in messages:
            program = base64.b64decode(message["code_base64"]).decode()
            ids = {name: message[name] for name in ("submission_id", "execution_id")}
            completions.append(json.dumps(golden("execution_completed/v1.accepted") | ids | self.answer(program)))
        assert not completions or call(record.handler, tuple(completions)) == []
        return len(messages)

    def hints(self) -> int:
        """Give the visible hints to the entry point; return their number."""
        bodies = tuple(json.dumps(message) for message in self.aws.messages("ChecksQueue"))
        assert not bodies or call(schedule.handler, bodies) == []
        return len(bodies)

    def settle(self, secs: int = 0) -> None:
        """Let `secs` pass, minute by minute, with schedule, runner and hints."""
        end = self.time.ms + secs * 1000
        while True:
            self.schedule()
            self.run_programs()
            self.hints()
            if self.time.ms >= end:
                return
            self.time.ms = min(end, self.time.ms + MINUTE * 1000)

    def endpoint(self, *events: str) -> str:
        """Subscribe an endpoint; return its id."""
        body = {"url": "https://hooks.example.com/checks", "events": list(events)}
        answer = send(self.key, "POST", "/api/webhooks", body)
        assert answer.status == 200
        return str(answer.json["id"])

    def events(self) -> list[Any]:
        """Every event of checks that an endpoint gets, oldest first."""
        rows = self.aws.items("DeliveriesTable")
        delivered = {row["pk"]["S"] for row in rows if row["sk"]["S"].startswith("DELIVERY#")}
        items = [row for row in rows if row["sk"]["S"] == "EVENT" and row["pk"]["S"] in delivered]
        bodies = [json.loads(zlib.decompress(item["body_zlib"]["B"])) for item in items]
        found = [body for body in bodies if body["type"].startswith("check.")]
        return sorted(found, key=lambda body: (body["timestamp"], body["type"]))

    def submissions_of_runs(self) -> Counter[str]:
        """The number of submissions of each run of a check."""
        metadata = [item.get("metadata", {"M": {}})["M"] for item in self.aws.items("SubmissionsTable")]
        return Counter(found["check_run_id"]["S"] for found in metadata if "check_run_id" in found)
