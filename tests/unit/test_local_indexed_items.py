"""Whatever is written and however, an index gives every item that has its key."""

import copy
import json
from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.local.indexed_items import IndexedItems

KEYS = st.sampled_from(["a", "b", "c"])
ITEMS = st.dictionaries(st.sampled_from(["due", "shard", "other"]), st.just({"S": "x"}))
WRITES = st.lists(
    st.tuples(st.sampled_from(["put", "pop", "delete", "drop", "replace"]), KEYS, KEYS, ITEMS), max_size=40
)


def seen(items: IndexedItems, attribute: str) -> list[Any]:
    with items.only(attribute):
        return sorted(repr(item) for part in items.values() for item in part.values() if attribute in item)


def expected(plain: dict[str, dict[str, Any]], attribute: str) -> list[Any]:
    return sorted(repr(item) for part in plain.values() for item in part.values() if attribute in item)


def write(table: dict[str, dict[str, Any]], action: str, key: str, sort: str, item: Any) -> None:
    if action == "put":
        table[key][sort] = item
    elif action == "pop":
        table.get(key, {}).pop(sort, None)
    elif action == "delete" and sort in table.get(key, {}):
        del table[key][sort]
    elif action == "drop" and key in table:
        del table[key]
    elif action == "replace":
        table[key] = {sort: item}


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, ITEMS)), WRITES)
def test_nothing_is_missed(first: dict[str, dict[str, Any]], writes: list[tuple[str, str, str, Any]]) -> None:
    items, plain = IndexedItems(copy.deepcopy(first)), defaultdict(dict, copy.deepcopy(first))
    for written in writes:
        write(items, *written)
        write(plain, *written)
        if written[0] != "put" or written[1] != "c":  # sometimes several changes between two looks
            assert seen(items, "due") == expected(plain, "due")
    for attribute in ("due", "shard"):
        assert seen(items, attribute) == expected(plain, attribute)
    assert items == plain
    assert list(map(dict, items.values())) == list(map(dict, plain.values()))
    for copied in (copy.deepcopy(items), json.loads(json.dumps(items))):
        assert copied == plain
        assert not isinstance(copied, IndexedItems)


def test_only_what_has_the_attribute_is_looked_at() -> None:
    items = IndexedItems({str(number): {"s": {"other": {}}} for number in range(1000)})
    items["7"]["s"] = {"due": {}}
    with items.only("due"):
        assert list(items.values()) == [{"s": {"due": {}}}]
    items["7"]["s"] = {"other": {}}
    items["8"]["s"] = {"due": {"S": "x"}}
    with items.only("due"):
        assert list(items.values()) == [{"s": {"due": {"S": "x"}}}]
    assert len(items.values()) == 1000
