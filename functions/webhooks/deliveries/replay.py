"""Find deliveries, and send them again: lists, attempts of one delivery, latencies of an endpoint, replays, recovery.

A replay makes a delivery pending again with a new schedule; attempt numbers continue. It is one transaction over
delivery, event and endpoint. It fails if the event's bytes are gone, or if the endpoint was disabled or deleted at the
same moment.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import ConditionalUpdate, check
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.table import TRIES, Page, Table, bounds, cut, due_shard, merge, query_page, read_rows
from functions.aws.dynamodb.transaction import transact, transact_or_raise
from functions.clock import MS_PER_SEC, from_rfc3339, to_rfc3339
from functions.env import Env
from functions.event_log.rows import LogWriter, event_key
from functions.failpoint import reach
from functions.webhooks.deliveries.model import (
    MAX_HINT_DELAY_MS,
    RUN_ENDPOINT_ID,
    Delivery,
    DeliveryState,
    Latency,
    RecordedAttempt,
    due_at,
    first_state,
)
from functions.webhooks.deliveries.publication import DeliveryHints, Hint
from functions.webhooks.deliveries.store import (
    LEASE,
    LIST_SHARDS,
    WAITING,
    attempt_key,
    created_key,
    delivery_key,
    endpoint_ref,
    ids_of,
    ids_of_attempt,
    list_shard,
    project_of,
    state_in,
    to_attempt,
    to_delivery,
)
from functions.webhooks.deliveries.views import DeliveryFilters, Recovered
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.endpoints.store import endpoint_key
from functions.webhooks.vocabulary import DAY_MS

RECOVERABLE = (DeliveryState.EXHAUSTED, DeliveryState.PAUSED, DeliveryState.BLOCKED)

ATTEMPTS_SHOWN = 100
"""Replays add attempts, and a response must stay below 6 MB."""

_ITEMS_PER_QUERY = 500
_DONE = (DeliveryState.DELIVERED, DeliveryState.SKIPPED, DeliveryState.CANCELLED)


SAMPLE = 100
"""Deliveries that are read, the newest ones. One BatchGetItem reads so many."""


class DeliveryList(Table):
    """Reads the indexes `by_project_shard` and `by_endpoint`. They lag behind the table by about a second.

    A list of a project merges its LIST_SHARDS partitions, and that of rows of earlier builds in the index `by_project`.
    """

    table_setting = "deliveries_table"

    def page(
        self, project_id: str, filters: DeliveryFilters, *, limit: int, after: str | None = None
    ) -> Page[Delivery]:
        """Return at most `limit` deliveries, newest first, that follow the `created_key` in `after`.

        The deliveries have no URL and no secret. A page of a rare state may be short, see `query_page`.
        """
        if filters.submission_id is not None:
            return self._of_submission(project_id, filters, limit, after)
        since = None if filters.since_ms is None else to_rfc3339(filters.since_ms)
        requests = self._requests(project_id, filters.endpoint_id, bounds(after, since, ascending=False))
        for request in requests:
            if filters.state is None:
                request["Limit"] = limit + 1  # nearly every entry matches
            else:
                _filter_states(request, "#state IN", (filters.state,))
        return self._merged(requests, limit)

    def undelivered(
        self, project_id: str, *, limit: int, after: str | None, since_ms: int | None, ascending: bool
    ) -> Page[Delivery]:
        """Return a page of deliveries that are neither delivered nor cancelled, created since `since_ms`.

        `after`: a `created_key`, or its part up to the event: then no further delivery of that event follows. A full
        page ends with such a part, so that no event is on two pages.
        """
        end = after
        if after is not None and "." not in after.rpartition("#")[2]:  # only the event: its deliveries have one time
            end = after + (".~" if ascending else ".")
        since = None if since_ms is None else to_rfc3339(since_ms)
        requests = self._requests(project_id, None, bounds(end, since, ascending=ascending), ascending=ascending)
        for request in requests:
            _filter_states(request, "NOT #state IN", _DONE)
        page = self._merged(requests, limit, ascending=ascending)
        if page.rows and page.next_created_key == created_key(page.rows[-1]):
            return Page(page.rows, page.next_created_key.rpartition(".")[0])
        return page

    def recoverable(
        self, project_id: str, endpoint_id: str, since_ms: int, states: Sequence[DeliveryState] = RECOVERABLE
    ) -> Iterator[tuple[list[Delivery], str]]:
        """Yield pages of an endpoint's deliveries in these states created since `since_ms`, oldest first.

        Pages may be empty. Each comes with the time up to which the index was read; "" for the last page.
        """
        between = bounds(None, to_rfc3339(since_ms), ascending=True)
        (request,) = self._requests(project_id, endpoint_id, between, ascending=True)
        _filter_states(request, "#state IN", states)
        while True:
            answer = self._client.query(**request)
            last = answer.get("LastEvaluatedKey")
            read_to = last["created_key"]["S"].partition("#")[0] if last else ""
            yield [to_delivery(from_item(item)) for item in answer["Items"]], read_to
            if not last:
                return
            request["ExclusiveStartKey"] = last

    def last_attempts(self, delivery: Delivery) -> list[RecordedAttempt]:
        """Return the last ATTEMPTS_SHOWN attempts of a delivery, oldest first."""
        prefix = f"ATTEMPT#{delivery.endpoint_id}#"
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": f"EVENT#{delivery.event_id}", ":prefix": prefix}),
            ScanIndexForward=False,
            Limit=ATTEMPTS_SHOWN,
            ConsistentRead=True,
        )
        attempts = [to_attempt(from_item(item)) for item in reversed(answer["Items"])]
        first = [] if delivery.only_attempt is None else [delivery.only_attempt]
        return [*first, *attempts][-ATTEMPTS_SHOWN:]

    def newest_attempts(self, deliveries: Sequence[Delivery]) -> dict[tuple[str, str], RecordedAttempt]:
        """Map event id and endpoint id to the last attempt of deliveries that have one."""
        # The first attempt lies in the delivery's row if it was the last one then.
        first = [delivery for delivery in deliveries if delivery.attempt == 1]
        keys = [delivery_key(delivery.event_id, delivery.endpoint_id) for delivery in first]
        keys += [attempt_key(delivery, delivery.attempt) for delivery in deliveries if delivery.attempt > 0]
        found = read_rows(self._client, self.table_name, keys)
        attempts = [(row, row.get("only_attempt", row)) for row in found]
        return {ids_of_attempt(row): to_attempt(attempt) for row, attempt in attempts if "n" in attempt}

    def latencies_of(self, project_id: str, endpoint_id: str) -> list[Latency]:
        """Return the latencies of the last day's newest SAMPLE deliveries that their first attempt delivered.

        A sample of an endpoint's rows, so that no send writes more for them.
        """
        since = to_rfc3339(self._clock() - DAY_MS)
        answer = self._client.query(
            TableName=self.table_name,
            IndexName="by_endpoint",
            KeyConditionExpression="endpoint_ref = :owner AND created_key >= :since",
            ExpressionAttributeValues=to_item({":owner": endpoint_ref(project_id, endpoint_id), ":since": since}),
            ScanIndexForward=False,
            Limit=SAMPLE,
        )
        keys = [delivery_key(*ids_of(from_item(item))) for item in answer["Items"]]
        deliveries = read_rows(self._client, self.table_name, keys, ("only_attempt",))
        return [latency for row in deliveries if (latency := _latency(row.get("only_attempt"))) is not None]

    def _of_submission(
        self, project_id: str, filters: DeliveryFilters, limit: int, after: str | None
    ) -> Page[Delivery]:
        """Read all deliveries of one event. They are few and share a partition, so the read can be consistent."""
        now_secs = self._clock() // MS_PER_SEC
        answer = self._list(f"EVENT#{filters.submission_id}", "DELIVERY#")
        all_deliveries = [to_delivery(row) for row in answer if project_of(row) == project_id and row["ttl"] > now_secs]
        matching = [
            delivery
            for delivery in sorted(all_deliveries, key=created_key, reverse=True)
            if filters.endpoint_id in {None, delivery.endpoint_id}
            and filters.state in {None, delivery.state}
            and (filters.since_ms is None or created_key(delivery) >= to_rfc3339(filters.since_ms))
        ]
        return cut(matching, limit, created_key, after)

    def _merged(self, requests: list[dict[str, Any]], limit: int, *, ascending: bool = False) -> Page[Delivery]:
        def read(request: dict[str, Any]) -> Page[Delivery]:
            return query_page(self._client, request, limit, to_delivery, created_key)

        if len(requests) == 1:
            return read(requests[0])
        with ThreadPoolExecutor(len(requests)) as pool:
            return merge(list(pool.map(read, requests)), limit, created_key, ascending=ascending)

    def _requests(
        self, project_id: str, endpoint_id: str | None, between: tuple[str, str], *, ascending: bool = False
    ) -> list[dict[str, Any]]:
        """Return the queries of a project's deliveries, or of an endpoint's, between two sort keys."""
        if endpoint_id is not None:
            partitions = [("by_endpoint", "endpoint_ref", endpoint_ref(project_id, endpoint_id))]
        else:
            shards = [list_shard(project_id, number) for number in range(LIST_SHARDS)]
            partitions = [("by_project", "project_id", project_id)]
            partitions += [("by_project_shard", "list_shard", shard) for shard in shards]
        return [
            {
                "TableName": self.table_name,
                "IndexName": index,
                "KeyConditionExpression": f"{attribute} = :owner AND created_key BETWEEN :first AND :last",
                "FilterExpression": "#ttl > :now",
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": to_item(
                    {":owner": owner, ":now": self._clock() // MS_PER_SEC, ":first": between[0], ":last": between[1]}
                ),
                "ScanIndexForward": ascending,
                "Limit": _ITEMS_PER_QUERY,
            }
            for index, attribute, owner in partitions
        ]


def _filter_states(request: dict[str, Any], condition: str, states: Sequence[str]) -> None:
    """Let a query return only deliveries in these states, or in others."""
    request["FilterExpression"] += f" AND {condition} ({', '.join(f':{state}' for state in states)})"
    request["ExpressionAttributeNames"]["#state"] = "state"
    request["ExpressionAttributeValues"] |= to_item({f":{state}": str(state) for state in states})


def _latency(attempt: Any) -> Latency | None:
    if attempt is None or attempt.get("status_code") not in range(200, 300):
        return None
    return Latency(from_rfc3339(attempt["at"]), attempt["latency_ms"])


REPLAYABLE = frozenset(DeliveryState) - {DeliveryState.TRANSFORMING, DeliveryState.PENDING, DeliveryState.SENDING}
"""Every final state, and `retrying`: its next attempt then starts at once."""

MAX_ATTEMPTS = 1_000
"""Limit of attempts of one delivery. It bounds the size of the delivery's partition."""


