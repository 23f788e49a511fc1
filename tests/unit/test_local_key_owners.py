"""Requests with an API key belong to its project; all others have one owner together."""

import asyncio

import pytest

from infra.local.http.key_owners import KeyOwners
from tests.local_front import project_of


class _Projects:
    """Counts the keys that are looked up."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def find(self, key: str) -> str | None:
        self.keys.append(key)
        if key == "away":
            raise ConnectionError
        return project_of(key)


def owners(projects: _Projects, *requests: list[tuple[bytes, bytes]]) -> list[str]:
    async def ask() -> list[str]:
        made = KeyOwners(projects.find)
        return [await made.owner(headers) for headers in requests]

    return asyncio.run(ask())


def test_all_keys_of_a_project_have_one_owner_and_are_looked_up_once() -> None:
    projects = _Projects()
    first, second = [(b"host", b"x"), (b"x-api-key", b"a.1")], [(b"x-api-key", b"a.2")]
    assert owners(projects, first, second, first, second) == ["a", "a", "a", "a"]
    assert projects.keys == ["a.1", "a.2"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-api-key", b"invalid")],
        [(b"x-api-key", b"away")],
        [(b"x-api-key", b"a.1"), (b"x-api-key", b"b.1")],
        [(b"x-api-key", b"\xff")],
    ],
    ids=["no key", "invalid key", "tables are away", "two keys", "no text"],
)
def test_requests_without_a_valid_key_have_one_owner(headers: list[tuple[bytes, bytes]]) -> None:
    assert owners(_Projects(), headers) == [""]


def test_requests_of_the_administrator_have_an_owner_that_is_no_project() -> None:
    projects = _Projects()
    assert owners(projects, [(b"x-api-key", b"a.1"), (b"x-admin-key", b"any")]) == ["X-Admin-Key"]
    assert projects.keys == []
