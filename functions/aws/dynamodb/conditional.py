"""Conditional writes of one row, from plain values: for a transaction, and for the single updates of a `Table`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from functions.aws.dynamodb.items import Item, Key, Value, to_item

ABSENT = "attribute_not_exists(pk)"
EXISTS = "attribute_exists(pk)"


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

    def only_if(self, condition: str, values: Mapping[str, Value] | None = None) -> Self:
        """Return the update with one more condition. Put alternatives into brackets."""
        both = " AND ".join(filter(None, (self.condition, condition)))
        return replace(self, condition=both, condition_values={**self.condition_values, **(values or {})})

    def action(self, table_name: str, key: Key) -> Any:
        """Return the update as one action of a transaction."""
        return {"Update": self.arguments(table_name, key)}

    def arguments(self, table_name: str, key: Key) -> dict[str, Any]:
        """Return the arguments of UpdateItem."""
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
            "TableName": table_name,
            "Key": key,
            "UpdateExpression": expression.strip(),
            "ExpressionAttributeNames": {f"#{name}": self.names.get(name, name) for name in names},
        }
        if self.condition:
            arguments["ConditionExpression"] = self.condition
        if values:
            arguments["ExpressionAttributeValues"] = to_item(values)
        return arguments


def put(table_name: str, item: Item, condition: str = "", values: Mapping[str, Value] | None = None) -> Any:
    """Return an action of a transaction that writes an item. The condition is written as in `ConditionalUpdate`."""
    return {"Put": {"TableName": table_name, "Item": item, **_condition(condition, values)}}


def delete(table_name: str, key: Key, condition: str = "", values: Mapping[str, Value] | None = None) -> Any:
    """Return an action of a transaction that deletes a row."""
    return {"Delete": {"TableName": table_name, "Key": key, **_condition(condition, values)}}


def check(table_name: str, key: Key, condition: str, values: Mapping[str, Value] | None = None) -> Any:
    """Return an action of a transaction that only checks a condition."""
    return {"ConditionCheck": {"TableName": table_name, "Key": key, **_condition(condition, values)}}


def _condition(condition: str, values: Mapping[str, Value] | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if condition:
        arguments["ConditionExpression"] = condition
    if names := set(re.findall(r"#(\w+)", condition)):
        arguments["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if values:
        arguments["ExpressionAttributeValues"] = to_item({f":{name}": value for name, value in values.items()})
    return arguments
