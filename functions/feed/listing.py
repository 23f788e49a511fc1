"""List a project's events, newest or oldest first, and show one.

Events of runs are listed by the index of submissions, so that no run pays for this list. Other events have list rows.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.table import Page, Table, bounds, merge, query_page
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.errors import BadRequestError
from functions.event_log.model import Entry, Event
from functions.event_log.rows import list_pk, to_entry
from functions.http.parameters import Parameters, since_ms, uuid
from functions.projects.changes import ADMIN_LOG
from functions.submissions.completed_event import SubmissionEvents
from functions.submissions.results.list_store import SubmissionList
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.replay import DeliveryList
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.vocabulary import (
    EVENT_COMPLETED,
    EVENT_REPORT,
    EVENT_TEST,
    FILTERABLE_EVENTS,
    SUBMISSION_EVENTS,
)

EVENT_TYPES = (*FILTERABLE_EVENTS, EVENT_TEST)
LIST_KEY = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"
    r"#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|run))?",
    re.ASCII,
)
"""Content of a cursor of the list."""


@dataclass(frozen=True, slots=True)
class EventFilters:
    """Filters and order of the list. `is_undelivered`: only events with a delivery that is not delivered."""

    types: frozenset[str] | None = None
    since_ms: int | None = None
    submission_id: str | None = None
    is_undelivered: bool = False
    ascending: bool = False

    def want(self, event_type: str) -> bool:
        return self.types is None or event_type in self.types


def event_filters(parameters: Parameters) -> EventFilters:
    """Read the filters and the order of the list. Raises BadRequestError."""
    delivered, order, run = (
        parameters.get("delivered"),
        parameters.get("order", "desc"),
        parameters.get("submission_id"),
    )
    if delivered not in {None, "false"}:
        raise BadRequestError("delivered must be false, or be left out.")
    if order not in {"asc", "desc"}:
        raise BadRequestError("order must be desc (newest first) or asc (oldest first).")
    return EventFilters(
        types=event_types(parameters),
        since_ms=since_ms(parameters),
        submission_id=None if run is None else uuid(run),
        is_undelivered=delivered is not None,
        ascending=order == "asc",
    )


def event_types(parameters: Parameters) -> frozenset[str] | None:
    """Read `type`: names of events with commas between them. Raises BadRequestError."""
    types = words_of(parameters.get("type"))
    if not types <= set(EVENT_TYPES):
        raise BadRequestError(f"type must be one of {', '.join(EVENT_TYPES)}, or several with commas between them.")
    return types or None


def words_of(text: str | None) -> frozenset[str]:
    """Return words with commas between them."""
    return frozenset(word.strip() for word in (text or "").split(",") if word.strip())


# Read the bytes of events: from their own rows, or made again from final submissions.


class EventBodies:
    """Reads events. A project without a target has no event rows; its submissions hold all that the events say."""

    def __init__(self, env: Env) -> None:
        self._deliveries = env[DeliveryStore]
        self._submissions = env[SubmissionStore]
        self._clock = env.clock
        self._events = env[SubmissionEvents]

    def stored(self, entries: Iterable[Entry]) -> dict[str, Event | None]:
        """Return the events that have rows of their own, by id; None for those of deleted submissions."""
        return self._deliveries.get_events(list({entry.event_id for entry in entries}))

    def all(self, project_id: str, entries: Iterable[Entry]) -> dict[str, Event]:
        """Return the project's events, by id. Those of deleted or expired submissions are missing."""
        wanted = {entry.event_id: entry for entry in entries}
        found = self._deliveries.get_events(list(wanted))
        events = {
            event_id: event for event_id, event in found.items() if event is not None and event.project_id == project_id
        }
        rendered = [
            event_id for event_id, entry in wanted.items() if event_id not in found and entry.type in SUBMISSION_EVENTS
        ]
        for row in self._submissions.get_all(rendered).values() if rendered else ():
            if row.is_final and row.project_id == project_id and row.ttl * MS_PER_SEC > self._clock():
                events[row.submission_id] = self._events.of(row)
        return events


_ITEMS_PER_QUERY = 500


class Listed(NamedTuple):
    """An event of a page. `key`: the key of its `Entry`."""

    key: str
    event: Event