class ReplayResult(Enum):
    """Result of a replay: done, or the reason for the refusal."""

    DONE = auto()
    EVENT_GONE = auto()
    ALREADY_DUE = auto()
    ENDPOINT_DISABLED = auto()
    CONTENDED = auto()


_REFUSALS = {
    "event": ReplayResult.EVENT_GONE,
    "delivery": ReplayResult.ALREADY_DUE,
    "endpoint": ReplayResult.ENDPOINT_DISABLED,
}
"""By the action whose condition failed, the most important first."""


class ReplayStore(Table):
    """Makes deliveries of the deliveries table due again."""

    table_setting = "deliveries_table"

    def replay(
        self,
        delivery: Delivery,
        secret_box: bytes | None = None,
        also: Sequence[Any] = (),
        endpoint: Endpoint | None = None,
    ) -> ReplayResult:
        """Make one delivery due now. `secret_box`: a run's sealed secret that replaces the secret of the row.

        `also`: actions without a condition, in the same transaction. `endpoint`: as in `recover`.
        """
        now = self._clock()
        actions = {
            "event": self._event_is_kept(delivery, now),
            "delivery": self._due_again(delivery, now, secret_box, endpoint),
            "endpoint": [] if delivery.endpoint_id == RUN_ENDPOINT_ID else self._endpoint_is_on(delivery),
            "also": also,
        }
        refusal = transact(self._client, actions, TRIES)
        if refusal is None:
            return ReplayResult.DONE
        return next((reason for name, reason in _REFUSALS.items() if name in refusal.failed), ReplayResult.CONTENDED)

    def recover(
        self,
        delivery: Delivery,
        due_at_ms: int,
        states: tuple[DeliveryState, ...] = RECOVERABLE,
        also: Sequence[Any] = (),
        endpoint: Endpoint | None = None,
    ) -> bool:
        """Make a delivery in one of these states due at `due_at_ms`; False if its state has changed.

        `also`: actions without a condition, in the same transaction. `endpoint`: its own; if that has a transform, the
        delivery first gets a body, unless it has one. Raises RowsContendedError.
        """
        update = self._again(due_at_ms, delivery, states, endpoint)
        key = delivery_key(delivery.event_id, delivery.endpoint_id)
        if not also:
            return self._update_unread(update, key)
        actions = {"delivery": update.action(self.table_name, key), "also": also}
        return transact_or_raise(self._client, actions) is None

    def _due_again(self, delivery: Delivery, now_ms: int, secret_box: bytes | None, endpoint: Endpoint | None) -> Any:
        update = self._again(now_ms, delivery, tuple(REPLAYABLE), endpoint)
        if not delivery.body_digest:
            update = replace(update, removes=(*update.removes, "is_transformed", "body_digest"))
        if secret_box is not None:
            update = replace(update, sets={**update.sets, "secret_box": secret_box})
        elif delivery.endpoint_id == RUN_ENDPOINT_ID:
            update = update.only_if("attribute_exists(#secret_box)")
        return update.action(self.table_name, delivery_key(delivery.event_id, delivery.endpoint_id))

    def _again(
        self, next_at_ms: int, delivery: Delivery, states: tuple[DeliveryState, ...], endpoint: Endpoint | None
    ) -> ConditionalUpdate:
        was_in, values = state_in(states)
        state, computed = first_state(delivery, endpoint), ["#attempts_before = #attempt"]
        if state is DeliveryState.TRANSFORMING:
            # A run that was begun before must not end this one.
            values |= {"zero": 0, "one": 1}
            computed.append("#transforms = if_not_exists(#transforms, :zero) + :one")
        return ConditionalUpdate(
            {
                "state": state.value,
                "next_at_ms": next_at_ms,
                "due_at_ms": due_at(next_at_ms, self._clock()),
                "due_shard": due_shard(delivery.event_id),
            },
            f"attribute_exists(#pk) AND #attempt < :most AND {was_in}",
            values | {"most": MAX_ATTEMPTS},
            removes=(*LEASE, *WAITING, "transform_wait"),
            computed=tuple(computed),
        )

    def _event_is_kept(self, delivery: Delivery, now_ms: int) -> Any:
        values = {"now": now_ms // MS_PER_SEC}
        return check(
            self.table_name, event_key(delivery.event_id), "attribute_exists(#body_zlib) AND #ttl > :now", values
        )

    def _endpoint_is_on(self, delivery: Delivery) -> Any:
        key = endpoint_key(delivery.project_id, delivery.endpoint_id)
        return check(self.table_name, key, "#enabled = :true", {"true": True})


WORK_MS = 20_000
"""Time limit of one call. The gateway times out after 30 s."""
PER_SEC = 50
"""Deliveries that become due per second, so that a receiver is not overloaded after an outage."""


def replay(env: Env, delivery: Delivery, secret_box: bytes | None, endpoint: Endpoint | None) -> ReplayResult:
    """Make one delivery due now, and note it in the event log. The arguments are those of `ReplayStore.replay`."""
    also = env[LogWriter].replay_actions(delivery)
    return env[ReplayStore].replay(delivery, secret_box, also, endpoint)


def recover(env: Env, endpoint: Endpoint, since_ms: int, *, also_retrying: bool = False) -> Recovered:
    """Make failed and paused deliveries of an endpoint due again, oldest first, at a limited rate.

    This takes at most WORK_MS. Deliveries from `continue_since` on were not reached. Each row takes one conditional
    write, so repeating the call is safe. The event log gets each recovered delivery.
    """
    ends_ms, recovered = env.clock() + WORK_MS, 0
    is_logged = env[LogWriter].is_on(endpoint.project_id)
    states = (*RECOVERABLE, DeliveryState.RETRYING) if also_retrying else RECOVERABLE
    pages = env[DeliveryList].recoverable(endpoint.project_id, endpoint.endpoint_id, since_ms, states)
    for deliveries, read_to in pages:
        for delivery in deliveries:
            if env.clock() >= ends_ms:
                return _answer(recovered, delivery.created_at)
            recovered += _recover_one(env, endpoint, delivery, recovered // PER_SEC, states, is_logged=is_logged)
        if read_to and env.clock() >= ends_ms:
            return _answer(recovered, read_to)
    return _answer(recovered, None)


def _recover_one(
    env: Env,
    endpoint: Endpoint,
    delivery: Delivery,
    delay_secs: int,
    states: tuple[DeliveryState, ...],
    *,
    is_logged: bool,
) -> bool:
    also = [env[LogWriter].replay_action(delivery)] if is_logged else []
    if not env[ReplayStore].recover(delivery, env.clock() + delay_secs * MS_PER_SEC, states, also, endpoint):
        return False
    delivery = replace(delivery, state=first_state(delivery, endpoint))
    reach("recover.after_write")
    if delay_secs * MS_PER_SEC <= MAX_HINT_DELAY_MS:
        send_hint(env, delivery, delay_secs)
    return True


def send_hint(env: Env, delivery: Delivery, delay_secs: int = 0) -> None:
    """Send a hint of a delivery. If that fails, the sweeper finds the row, because it is due."""
    try:
        env[DeliveryHints].send(Hint.of(delivery), delay_ms=delay_secs * MS_PER_SEC)
    except (ClientError, BotoCoreError) as error:
        env.log.warning(
            "Hint not sent; the sweeper will send the delivery",
            delivery_id=f"{delivery.event_id}#{delivery.endpoint_id}",
            error_type=type(error).__name__,
        )


def _answer(recovered: int, continue_since: str | None) -> Recovered:
    return {"recovered": recovered, "complete": continue_since is None, "continue_since": continue_since}
