"""The ministack child: ministack itself, brought in line with SQS where it differs.

1. A message may have 1 MiB (AWS since August 2025); ministack 1.4 refuses such a queue.
2. A long poll wakes up when a message arrives; ministack looks every 100 ms, which would be most
   of the time of a short run. Its look at the clock stays, for delayed and returned messages, and is
   rarer while a queue is empty: it was most of what an idle stack costs.
3. Deleting, or changing the visibility of, a message by an outdated receipt handle is no error.
   AWS accepts it; ministack calls the handle invalid.
4. A long poll ends with its connection. ministack would go on polling for a client that was killed, and
   hand it the next message, which nobody sees again until its visibility ends.
5. An event bus keeps nothing of an event that no rule matches. ministack would keep every event for ever.
6. A table's count of items is not kept. ministack would count all of them again at each write.
7. A query of an index looks at the items of that index. ministack would look at every item of the table.
8. An item is copied as the JSON that it is. ministack's general way is a tenth of its time.
9. A standard queue is fair: it gives messages of the group with the fewest in flight first. ministack knows FIFO only.
10. Only who names an origin gets headers for browsers; each costs a client time to read.

It is served by uvicorn instead of hypercorn, which takes half of the CPU time of a request.
"""

import asyncio
import copy
import os
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import ministack.app  # type: ignore[import-untyped]
import uvicorn
from ministack.services import dynamodb, eventbridge, sqs  # type: ignore[import-untyped]

from infra.local.indexed_items import IndexedItems
from infra.local.joined_writes import JoinedWritesProtocol

_KEEP_ALIVE_SECS = 75
_FINISH_SECS = 3
_LONG_POLL = (b"x-amz-target", b"AmazonSQS.ReceiveMessage")
_MAX_MESSAGE_BYTES = (1024, 1024 * 1024)
_UNCHANGING = (str, bool, int, float, type(None))
_LOOK_SECS = 0.1  # ministack's own
_LOOK_WHILE_EMPTY_SECS = 0.5
_sleepers: set[asyncio.Future[None]] = set()
_looked_at = SimpleNamespace(messages=[])  # by the task that sleeps next: it does nothing else in between


async def _sleep_or_message(delay_secs: float) -> None:
    if delay_secs >= _LOOK_SECS and not _looked_at.messages:
        delay_secs = _LOOK_WHILE_EMPTY_SECS
    loop = asyncio.get_running_loop()
    sleeper = loop.create_future()
    _sleepers.add(sleeper)
    timer = loop.call_later(delay_secs, _wake, sleeper)
    try:
        await sleeper
    finally:
        timer.cancel()
        _sleepers.discard(sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _fair(collect: Any) -> Any:
    """Serve groups in turn, as SQS does.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    """

    def collect_in_turn(queue: dict[str, Any], *rest: Any) -> Any:
        messages, now = queue["messages"], time.time()
        in_flight = Counter(
            message.get("group_id")
            for message in messages
            if message.get("receive_count") and message["visible_at"] > now
        )
        if in_flight and not queue["is_fifo"]:
            messages.sort(key=lambda message: (in_flight[message.get("group_id")], message["sent_at"]))
        return collect(queue, *rest)

    return collect_in_turn


def _note_queue(collect: Any) -> Any:
    def collect_and_note(queue: dict[str, Any], *rest: Any) -> Any:
        found = collect(queue, *rest)
        _looked_at.messages = queue["messages"]
        return found

    return collect_and_note


def _wake_after(send: Any) -> Any:
    def send_and_wake(data: dict[str, Any], queue_url: str) -> Any:
        result = send(data, queue_url)
        for sleeper in _sleepers:
            _wake(sleeper)
        return result

    return send_and_wake


def _accept_old_handle(act: Any) -> Any:
    def act_or_ignore(data: dict[str, Any], queue_url: str) -> Any:
        try:
            return act(data, queue_url)
        except sqs._Err as error:  # noqa: SLF001 - see the module's docstring
            if error.code != "ReceiptHandleIsInvalid":
                raise
            return {}

    return act_or_ignore


def _ending_with_connection(app: Any) -> Any:
    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or _LONG_POLL not in scope["headers"]:
            await app(scope, receive, send)
            return
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        work = asyncio.ensure_future(app(scope, messages.get, send))

        async def watch() -> None:
            while (message := await receive())["type"] != "http.disconnect":
                messages.put_nowait(message)
            work.cancel()

        watcher = asyncio.ensure_future(watch())
        try:
            await asyncio.wait({work})
        finally:
            watcher.cancel()
        if not work.cancelled():
            work.result()

    return serve


def _by_index(query: Any) -> Any:
    def query_index(data: dict[str, Any]) -> Any:
        table, index = dynamodb._tables.get(data.get("TableName")), data.get("IndexName")  # noqa: SLF001
        if not table or not index:
            return query(data)
        if not isinstance(table["items"], IndexedItems):  # a new table, or one that was read from its file
            table["items"] = IndexedItems(table["items"])
        attribute, _, _ = dynamodb._resolve_index_keys(table, index)  # noqa: SLF001
        with table["items"].only(attribute):
            return query(data)

    return query_index


def _without_browser_headers(dispatch: Any) -> Any:
    async def answer(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        status, given, body = await dispatch(method, path, headers, *rest)
        if "origin" not in headers:
            given = {name: value for name, value in given.items() if not name.startswith("Access-Control-")}
        return status, given, body

    return answer


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(part) for key, part in value.items()}
    if type(value) is list:
        return [_copied(part) for part in value]
    return value if type(value) in _UNCHANGING else copy.deepcopy(value)


def adapt() -> None:
    """Apply the ten differences."""
    ministack.app.app = _ending_with_connection(ministack.app.app)
    sqs._NUMERIC_ATTR_RANGES["MaximumMessageSize"] = _MAX_MESSAGE_BYTES  # noqa: SLF001
    sqs.asyncio = SimpleNamespace(sleep=_sleep_or_message, iscoroutine=asyncio.iscoroutine)
    sqs._act_send_message = _wake_after(sqs._act_send_message)  # noqa: SLF001
    handlers = sqs._HANDLERS  # noqa: SLF001
    handlers["SendMessage"] = sqs._act_send_message  # noqa: SLF001
    eventbridge._events_log_list = list  # noqa: SLF001 - a new list each time, which nobody keeps
    dynamodb._update_counts = lambda _table: None  # noqa: SLF001 - AWS counts every six hours
    dynamodb.copy = SimpleNamespace(deepcopy=_copied)
    sqs._collect_msgs = _note_queue(_fair(sqs._collect_msgs))  # noqa: SLF001
    dynamodb._query = _by_index(dynamodb._query)  # noqa: SLF001
    dispatch = ministack.app._dispatch_service_request  # noqa: SLF001
    ministack.app._dispatch_service_request = _without_browser_headers(dispatch)  # noqa: SLF001
    for action in ("DeleteMessage", "ChangeMessageVisibility"):
        handlers[action] = _accept_old_handle(handlers[action])


if __name__ == "__main__":
    adapt()
    uvicorn.run(
        ministack.app.app,
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        lifespan="on",  # it loads and writes the state
        loop="uvloop",
        http=JoinedWritesProtocol,
        ws="none",
        log_level=os.environ["LOG_LEVEL"].lower(),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECS,
        timeout_graceful_shutdown=_FINISH_SECS,
    )
