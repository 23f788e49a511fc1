"""Which runs the filters of an endpoint accept."""

from typing import Any

import pytest

from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.webhooks.endpoints.model import (
    ALL_KINDS,
    ALL_RUNS,
    CLIENT_KINDS,
    Endpoint,
    RunFacts,
    RunFilters,
    SubmissionKind,
)
from functions.webhooks.endpoints.store import Subscribers

PYTHON_TLE = RunFacts(SubmissionKind.RUN, "TLE", "python", {"course": "7", "task": "sum"})
JUDGED = RunFacts(SubmissionKind.JUDGE, None, "python", {"course": "7"})
OF_CHECK = RunFacts(SubmissionKind.CHECK, "AC", "python", {})


@pytest.mark.parametrize(
    ("filters", "run", "is_accepted"),
    [
        (ALL_RUNS, PYTHON_TLE, True),
        (ALL_RUNS, JUDGED, True),
        (RunFilters(verdicts=("RE", "TLE")), PYTHON_TLE, True),
        (RunFilters(verdicts=("RE",)), PYTHON_TLE, False),
        (RunFilters(verdicts=("RE",)), JUDGED, True),
        (RunFilters(languages=("c", "python")), PYTHON_TLE, True),
        (RunFilters(languages=("c",)), PYTHON_TLE, False),
        (RunFilters(languages=("c",)), JUDGED, False),
        (RunFilters(metadata={"course": "7"}), PYTHON_TLE, True),
        (RunFilters(metadata={"course": "7", "task": "sum"}), PYTHON_TLE, True),
        (RunFilters(metadata={"course": "7", "task": "sum"}), JUDGED, False),
        (RunFilters(metadata={"course": "8"}), PYTHON_TLE, False),
        (RunFilters(metadata={"team": ""}), PYTHON_TLE, False),
        (RunFilters(metadata={"Course": "7"}), PYTHON_TLE, False),
        (RunFilters(("TLE",), ("python",), {"course": "7"}), PYTHON_TLE, True),
        (RunFilters(("TLE",), ("python",), {"course": "8"}), PYTHON_TLE, False),
    ],
)
def test_every_filter_must_accept_a_run(*, filters: RunFilters, run: RunFacts, is_accepted: bool) -> None:
    assert filters.accept(run) is is_accepted


def test_a_filter_says_the_same_after_a_row_and_a_missing_part_accepts_everything() -> None:
    filters = RunFilters(("TLE",), ("python",), {"course": "7"})
    assert read(RunFilters, from_item(to_item(write(filters)))) == filters
    assert read(RunFilters, {}) == read(RunFilters, write(ALL_RUNS)) == ALL_RUNS


def test_subscribers_of_a_run_are_the_endpoints_that_want_it_and_the_event_log() -> None:
    one, other = endpoint("one", filters=ALL_RUNS), endpoint("other", filters=RunFilters(verdicts=("AC",)))
    assert Subscribers((one, other), 5).of_run(PYTHON_TLE) == Subscribers((one,), 5)


def test_an_endpoint_gets_the_kinds_of_submissions_that_it_names() -> None:
    every, clients, checks = (
        endpoint("every", kinds=ALL_KINDS),
        endpoint("clients", kinds=CLIENT_KINDS),
        endpoint("checks", kinds=(SubmissionKind.CHECK,)),
    )
    wanted = {run.kind: Subscribers((every, clients, checks)).of_run(run).endpoints for run in (PYTHON_TLE, OF_CHECK)}
    assert wanted == {SubmissionKind.RUN: (every, clients), SubmissionKind.CHECK: (every, checks)}
    assert Subscribers((every, clients, checks)).of_run(JUDGED).endpoints == (every, clients)


def endpoint(name: str, **settings: Any) -> Endpoint:
    values: dict[str, Any] = {"project_id": "p", "url": "u", "secret_box": b"", "created_at": "", "updated_at": ""}
    return Endpoint(endpoint_id=name, **values, **settings)
