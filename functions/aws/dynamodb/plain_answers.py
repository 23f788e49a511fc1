"""DynamoDB's answers read as the JSON that they are.

botocore's parser asks ten questions about each attribute of an item: 75 us for a row of ours, the JSON alone takes 9.
Its event `before-parse` lets others put values into an answer: https://docs.aws.amazon.com/botocore/latest/topics/events.html
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_dynamodb import DynamoDBClient

_OPERATIONS: Final = ("GetItem", "BatchGetItem", "Query", "UpdateItem")
"""Those whose answers hold items, and nothing else that is more than JSON, such as times."""
_OK: Final = 200


def read_plainly(client: DynamoDBClient) -> None:
    """Let this client's answers with items be read so. Errors stay botocore's, and so does what is no JSON."""
    for operation in _OPERATIONS:
        client.meta.events.register(f"before-parse.dynamodb.{operation}", cast("Any", _read))


def _read(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_event: object) -> None:
    if response_dict["status_code"] != _OK:
        return
    try:
        answer = json.loads(response_dict["body"])
        for name in answer.keys() & {"Item", "Attributes"}:
            _decode(answer[name].values())
        for item in answer.get("Items", ()):
            _decode(item.values())
        for items in answer.get("Responses", {}).values():
            for item in items:
                _decode(item.values())
    except (ValueError, TypeError, AttributeError):
        return  # botocore says what is wrong with it
    customized_response_dict.update(answer)
    response_dict["body"] = b"{}"


def _decode(values: Iterable[dict[str, Any]]) -> None:
    """Put bytes in place of their base64."""
    for value in values:
        for kind, content in value.items():
            if kind == "B":
                value[kind] = base64.b64decode(content)
            elif kind == "BS":
                value[kind] = [base64.b64decode(part) for part in content]
            elif kind == "M":
                _decode(content.values())
            elif kind == "L":
                _decode(content)
