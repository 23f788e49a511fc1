"""One conditional UpdateItem, alone or in a transaction, built from plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from functions.aws.dynamodb.items import Value, is_condition_failure, to_item
from functions.aws.dynamodb.retries import TRIES, tries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


@dataclass(frozen=True, slots=True)
class ConditionalUpdate:
    """Set the attributes in `sets` and remove those in `removes` if `condition` holds; "" always holds.

    Write attributes as `#name`, because half of our names are reserved words, and values as `:name`. `computed` holds
    assignments such as `#count = #count + :one`. `adds` and `deletes` change sets of strings by the given members.
    `names` gives the attribute of a `#name` that is called differently, so that the expression is the same each time.
    """

    sets: Mapping[str, Value]
    condition: str
    condition_values: Mapping[str, Value]
    removes: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    adds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    deletes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def apply(
        self, client: DynamoDBClient, table_name: str, key: dict[str, AttributeValueTypeDef]
    ) -> Mapping[str, AttributeValueTypeDef] | None:
        """Update the item; return the new item, or None if the condition failed.

        Retries while a transaction writes the same item, which botocore does not do.
        """
        return self._write(client, table_name, key, "ALL_NEW")

    def is_applied(self, client: DynamoDBClient, table_name: str, key: dict[str, AttributeValueTypeDef]) -> bool:
        """Like `apply`, without reading the item, which may be large. False if the condition failed."""
        return self._write(client, table_name, key, "NONE") is not None

    def _write(
        self,
        client: DynamoDBClient,
        table_name: str,
        key: dict[str, AttributeValueTypeDef],
        returned: Literal["ALL_NEW", "NONE"],
    ) -> Mapping[str, AttributeValueTypeDef] | None:
        arguments = self._arguments()
        for number in tries():
            try:
                answer = client.update_item(TableName=table_name, Key=key, ReturnValues=returned, **arguments)
            except ClientError as error:
                if is_condition_failure(error):
                    return None
                if error.response["Error"]["Code"] != "TransactionConflictException" or number + 1 == TRIES:
                    raise
            else:
                return answer.get("Attributes", {})
        return None

    def action(self, table_name: str, key: dict[str, AttributeValueTypeDef]) -> Any:
        """Return the update as one action of a transaction."""
        return {"Update": {"TableName": table_name, "Key": key, **self._arguments()}}

    def _arguments(self) -> dict[str, Any]:
        expression = ""
        if self.sets or self.computed:
            expression = "SET " + ", ".join([f"#{name} = :{name}" for name in self.sets] + list(self.computed))
        if self.removes:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in self.removes)
        sets = {f"member_of_{name}": members for name, members in {**self.adds, **self.deletes}.items()}
        for word, changed in (("ADD", self.adds), ("DELETE", self.deletes)):
            if changed:
                expression += f" {word} " + ", ".join(f"#{name} :member_of_{name}" for name in changed)
        values = {f":{name}": value for name, value in {**self.sets, **self.condition_values, **sets}.items()}
        names = set(re.findall(r"#(\w+)", f"{expression} {self.condition}"))
        arguments: dict[str, Any] = {
            "UpdateExpression": expression.strip(),
            "ExpressionAttributeNames": {f"#{name}": self.names.get(name, name) for name in names},
        }
        if self.condition:
            arguments["ConditionExpression"] = self.condition
        if values:
            arguments["ExpressionAttributeValues"] = to_item(values)
        return arguments


def check(table_name: str, key: dict[str, AttributeValueTypeDef], condition: str, values: Mapping[str, Value]) -> Any:
    """Return an action of a transaction that only checks a condition, written as in `ConditionalUpdate`."""
    action = ConditionalUpdate({}, condition, values).action(table_name, key)["Update"]
    return {"ConditionCheck": {name: part for name, part in action.items() if name != "UpdateExpression"}}
