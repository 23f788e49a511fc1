"""Filters, thin bodies and pinned versions of endpoints, from the run's end to the receiver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from functions.webhooks.deliveries.replay import ReplayResult, ReplayStore
from functions.webhooks.egress import LONG, Egress, Wait
from functions.webhooks.endpoints.model import CLIENT_KINDS, Payload, RunFilters
from functions.webhooks.vocabulary import Reply
from tests.adapters.pipeline import BASE_URL, Pipeline, changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint


def ended(pipeline: Pipeline, name: str = "accepted", **changes: object) -> Submission:
    """Finish a run with the golden completion of that name, and send its webhooks."""
    submission = pipeline.submit(webhook_url=None, webhook_secret=None, **changes)
    assert pipeline.record(pipeline.completed(submission, name)) == []
    assert pipeline.webhook(*pipeline.hints()) == []
    return submission


def ids(pipeline: Pipeline, endpoint: Endpoint) -> list[str]:
    return [request.webhook_id for request in pipeline.sent_to(endpoint)]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (RunFilters(verdicts=("AC",)), {"accepted"}),
        (RunFilters(verdicts=("MLE", "IE")), {"out_of_memory", "platform_failure"}),
        (RunFilters(metadata={"course": "7"}), {"accepted", "out_of_memory", "platform_failure"}),
        (RunFilters(metadata={"course": "8"}), set()),
        (RunFilters(languages=("cobol",)), set()),
    ],
)
def test_an_endpoint_gets_only_runs_that_its_filters_accept(
    pipeline: Pipeline, filters: RunFilters, wanted: set[str]
) -> None:
    every, some = pipeline.endpoint(), pipeline.endpoint(filters=filters)
    runs = {
        name: ended(pipeline, name, metadata={"course": "7"})
        for name in ("accepted", "out_of_memory", "platform_failure")
    }
    assert ids(pipeline, every) == [run.submission_id for run in runs.values()]
    assert ids(pipeline, some) == [run.submission_id for name, run in runs.items() if name in wanted]
    refused = [run for name, run in runs.items() if name not in wanted]
    assert all(pipeline.delivery(run, some.endpoint_id) is None for run in refused)


def test_runs_of_checks_go_only_to_endpoints_that_ask_for_them(pipeline: Pipeline) -> None:
    older, new = pipeline.endpoint(), pipeline.endpoint(kinds=CLIENT_KINDS)
    of_client = ended(pipeline)
    of_check = ended(pipeline, metadata={"check_id": "c", "check_run_id": "r"})
    assert ids(pipeline, older) == [of_client.submission_id, of_check.submission_id]
    assert ids(pipeline, new) == [of_client.submission_id]
    assert pipeline.delivery(of_check, new.endpoint_id) is None


def test_a_run_that_every_filter_refuses_writes_no_event(pipeline: Pipeline) -> None:
    pipeline.endpoint(filters=RunFilters(verdicts=("RE",)))
    submission = ended(pipeline)
    assert pipeline.deliveries.get_event(submission.submission_id) is None


def test_events_without_a_run_pass_every_filter(pipeline: Pipeline) -> None:
    watching = pipeline.endpoint(filters=RunFilters(("RE",), ("c",), {"course": "8"}))
    gone = pipeline.endpoint()
    pipeline.receiver.answers_of[f"/endpoint/{gone.endpoint_id}"] = (410, {}, b"")
    ended(pipeline)
    assert pipeline.webhook(*pipeline.hints()) == []
    (told,) = pipeline.sent_to(watching)
    assert json.loads(told.body)["type"] == "endpoint.disabled"


def test_a_thin_body_says_where_the_event_is_and_a_replay_sends_the_same_bytes(pipeline: Pipeline) -> None:
    thin, full = pipeline.endpoint(payload=Payload.THIN), pipeline.endpoint()
    submission = ended(pipeline)
    (request,), (whole,) = pipeline.sent_to(thin), pipeline.sent_to(full)
    assert json.loads(request.body) == {
        "type": "submission.completed",
        "id": submission.submission_id,
        "timestamp": json.loads(whole.body)["timestamp"],
        "api_version": "2026-11-27",
        "submission_id": submission.submission_id,
        "url": f"{BASE_URL}/api/events/{submission.submission_id}",
    }
    delivery = pipeline.delivery(submission, thin.endpoint_id)
    assert delivery is not None
    replays = ReplayStore(pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb"), pipeline.time)
    assert replays.replay(delivery) is ReplayResult.DONE
    pipeline.sweep()
    pipeline.sweep(after_secs=200)
    assert pipeline.webhook(*pipeline.hints()) == []
    first, again = pipeline.sent_to(thin)
    assert (first.body, first.webhook_id) == (again.body, again.webhook_id)


def test_an_endpoint_gets_only_so_much_of_each_output_stream(pipeline: Pipeline) -> None:
    whole, some, none = (
        pipeline.endpoint(),
        pipeline.endpoint(max_output_bytes=2),
        pipeline.endpoint(max_output_bytes=0),
    )
    submission = ended(pipeline)
    sent = {one.endpoint_id: json.loads(pipeline.sent_to(one)[0].body) for one in (whole, some, none)}
    for endpoint, most in ((some, 2), (none, 0)):
        body, full = sent[endpoint.endpoint_id], sent[whole.endpoint_id]
        assert len(full["stdout"]) > most
        assert body["stdout"] == body["output"]["stdout"] == full["stdout"][:most]
        assert body["output"]["truncated_in_event"] is True
        assert body["result_url"] == f"{BASE_URL}/api/result/{submission.submission_id}"
        kept = ("output", "stdout", "result_url")
        assert {name: value for name, value in body.items() if name not in kept} == {
            name: value for name, value in full.items() if name not in kept
        }
    assert "result_url" not in sent[whole.endpoint_id]


def test_a_request_waits_no_longer_than_the_endpoint_says(pipeline: Pipeline) -> None:
    waits: list[float] = []

    class Noting(Egress):
        def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:
            del url, headers, body
            waits.append(wait.total_secs)
            return Reply(5, 500)

    pipeline.use(changed(pipeline.deliverer, egress=Noting()))
    brief, patient = pipeline.endpoint(timeout_secs=2), pipeline.endpoint(timeout_secs=10)
    pipeline.change_endpoint(patient, {"max_concurrency": 9})  # so each send of it needs a slot
    ended(pipeline)
    assert sorted(waits) == [2, 10]
    waits.clear()
    pipeline.sweep(after_secs=200)
    pipeline.webhook(*pipeline.hints())
    assert sorted(waits) == [2, 10]
    assert [pipeline.at(one).timeout_secs for one in (brief, patient)] == [2, 10]


def test_every_request_names_the_version_of_the_endpoint(pipeline: Pipeline) -> None:
    pinned = pipeline.endpoint(api_version="2026-01-01")
    assert pipeline.at(pinned).api_version == "2026-01-01"
    pipeline.run()
    assert pipeline.webhook(*pipeline.hints()) == []
    versions = {request.path: request.headers["webhook-api-version"] for request in pipeline.receiver.received}
    assert versions == {f"/endpoint/{pinned.endpoint_id}": "2026-01-01", "/hook": "2026-11-27"}