class OtherEvents(Table):
    """List rows of the deliveries table: events without a submission."""

    table_setting = "deliveries_table"

    def page(self, project_id: str, filters: EventFilters, limit: int, after: str | None) -> Page[Entry]:
        """Return a page of entries, by `Entry.key`."""
        since = None if filters.since_ms is None else to_rfc3339(filters.since_ms)
        first, last = bounds(after, since, ascending=filters.ascending)
        values: dict[str, Value | None] = {
            ":pk": list_pk(project_id),
            ":first": first,
            ":last": last,
            ":now": self._clock() // MS_PER_SEC,
        }
        names, condition = {"#ttl": "ttl", "#type": "type"}, "#ttl > :now"
        if filters.types is None:
            condition += " AND NOT #type IN (:report)"  # a request to another service, not an event for clients
            values[":report"] = EVENT_REPORT
        else:
            types = {f":type_{number}": name for number, name in enumerate(sorted(filters.types))}
            condition += f" AND #type IN ({', '.join(types)})"
            values |= types
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "FilterExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(values),
            "ScanIndexForward": filters.ascending,
            "Limit": _ITEMS_PER_QUERY,
        }
        return query_page(self._client, request, limit, _entry_of, _key_of, "sk")


def admin_page(env: Env, filters: EventFilters, limit: int, after: str | None) -> Page[Listed]:
    """Return a page of the administrator's own log: events without a project."""
    page = env[OtherEvents].page(ADMIN_LOG, filters, limit, after)
    found = env[DeliveryStore].get_events([entry.event_id for entry in page.rows])
    events = ((entry.key, found.get(entry.event_id)) for entry in page.rows)
    return Page(tuple(Listed(key, event) for key, event in events if event is not None), page.next_created_key)


class EventListing:
    """Reads events with their bytes."""

    def __init__(self, env: Env) -> None:
        self._submissions = env[SubmissionList]
        self._others = env[OtherEvents]
        self._deliveries = env[DeliveryList]
        self._bodies = env[EventBodies]

    def one(self, project_id: str, event_id: str) -> Event | None:
        """Return one event; None if it is unknown, of another project, deleted or expired."""
        entry = Entry(event_id, EVENT_COMPLETED, event_id, "")
        return self._bodies.all(project_id, [entry]).get(event_id)

    def page(self, project_id: str, filters: EventFilters, limit: int, after: str | None = None) -> Page[Listed]:
        """Return at most `limit` events that follow `after`, the key of another one.

        A page may be short and still have a next page: of a filter that few events match, and of deleted submissions.
        """
        entries = self._entries(project_id, filters, limit, after)
        events = self._bodies.all(project_id, entries.rows)
        events = {event_id: event for event_id, event in events.items() if filters.want(event.type)}
        known = (Listed(entry.key, events[entry.event_id]) for entry in entries.rows if entry.event_id in events)
        return Page(tuple(known), entries.next_created_key)

    def _entries(self, project_id: str, filters: EventFilters, limit: int, after: str | None) -> Page[Entry]:
        if filters.submission_id is not None:
            return self._of_submission(filters, filters.submission_id, after)
        if filters.is_undelivered:
            return self._undelivered(project_id, filters, limit, after)
        pages = []
        if any(map(filters.want, SUBMISSION_EVENTS)):
            finals = self._submissions.finals(
                project_id, limit=limit, after=after, since_ms=filters.since_ms, ascending=filters.ascending
            )
            rows = tuple(
                Entry(row.submission_id, row.event_type, row.submission_id, row.created_at)
                for row in finals.rows
                if filters.want(row.event_type)
            )
            pages.append(Page(rows, finals.next_created_key))
        if filters.types is None or filters.types - SUBMISSION_EVENTS:
            pages.append(self._others.page(project_id, filters, limit, after))
        return merge(pages, limit, _key_of, ascending=filters.ascending)

    def _of_submission(self, filters: EventFilters, submission_id: str, after: str | None) -> Page[Entry]:
        """Return the only event of a submission."""
        wanted = after is None and any(map(filters.want, SUBMISSION_EVENTS))
        return Page((Entry(submission_id, EVENT_COMPLETED, submission_id, ""),) if wanted else (), None)

    def _undelivered(self, project_id: str, filters: EventFilters, limit: int, after: str | None) -> Page[Entry]:
        found = self._deliveries.undelivered(
            project_id, limit=limit, after=after, since_ms=filters.since_ms, ascending=filters.ascending
        )
        entries = {
            row.event_id: Entry(row.event_id, row.event_type, row.submission_id, row.created_at)
            for row in found.rows
            if filters.want(row.event_type)
        }
        return Page(tuple(entries.values()), found.next_created_key)


def _key_of(entry: Entry) -> str:
    return entry.key


def _entry_of(row: Mapping[str, Any]) -> Entry:
    return to_entry(row["sk"], row)
