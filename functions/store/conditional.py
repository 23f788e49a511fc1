"""One conditional UpdateItem, spelled from plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.store.items import Value, is_condition_failure, to_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


@dataclass(frozen=True, slots=True)
class ConditionalUpdate:
    """Set `sets`, drop `removes`, if `condition` holds.

    Write attributes as `#name` and values as `:name`; half of our attribute names are reserved words. `computed` are
    assignments such as `#count = #count + :one`.
    """

    sets: Mapping[str, Value]
    condition: str
    condition_values: Mapping[str, Value]
    removes: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()

    def apply(
        self, client: DynamoDBClient, table_name: str, key: dict[str, AttributeValueTypeDef]
    ) -> Mapping[str, AttributeValueTypeDef] | None:
        """Write it; return the item as it is then, None if the condition refused it."""
        assignments = [f"#{name} = :{name}" for name in self.sets] + list(self.computed)
        expression = "SET " + ", ".join(assignments) if assignments else ""
        if self.removes:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in self.removes)
        values = {f":{name}": value for name, value in {**self.sets, **self.condition_values}.items()}
        names = set(re.findall(r"#(\w+)", f"{expression} {self.condition}"))
        arguments: dict[str, Any] = {
            "UpdateExpression": expression,
            "ConditionExpression": self.condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
        }
        if values:
            arguments["ExpressionAttributeValues"] = to_item(values)
        try:
            answer = client.update_item(TableName=table_name, Key=key, ReturnValues="ALL_NEW", **arguments)
        except ClientError as error:
            if is_condition_failure(error):
                return None
            raise
        return answer["Attributes"]
