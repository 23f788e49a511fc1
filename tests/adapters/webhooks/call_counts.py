"""Counts the AWS calls of a delivery by operation."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint
    from tests.adapters.pipeline import Pipeline


CLAIM_AND_OUTCOME = {"TransactWriteItems": 2}
OUTCOME = {"UpdateItem": 1}


@contextmanager
def counted(pipeline: Pipeline) -> Iterator[Counter[str]]:
    """Count the calls to AWS."""
    calls: Counter[str] = Counter()

    def note(model: Any, **_: object) -> None:
        calls[model.name] += 1

    watched = [pipeline.aws.client(name).meta.events for name in ("dynamodb", "sqs", "kms", "events")]
    for events in watched:
        events.register_first("before-call", note)
    try:
        yield calls
    finally:
        for events in watched:
            events.unregister("before-call", note)


def sent(pipeline: Pipeline, *hints: str) -> dict[str, int]:
    """Handle hints; return the calls that it took."""
    with counted(pipeline) as calls:
        assert pipeline.webhook(*hints) == []
    return dict(calls)


def owed(pipeline: Pipeline, **changes: Any) -> tuple[Submission, list[str]]:
    """Finish a run; return it with the hints of its deliveries."""
    submission = pipeline.run(**changes)
    return submission, pipeline.hints()


def known(pipeline: Pipeline, **changes: Any) -> Endpoint:
    """Return an endpoint that got a delivery before, so that this process knows it and its secret."""
    endpoint = pipeline.endpoint(**changes)
    pipeline.webhook(*owed(pipeline, webhook_url=None, webhook_secret=None)[1])
    pipeline.time.advance(1)
    return endpoint
