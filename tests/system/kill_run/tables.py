"""Reads the tables after a kill run, without the API."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.aws.dynamodb.items import from_item
from functions.projects.model import read_entry
from functions.webhooks.deliveries.store import project_of
from functions.webhooks.vocabulary import ALERT_EVENTS
from tests.system.kill_run.facts import AttemptRow
from tests.system.kill_run.judge import epoch_secs
from tests.system.local_stack import LocalStack


@dataclass(frozen=True, slots=True)
class Tables:
    """`jobs`: key by submission id. `open_ids`: submissions that are not final, or not fanned out.

    `deliveries`: state by (event id, target). `alerts`: ids of alert events. `held`: submissions that count as
    in flight in a quota. `counted`: submissions of a day, by its number. `written`: deliveries that a transform wrote.
    """

    jobs: dict[str, str] = field(default_factory=dict)
    open_ids: set[str] = field(default_factory=set)
    deliveries: dict[tuple[str, str], str] = field(default_factory=dict)
    alerts: set[str] = field(default_factory=set)
    attempts: list[AttemptRow] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    counted: Counter[int] = field(default_factory=Counter)
    written: set[tuple[str, str]] = field(default_factory=set)


def read_tables(stack: LocalStack, project_id: str) -> Tables:
    """Read all rows of a project."""
    read = Tables()
    for row in _rows(stack, "SubmissionsTable"):
        kind, _, submission_id = row["pk"].partition("#")
        if kind == "SUBMISSION" and row.get("project_id") == project_id:  # not the progress of a judge run
            if "transformed" in row:  # it goes with its end
                read.open_ids.add(submission_id)
                continue
            read.jobs[submission_id] = row["metadata"]["job"]
            if row["status"] not in {"completed", "error"} or row.get("fanout") == "PENDING":
                read.open_ids.add(submission_id)
    for row in _rows(stack, "DeliveriesTable"):
        event_id = row["pk"].removeprefix("EVENT#")
        kind, _, rest = row["sk"].partition("#")
        if kind == "DELIVERY" and project_of(row) == project_id:
            read.deliveries[event_id, rest] = row["state"]
            read.written.update({(event_id, rest)} if row.get("is_transformed") else ())
            if row["event_type"] in ALERT_EVENTS:
                read.alerts.add(event_id)
            if "only_attempt" in row:
                read.attempts.append(_attempt(rest, event_id, row["only_attempt"]))
        elif kind == "ATTEMPT":
            read.attempts.append(_attempt(rest.partition("#")[0], event_id, row))
    _read_quotas(stack, project_id, read)
    return read


def _read_quotas(stack: LocalStack, project_id: str, read: Tables) -> None:
    for row in _rows(stack, "QuotasTable"):
        if row["pk"] == f"PROJECT#{project_id}":
            read.counted[row.get("day_number", 0)] += row.get("day_count", 0)
            read.held.update(read_entry(text).submission_id for text in row.get("in_flight", ()))


def _attempt(target: str, event_id: str, values: Mapping[str, Any]) -> AttemptRow:
    return AttemptRow(target, event_id, epoch_secs(values["at"]), values.get("status_code"))


def _rows(stack: LocalStack, table: str) -> Iterator[dict[str, Any]]:
    pages = stack.aws("dynamodb").get_paginator("scan").paginate(TableName=f"rustbox-local-{table}")
    for page in pages:
        yield from (from_item(item) for item in page["Items"])
