"""moto's transactions without a copy of the whole table for each of their items; only what they name is kept."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    import pytest


def keep_named_items_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a transaction cost what it writes. All tables have the keys `pk` and `sk`."""
    transact = DynamoDBBackend.transact_write_items

    def transact_quickly(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        before = []
        for item in transact_items:
            (operation,) = item.values()
            key = operation.get("Key") or operation["Item"]
            if operation["TableName"] not in self.tables:
                continue  # moto refuses it
            rows = self.tables[operation["TableName"]].items[DynamoType(key["pk"])]
            sort_key = DynamoType(key["sk"])
            before.append((rows, sort_key, copy.deepcopy(rows.get(sort_key))))
        try:
            transact(self, transact_items)
        except Exception:
            for rows, sort_key, row in before:
                rows.pop(sort_key, None)
                if row is not None:
                    rows[sort_key] = row
            raise

    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", transact_quickly)
    monkeypatch.setattr(Table, "__deepcopy__", lambda table, _memo: table, raising=False)
