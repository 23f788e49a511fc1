"""The payloads of `sam local invoke` in events/lambda are what the entry points take."""

import json
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.handlers import announce, dialects, release
from functions.handlers import check_schedule as schedule
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.submissions.store import SubmissionStore
from tests.adapters.aws_account import Aws
from tests.adapters.bus_watch import BusWatch
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import call
from tests.adapters.pipeline import Context
from tests.submission_factory import EVENTS, GENEROUS, SUBMISSION_ID, completion, new_submission

pytestmark = pytest.mark.answered_by("moto")  # the engine's bus has no rules to watch it by

SAMPLES = EVENTS / "lambda"
KEY = "rb_live_local_development_only"


def sample(name: str) -> dict[str, Any]:
    loaded = json.loads((SAMPLES / f"{name}.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture
def store(aws: Aws) -> SubmissionStore:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("dev", "Development", quotas=GENEROUS))
    projects.issue_key("dev", api_key=KEY)
    return SubmissionStore(aws.names["SubmissionsTable"], Clients.dynamodb())


def test_the_submit_sample_is_accepted_once(aws: Aws, store: SubmissionStore) -> None:
    first, again = call(sample("submit")), call(sample("submit"))
    assert (first.status, again.status) == (202, 202)
    assert first.json["id"] == again.json["id"]
    assert len(aws.messages("BatchQueue")) == 1


def test_the_judge_sample_is_accepted_once(aws: Aws, store: SubmissionStore) -> None:
    first, again = call(sample("judge")), call(sample("judge"))
    assert (first.status, first.json["id"]) == (202, again.json["id"])
    assert [message["type"] for message in aws.messages("BatchQueue")] == ["judge_requested"]


def test_the_result_sample_gets_its_result(store: SubmissionStore) -> None:
    assert call(sample("result")).status == 404
    store.create(new_submission(), None)
    write_final(store, SUBMISSION_ID, completion())
    answer = call(sample("result"))
    assert (answer.status, answer.json["verdict"]) == (200, "AC")


def test_the_sample_of_the_dialects_lists_runtimes(aws: Aws, store: SubmissionStore) -> None:
    aws.monkeypatch.setenv("DIALECTS", "piston")
    dialects.ENV.forget()
    answer = call(sample("dialects"))
    assert (answer.status, answer.json[0]["language"]) == (200, "python")


def test_the_endpoints_sample_lists_deliveries(store: SubmissionStore) -> None:
    answer = call(sample("endpoints"))
    assert (answer.status, answer.json) == (200, {"items": [], "next_cursor": None})


def test_the_release_sample_finds_that_the_stage_works(aws: Aws, store: SubmissionStore) -> None:
    assert release.handler(sample("release"), Context()) == {"status": "Succeeded"}  # type: ignore[arg-type]


def test_every_function_of_the_template_has_a_sample(aws: Aws) -> None:
    functions = {name for name, part in aws.template["Resources"].items() if part["Type"].endswith("::Function")}
    sampled = {f"{path.stem.partition('_')[0].capitalize()}Function" for path in SAMPLES.glob("*.json")}
    assert sampled == functions


def test_the_announce_sample_puts_a_final_submission_on_the_bus(store: SubmissionStore, aws: Aws) -> None:
    watch = BusWatch(aws)
    store.create(new_submission(), None)
    write_final(store, SUBMISSION_ID, completion())
    assert announce.handler(sample("announce"), None) == {"batchItemFailures": []}  # type: ignore[arg-type]
    assert [seen["detail"]["id"] for seen in watch.seen()] == [SUBMISSION_ID]


def test_the_events_sample_lists_events(store: SubmissionStore) -> None:
    assert call(sample("events")).json == {"items": [], "next_cursor": None}
    store.create(new_submission(), None)
    write_final(store, SUBMISSION_ID, completion())
    (event,) = call(sample("events")).json["items"]
    assert (event["id"], event["data"]["verdict"]) == (SUBMISSION_ID, "AC")


def test_the_checks_sample_lists_checks(store: SubmissionStore) -> None:
    answer = call(sample("checks"))
    assert (answer.status, answer.json) == (200, {"items": [], "next_cursor": None})


def test_the_schedule_sample_serves_due_checks(store: SubmissionStore) -> None:
    assert schedule.handler(sample("schedule"), Context()) == {"due": 0, "failed": 0}  # type: ignore[arg-type]
