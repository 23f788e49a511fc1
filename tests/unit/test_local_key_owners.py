"""Requests with an API key belong to its project; all others have one owner together."""

import asyncio

import pytest

from infra.local.http import gateway
from infra.local.http.gateway import KeyOwners
from tests.local_front import is_administrator, project_of


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
        made = KeyOwners(projects.find, is_administrator)
        return [await made.owner(headers) for headers in requests]

    return asyncio.run(ask())


def test_all_keys_of_a_project_have_one_owner_and_are_looked_up_once() -> None:
    projects = _Projects()
    first, second = [(b"host", b"x"), (b"x-api-key", b"a.1")], [(b"x-api-key", b"a.2")]
    assert owners(projects, first, second, first, second) == ["a", "a", "a", "a"]
    assert projects.keys == ["a.1", "a.2"]


@pytest.mark.parametrize(
    "header",
    [
        (b"x-auth-token", b"a.1"),
        (b"authorization", b"Bearer a.1"),
        (b"authorization", b"a.1"),
        (b"authorization", b"Basic eDphLjE="),
    ],
)
def test_clients_of_other_services_belong_to_the_project_of_their_key(header: tuple[bytes, bytes]) -> None:
    assert owners(_Projects(), [header]) == ["a"]


@pytest.mark.parametrize(
    ("headers", "key", "owner"),
    [
        ([], "a.1", "a"),
        ([(b"host", b"x")], "invalid", ""),
        ([(b"x-api-key", b"b.1")], "a.1", "b"),
        ([(b"x-api-key", b"b.1")], "v1", "b"),
        ([(b"x-api-key", b"a.1")], "a.1", "a"),
    ],
)
def test_a_key_in_the_path_counts_where_no_header_has_one(
    headers: list[tuple[bytes, bytes]], key: str, owner: str
) -> None:
    made = KeyOwners(project_of, is_administrator)
    assert asyncio.run(made.owner(headers, key)) == owner


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


def test_the_administrators_key_may_be_a_bearer_token() -> None:
    assert owners(_Projects(), [(b"authorization", b"Bearer admin")]) == ["X-Admin-Key"]


@pytest.mark.parametrize(
    ("admin_keys", "owner"), [([b"admin"], "X-Admin-Key"), ([b"wrong"], "a"), ([b"admin", b"admin"], "a")]
)
def test_requests_of_the_administrator_have_an_owner_that_is_no_project(admin_keys: list[bytes], owner: str) -> None:
    """A wrong key takes nothing from the administrator."""
    assert owners(_Projects(), [(b"x-api-key", b"a.1"), *((b"x-admin-key", key) for key in admin_keys)]) == [owner]


def test_revoked_key_has_no_share_of_its_project_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway.FRESH_SECS == 60
    monkeypatch.setattr(gateway, "FRESH_SECS", 0)
    projects, headers = _Projects(), [(b"x-api-key", b"a.1")]

    async def ask() -> None:
        made = KeyOwners(lambda key: projects.find(key) if len(projects.keys) < 2 else None, is_administrator)
        assert await made.owner(headers) == "a"
        async with asyncio.timeout(60):
            while await made.owner(headers) == "a":  # noqa: ASYNC110 - a thread looks it up
                await asyncio.sleep(0.005)

    asyncio.run(ask())
    assert projects.keys == ["a.1", "a.1"]


def test_known_key_is_believed_while_the_tables_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "FRESH_SECS", 0)
    answers, seen = ["a"], list[str]()

    def find(_key: str) -> str:
        seen.append(_key)
        return answers.pop()  # raises from the second call on

    async def ask() -> None:
        made = KeyOwners(find, is_administrator)
        async with asyncio.timeout(60):
            while len(seen) < 4:
                assert await made.owner([(b"x-api-key", b"a.1")]) == "a"
                await asyncio.sleep(0.005)

    asyncio.run(ask())
