"""Fixtures of the webhooks' tests."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.submissions.model import Submission
from functions.webhooks.endpoints.store import EndpointStore
from tests.adapters.aws_account import Aws
from tests.adapters.pipeline import Pipeline
from tests.adapters.webhooks.raw_receivers import authority, start

__all__ = ["authority", "start"]


@pytest.fixture
def store(aws: Aws) -> EndpointStore:
    """The endpoints of the account."""
    return EndpointStore(aws.names["DeliveriesTable"], Clients.dynamodb())


@pytest.fixture
def delays(owed: Submission, pipeline: Pipeline) -> Iterator[list[int]]:
    """Delays of the hints that are sent from now on, after those of the module's `owed`."""
    noted: list[int] = []

    def note(params: Mapping[str, Any], **_: object) -> None:
        noted.append(params["DelaySeconds"])

    events = pipeline.aws.client("sqs").meta.events
    events.register("provide-client-params.sqs.SendMessage", note)
    yield noted
    events.unregister("provide-client-params.sqs.SendMessage", note)


@pytest.fixture
def guarded(pipeline: Pipeline) -> None:
    """Each send needs a lease and a slot."""
    pipeline.guard_all()


@pytest.fixture(params=["unguarded", "guarded"])
def way(request: pytest.FixtureRequest, pipeline: Pipeline) -> str:
    """Whether new deliveries of healthy lanes need a lease and a slot."""
    if request.param == "guarded":
        pipeline.guard_all()
    return str(request.param)
