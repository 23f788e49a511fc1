"""List a project's events, newest or oldest first, and show one.

Events of runs are listed by the index of submissions, so that no run pays for this list. Other events have list rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.table import Page, Table, bounds, merge, query_page
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.event_log.model import Entry
from functions.event_log.rows import list_pk, to_entry
from functions.webhooks.vocabulary import EVENT_COMPLETED, EVENT_REPORT, SUBMISSION_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from functions.event_log.model import Event
    from functions.feed.model import EventFilters
    from functions.submissions.model import Submission
    from functions.submissions.results.list_store import SubmissionList
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.deliveries.lists import DeliveryList
    from functions.webhooks.deliveries.store import DeliveryStore


# Read the bytes of events: from their own rows, or made again from final submissions.


@dataclass(frozen=True, slots=True)
class EventBodies:
    """Reads events. `event_of` makes that of a final submission.

    A project without a target has no event rows; its submissions hold all that the events say.
    """

    deliveries: DeliveryStore
    submissions: SubmissionStore
    event_of: Callable[[Submission], Event]
    clock: Clock = now_ms

    def stored(self, entries: Iterable[Entry]) -> dict[str, Event | None]:
        """Return the events that have rows of their own, by id; None for those of deleted submissions."""
        return self.deliveries.get_events(list({entry.event_id for entry in entries}))

    def all(self, project_id: str, entries: Iterable[Entry]) -> dict[str, Event]:
        """Return the project's events, by id. Those of deleted or expired submissions are missing."""
        wanted = {entry.event_id: entry for entry in entries}
        found = self.deliveries.get_events(list(wanted))
        events = {
            event_id: event for event_id, event in found.items() if event is not None and event.project_id == project_id
        }
        rendered = [
            event_id for event_id, entry in wanted.items() if event_id not in found and entry.type in SUBMISSION_EVENTS
        ]
        for row in self.submissions.get_all(rendered).values() if rendered else ():
            if row.is_final and row.project_id == project_id and row.ttl * MS_PER_SEC > self.clock():
                events[row.submission_id] = self.event_of(row)
        return events


_ITEMS_PER_QUERY = 500


class Listed(NamedTuple):
    """An event of a page. `key`: the key of its `Entry`."""

    key: str
    event: Event


class OtherEvents(Table):
    """List rows of the deliveries table: events without a submission."""

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


@dataclass(frozen=True, slots=True)
class EventListing:
    """Reads events with their bytes."""

    submissions: SubmissionList
    others: OtherEvents
    deliveries: DeliveryList
    bodies: EventBodies

    def one(self, project_id: str, event_id: str) -> Event | None:
        """Return one event; None if it is unknown, of another project, deleted or expired."""
        entry = Entry(event_id, EVENT_COMPLETED, event_id, "")
        return self.bodies.all(project_id, [entry]).get(event_id)

    def page(self, project_id: str, filters: EventFilters, limit: int, after: str | None = None) -> Page[Listed]:
        """Return at most `limit` events that follow `after`, the key of another one.

        A page may be short and still have a next page: of a filter that few events match, and of deleted submissions.
        """
        entries = self._entries(project_id, filters, limit, after)
        events = self.bodies.all(project_id, entries.rows)
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
            finals = self.submissions.finals(
                project_id, limit=limit, after=after, since_ms=filters.since_ms, ascending=filters.ascending
            )
            rows = tuple(
                Entry(row.submission_id, row.event_type, row.submission_id, row.created_at)
                for row in finals.rows
                if filters.want(row.event_type)
            )
            pages.append(Page(rows, finals.next_created_key))
        if filters.types is None or filters.types - SUBMISSION_EVENTS:
            pages.append(self.others.page(project_id, filters, limit, after))
        return merge(pages, limit, _key_of, ascending=filters.ascending)

    def _of_submission(self, filters: EventFilters, submission_id: str, after: str | None) -> Page[Entry]:
        """Return the only event of a submission."""
        wanted = after is None and any(map(filters.want, SUBMISSION_EVENTS))
        return Page((Entry(submission_id, EVENT_COMPLETED, submission_id, ""),) if wanted else (), None)

    def _undelivered(self, project_id: str, filters: EventFilters, limit: int, after: str | None) -> Page[Entry]:
        found = self.deliveries.undelivered(
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
