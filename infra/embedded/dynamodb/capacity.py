"""Consumed capacity, for requests that ask for the total.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb.values import item_size
from infra.embedded.errors import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.embedded.calls import Params
    from infra.embedded.dynamodb.tables import Table
    from infra.embedded.dynamodb.values import Item

_READ_BYTES: Final = 4096
_WRITE_BYTES: Final = 1024


def is_wanted(params: Params) -> bool:
    """Tell whether the request asks for its capacity."""
    wanted = params.get("ReturnConsumedCapacity", "NONE")
    if wanted not in {"NONE", "TOTAL"}:
        raise unknown(f"ReturnConsumedCapacity={wanted}")
    return bool(wanted == "TOTAL")


def consumed(table: Table, units: float) -> dict[str, Any]:
    """Return the answer's part for one table."""
    return {"TableName": table.name, "CapacityUnits": units}


def read_units(size: int, *, consistent: bool) -> float:
    """Units of a read of so many bytes."""
    return max(1, -(-size // _READ_BYTES)) * (1.0 if consistent else 0.5)


def write_units(table: Table, old: Item, new: Item, *, transaction: bool = False) -> float:
    """Units of a write of one item, {} for none, with the indexes that follow it."""
    return float(sum(units for _, _, units in written(table, old, new, transaction=transaction)))


def written(table: Table, old: Item, new: Item, *, transaction: bool = False) -> Iterator[tuple[str, str, int]]:
    """Yield index ("": the table), partition key and units of each entry that a write of one item changes."""
    yield (
        "",
        _text((new or old).get(table.schema.hash)),
        _units(max(item_size(old), item_size(new))) * (2 if transaction else 1),
    )
    for index in table.indexes.values():
        keys = index.schema.names
        before = index.project(old) if old.keys() >= set(keys) else {}
        after = index.project(new) if new.keys() >= set(keys) else {}
        if before and after and all(before[name] == after[name] for name in keys):
            if before != after:
                yield index.name, _text(after[keys[0]]), _units(max(item_size(before), item_size(after)))
        else:
            for part in (before, after):
                if part:
                    yield index.name, _text(part[keys[0]]), _units(item_size(part))


def _text(value: Any) -> str:
    return "" if value is None else str(next(iter(value.values())))


def _units(size: int) -> int:
    return max(1, -(-size // _WRITE_BYTES))
