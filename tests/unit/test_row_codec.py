from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any

import pytest

from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, JSON, NOT_STORED, OMIT_DEFAULT, As, Flat, changes, read, write
from functions.projects.model import KeyRecord, Project, ProjectRecord, Quota
from functions.projects.store import key_row, project_row, to_key_record, to_project_record


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Size:
    width: int
    note: str | None = None


@dataclass(frozen=True)
class Thing:
    thing_id: Annotated[str, IN_KEY]
    name: str
    content: bytes
    colour: Colour
    colours: tuple[Colour, ...]
    sizes: Mapping[str, Size]
    size: Size
    flat_size: Annotated[Size, Flat("flat_")]
    limits: Annotated[Mapping[str, Any], JSON]
    tags: frozenset[str] = frozenset({"a"})
    old_size: Annotated[Size | None, Flat("old_")] = None
    standing: Annotated[Size | None, JSON] = None
    is_rare: Annotated[bool, OMIT_DEFAULT] = False
    lines: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    due_at_ms: int | None = None


SMALL = Thing(
    thing_id="1",
    name="n",
    content=b"c",
    colour=Colour.RED,
    colours=(Colour.RED, Colour.BLUE),
    sizes={"one": Size(1)},
    size=Size(2),
    flat_size=Size(3),
    limits={"cpu": 0.5},
)
FULL = replace(
    SMALL,
    flat_size=Size(3, "f"),
    old_size=Size(4, "o"),
    standing=Size(5),
    is_rare=True,
    lines=("x",),
    metadata={"a": "b"},
    due_at_ms=6,
)
STORED = {
    "name": "n",
    "content": b"c",
    "colour": "red",
    "colours": ("red", "blue"),
    "sizes": {"one": {"width": 1}},
    "size": {"width": 2},
    "flat_width": 3,
    "limits": '{"cpu":0.5}',
    "tags": frozenset({"a"}),
    "metadata": {},
}


def test_the_annotation_of_a_field_says_how_it_is_stored() -> None:
    assert write(SMALL) == STORED
    assert write(FULL) == STORED | {
        "flat_note": "f",
        "old_width": 4,
        "old_note": "o",
        "standing": '{"width":5}',
        "is_rare": True,
        "lines": ("x",),
        "metadata": {"a": "b"},
        "due_at_ms": 6,
    }
    assert all(type(value) is not Colour for value in write(SMALL).values())


@pytest.mark.parametrize("thing", [SMALL, FULL])
def test_a_row_gives_the_same_dataclass_back(thing: Thing) -> None:
    row = from_item(to_item(write(thing)))
    assert read(Thing, row | {"thing_id": "1"}) == thing


def test_attributes_of_a_newer_version_are_ignored_on_each_level() -> None:
    newer: dict[str, Any] = {**write(FULL), "thing_id": "1", "new": 1, "size": {"width": 2, "new": {}}}
    newer |= {"old_new": 1, "standing": '{"width":5,"new":[]}', "sizes": {"one": {"width": 1, "new": 1}}}
    assert read(Thing, newer) == FULL


def test_a_row_of_an_older_version_has_the_defaults_and_a_row_without_a_needed_field_is_refused() -> None:
    older = {name: value for name, value in write(SMALL).items() if name not in {"tags", "metadata"}}
    assert read(Thing, older | {"thing_id": "1"}) == SMALL
    with pytest.raises(TypeError, match="name"):
        read(Thing, {"thing_id": "1"})


def test_changes_are_those_of_the_row() -> None:
    after = replace(FULL, name="m", old_size=None, due_at_ms=None, thing_id="2")
    assert changes(FULL, after) == ({"name": "m"}, ("due_at_ms", "old_note", "old_width"))
    assert changes(FULL, FULL) == ({}, ())


def test_a_mark_inside_a_union_is_refused() -> None:
    @dataclass
    class Wrong:
        limits: Annotated[Mapping[str, Any], JSON] | None

    with pytest.raises(TypeError, match="write Annotated"):
        write(Wrong(None))


PROJECT_ROW = {
    "pk": "PROJECT#p",
    "sk": "PROJECT",
    "name": "P",
    "profiles": ["judge"],
    "quotas": {"judge": {"per_minute": 1, "per_day": 2, "in_flight": 3}},
    "created_at": "2026-11-24T12:00:00.000Z",
}
PROJECT = ProjectRecord(Project("p", "P", ("judge",), {"judge": Quota(1, 2, 3)}), "2026-11-24T12:00:00.000Z")
KEY_ROW = {
    "pk": "KEY#digest",
    "sk": "KEY",
    "key_id": "k",
    "project_id": "p",
    "prefix": "rb_live_abcd",
    "created_at": "2026-11-24T12:00:00.000Z",
    "expires_at": "2027-11-24T12:00:00.000Z",
}
KEY = KeyRecord("k", "p", "rb_live_abcd", "2026-11-24T12:00:00.000Z", None, "2027-11-24T12:00:00.000Z")


def test_rows_of_projects_and_keys_are_those_of_version_0_1() -> None:
    """Literal rows: a codec that changes what is stored must fail here."""
    assert from_item(to_item(project_row(PROJECT))) == PROJECT_ROW
    assert from_item(to_item(key_row(KEY, "digest"))) == KEY_ROW
    assert to_project_record(PROJECT_ROW) == PROJECT
    assert to_key_record(KEY_ROW) == KEY
    assert to_project_record(PROJECT_ROW | {"disabled_at": "2026-11-25T12:00:00.000Z"}).disabled_at is not None


def test_a_value_is_stored_as_its_mark_says_or_not_at_all() -> None:
    marked = _Marked(words=("a", "b"), secret="s")
    assert write(marked) == {"words": "a b"}
    assert read(_Marked, {"words": "a b"}) == replace(marked, secret=None)


@dataclass(frozen=True, slots=True)
class _Marked:
    words: Annotated[tuple[str, ...], As(" ".join, lambda text: tuple(text.split()))] = ()
    secret: Annotated[str | None, NOT_STORED] = None
