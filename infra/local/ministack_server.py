"""The ministack child: ministack itself, brought in line with SQS where it differs.

1. A message may have 1 MiB (AWS since August 2025); ministack 1.4 refuses such a queue.
2. A long poll wakes up when a message arrives; ministack looks every 100 ms, which would be most
   of the time of a short run. Its look at the clock stays, for delayed and returned messages.
3. Deleting, or changing the visibility of, a message by an outdated receipt handle is no error.
   AWS accepts it; ministack calls the handle invalid.
4. A long poll ends with its connection. ministack would go on polling for a client that was killed, and
   hand it the next message, which nobody sees again until its visibility ends.
5. An event bus keeps nothing of an event that no rule matches. ministack would keep every event for ever.
"""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import ministack.app  # type: ignore[import-untyped]
from ministack.services import eventbridge, sqs  # type: ignore[import-untyped]

_MAX_MESSAGE_BYTES = (1024, 1024 * 1024)
_sleepers: set[asyncio.Future[None]] = set()


async def _sleep_or_message(delay_secs: float) -> None:
    sleeper = asyncio.get_running_loop().create_future()
    _sleepers.add(sleeper)
    try:
        await asyncio.wait_for(sleeper, delay_secs)
    except TimeoutError:
        pass
    finally:
        _sleepers.discard(sleeper)


def _wake_after(send: Any) -> Any:
    def send_and_wake(data: dict[str, Any], queue_url: str) -> Any:
        result = send(data, queue_url)
        for sleeper in _sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
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
        if scope["type"] != "http":
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


def adapt() -> None:
    """Apply the five differences."""
    ministack.app.app = _ending_with_connection(ministack.app.app)
    sqs._NUMERIC_ATTR_RANGES["MaximumMessageSize"] = _MAX_MESSAGE_BYTES  # noqa: SLF001
    sqs.asyncio = SimpleNamespace(sleep=_sleep_or_message, iscoroutine=asyncio.iscoroutine)
    sqs._act_send_message = _wake_after(sqs._act_send_message)  # noqa: SLF001
    handlers = sqs._HANDLERS  # noqa: SLF001
    handlers["SendMessage"] = sqs._act_send_message  # noqa: SLF001
    eventbridge._events_log_list = list  # noqa: SLF001 - a new list each time, which nobody keeps
    for action in ("DeleteMessage", "ChangeMessageVisibility"):
        handlers[action] = _accept_old_handle(handlers[action])


if __name__ == "__main__":
    adapt()
    with suppress(KeyboardInterrupt):
        ministack.app.main()
