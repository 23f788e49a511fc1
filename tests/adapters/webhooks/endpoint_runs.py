"""Runs of a project with one endpoint, and its hints, slots and leases."""

import json
from typing import Any

from functions.submissions.model import Submission
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY, Endpoint
from functions.webhooks.sending.claim import Leases
from tests.adapters.pipeline import PROJECT_SLOTS, Pipeline, changed, no_sleep


def hint_of(submission: Submission, endpoint: Endpoint) -> str:
    hint = {"event_id": submission.submission_id, "endpoint_id": endpoint.endpoint_id, "project_id": "dev"}
    return json.dumps(hint)


def finish(pipeline: Pipeline) -> Submission:
    submission = pipeline.run(webhook_url=None, webhook_secret=None)
    pipeline.hints()
    return submission


def hold(pipeline: Pipeline, endpoint: Endpoint, count: int = DEFAULT_CONCURRENCY) -> None:
    """Let that many sends to the endpoint be under way."""
    for _ in range(count):
        submission = finish(pipeline)
        seen = pipeline.leases.read(submission.submission_id, endpoint.endpoint_id, "dev", endpoint.endpoint_id)
        assert seen is not None
        assert pipeline.leases.claim(seen, "busy", PROJECT_SLOTS) is not None


def use_leases(pipeline: Pipeline, kind: type[Leases], client: Any = None) -> None:
    table, client = pipeline.aws.names["DeliveriesTable"], client or pipeline.aws.client("dynamodb")
    made = kind(table, client, pipeline.time, no_sleep)
    claimer = changed(pipeline.deliverer.claimer, leases=made)
    pipeline.use(changed(pipeline.deliverer, claimer=claimer))
