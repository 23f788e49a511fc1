"""The overview: what ended, waited and failed by hour, as each process adds it now and then."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from functions.aws.clients import Clients
from functions.clock import to_rfc3339
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.submissions.results.overview import HOUR_MS, HOURS, RunCounts, overview
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import get, post, send
from tests.submission_factory import START_MS, FakeTime, final_submission


@dataclass
class Counting:
    """Counts of one process, whose timers wait in `later`."""

    counts: RunCounts
    time: FakeTime
    later: list[Callable[[], None]] = field(default_factory=list)

    def end(
        self, verdict: str | None = "AC", took_ms: int = 90, project_id: str = "dev", waited_ms: int | None = None
    ) -> None:
        created_ms, ended = self.time() - took_ms, to_rfc3339(self.time())
        started = None if waited_ms is None else to_rfc3339(created_ms + waited_ms)
        final = final_submission(
            project_id=project_id, verdict=verdict, created_at=to_rfc3339(created_ms), completed_at=ended
        )
        self.counts.add(replace(final, started_at=started))

    def write(self) -> None:
        """Let the time of the timers come."""
        while self.later:
            self.later.pop(0)()


@pytest.fixture
def counting(aws: Aws, time: FakeTime) -> Counting:
    later: list[Callable[[], None]] = []
    table = aws.names["QuotasTable"]
    counts = RunCounts(table, Clients.dynamodb(), time, lambda _, write: later.append(write))
    return Counting(counts, time, later)


@pytest.mark.answered_by("engine", "moto")
def test_counts_are_those_of_the_project_by_hour_and_verdict(counting: Counting) -> None:
    for verdict in ("AC", "AC", "TLE", None):
        counting.end(verdict)
    counting.end("IE", project_id="other")
    counting.write()
    counting.time.advance(3_600)
    counting.end("AC", took_ms=4_000)
    counting.write()
    shown = overview(counting.counts.hours("dev"), 7)
    assert shown["verdicts"] == {"AC": 3, "TLE": 1, "judged": 1}
    assert [hour["verdicts"] for hour in shown["hours"][-2:]] == [{"AC": 2, "TLE": 1, "judged": 1}, {"AC": 1}]
    assert [hour["p95_ms"] for hour in shown["hours"][-3:]] == [None, 100, 5_000]
    assert (shown["p95_ms"], shown["queued"], len(shown["hours"])) == (5_000, 7, HOURS)
    assert shown["hours"][-1]["at"] == to_rfc3339(START_MS // HOUR_MS * HOUR_MS + HOUR_MS)
    counting.time.advance(24 * 3_600)
    assert overview(counting.counts.hours("dev"), 0)["verdicts"] == {"AC": 1}


def test_an_hour_has_the_mean_wait_of_its_starts_and_its_failures(counting: Counting) -> None:
    for waited_ms in (10, 20, 60, None):
        counting.end(waited_ms=waited_ms)
    counting.end("IE", waited_ms=-5)  # a runner whose clock runs behind
    for name, number in (("failed_checks", 2), ("failed_attempts", 1), ("failed_attempts", 4)):
        counting.counts.count("dev", {name: number})
    counting.write()
    *before, last = overview(counting.counts.hours("dev"), 0)["hours"]
    assert (last["wait_ms"], last["failed_checks"], last["failed_attempts"]) == (22, 2, 5)
    assert {(hour["wait_ms"], hour["failed_checks"], hour["failed_attempts"]) for hour in before} == {(None, 0, 0)}


def test_a_process_writes_once_in_ten_seconds_beside_its_requests_and_loses_no_end(
    aws: Aws, counting: Counting
) -> None:
    for _ in range(50):
        counting.end()
        counting.counts.write_due()  # for processes without timers
    assert not aws.items("QuotasTable")
    assert len(counting.later) == 1
    counting.write()
    (row,) = aws.items("QuotasTable")
    assert (row["verdict_AC"]["N"], row["bucket_1"]["N"]) == ("50", "50")
    counting.end()
    counting.write()
    assert aws.items("QuotasTable")[0]["verdict_AC"]["N"] == "51"


def test_a_process_without_timers_writes_at_the_end_of_an_invocation_once_in_ten_seconds(
    aws: Aws, time: FakeTime
) -> None:
    counting = Counting(RunCounts(aws.names["QuotasTable"], Clients.dynamodb(), time), time)

    def invoke(ends: int) -> str:
        for _ in range(ends):
            counting.end()
        counting.counts.write_due()
        return str(aws.items("QuotasTable")[0]["verdict_AC"]["N"])

    assert invoke(3) == "3"
    time.advance(9)
    assert invoke(4) == "3"
    time.advance(2)
    assert invoke(0) == "7"
    time.advance(-3_600)  # a clock that was set back
    invoke(1)
    assert sorted(row["verdict_AC"]["N"] for row in aws.items("QuotasTable")) == ["1", "7"]


def test_an_end_after_the_hour_keeps_the_hour_of_earlier_ones(aws: Aws, counting: Counting) -> None:
    counting.end()
    counting.end("RE")
    counting.time.advance(3_600)
    counting.end("TLE")
    counting.write()
    rows = {row["sk"]["S"]: set(row) for row in aws.items("QuotasTable")}
    first, second = sorted(rows)
    verdicts = {"verdict_AC", "verdict_RE", "verdict_TLE"}
    assert rows[first] & verdicts == {"verdict_AC", "verdict_RE"}
    assert rows[second] & verdicts == {"verdict_TLE"}


def test_a_table_that_is_busy_loses_counts_and_no_run(aws: Aws, time: FakeTime) -> None:
    counts = RunCounts("no-such-table", Clients.dynamodb(), time)
    counts.add(replace(final_submission(), completed_at=None))
    counts.write_due()
    assert not counts._unwritten  # they would grow for as long as the table is gone


def test_a_run_that_ends_is_in_the_overview_of_its_project_alone(aws: Aws, project_key: str) -> None:
    aws.monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "result")
    program = {"language": "python", "code": "print(42)"}
    accepted = post(project_key, program).json["id"]
    assert send(project_key, "POST", f"/api/result/{accepted}/cancel").json["verdict"] == "IE"
    answer = get(project_key, "/api/overview")
    assert answer.status == 200
    assert (answer.json["verdicts"], answer.json["hours"][-1]["verdicts"]) == ({"IE": 1}, {"IE": 1})
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("other", "other"))
    assert get(projects.issue_key("other"), "/api/overview").json["verdicts"] == {}
