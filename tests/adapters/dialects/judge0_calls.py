"""Calls of Judge0's API."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.adapters.aws_account import API_KEY
from tests.adapters.http_calls import Answer, Invocation, call, event

PRINT = {"source_code": "print(1)", "language_id": 71}
AT_ONCE = Invocation(lambda: 0.0)
"""No runner answers: a request ends before it waits."""


def encoded(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return base64.b64encode(raw).decode()


def ask(
    method: str, path: str, body: Any = None, *, key: str = API_KEY, query: Mapping[str, str] | None = None
) -> Answer:
    headers = {"X-Auth-Token": key} | ({} if body is None else {"Content-Type": "application/json"})
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return call(event(method, f"/judge0{path}", headers=headers, query=query, body=text), AT_ONCE)


def create(**changes: Any) -> Answer:
    return ask("POST", "/submissions", PRINT | changes)


def token_of(answer: Answer) -> str:
    assert answer.status == 201, answer.raw
    return str(answer.json["token"])
