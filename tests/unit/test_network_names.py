"""The names of a run: what a program may look up, and what an address of the pool stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.network.model import AllowedHost, Refusal
from sandbox_runtime.network.proxy.process.name_service import NameTable, is_host_name
from sandbox_runtime.network.proxy.settings import RunLimits

HOSTS = (
    AllowedHost("api.example.com", 443),
    AllowedHost("api.example.com", 8443),
    AllowedHost("db.example.com", 5432),
    AllowedHost("*.example.org", 443),
    AllowedHost("*.eu.example.org", 80),
)
LIMITS = RunLimits(wildcard_names=3, wildcard_chars=10)


@pytest.fixture
def table() -> NameTable:
    return NameTable(HOSTS, LIMITS)


@pytest.mark.parametrize("name", ["api.example.com", "db.example.com", "a.example.org", "a.b.example.org"])
def test_a_name_has_one_address_and_an_address_one_name(table: NameTable, name: str) -> None:
    assert table.refusal(name) is None
    address = table.address_of(name)
    assert table.address_of(name) == address
    assert table.name_of(address) == name


@pytest.mark.parametrize(
    "name",
    ["", "com", "example.com", "x.api.example.com", "example.org", ".example.org", "evilexample.org", "a..example.org",
     "*.example.org", "a_b.example.org", "-a.example.org", "a\\.b.example.org", "a.example.org.evil.com",
     "a.example.org.", "é.example.org", "a b.example.org", "api.example.com.example", "127.0.0.1"],
)  # fmt: skip
def test_any_other_name_does_not_exist(table: NameTable, name: str) -> None:
    assert table.refusal(name) is Refusal.NOT_ALLOWED


def test_names_below_wildcards_have_a_bounded_number_and_length(table: NameTable) -> None:
    assert table.refusal("a" * 10 + ".example.org") is None
    assert table.refusal("a" * 11 + ".example.org") is Refusal.NAME_TOO_LONG
    for name in ("a.example.org", "b.example.org", "c.example.org"):
        table.address_of(name)
    assert table.refusal("d.example.org") is Refusal.TOO_MANY_NAMES
    assert table.refusal("a.example.org") is None


def test_the_longest_wildcard_decides_how_long_a_name_below_it_is(table: NameTable) -> None:
    assert table.refusal("a" * 10 + ".eu.example.org") is None


@pytest.mark.parametrize(
    ("name", "port", "is_allowed"),
    [
        ("api.example.com", 443, True),
        ("api.example.com", 8443, True),
        ("api.example.com", 5432, False),
        ("db.example.com", 443, False),
        ("a.example.org", 443, True),
        ("a.example.org", 80, False),
        ("a.eu.example.org", 80, True),
        ("a.eu.example.org", 443, True),
    ],
)
def test_each_name_has_its_own_ports(table: NameTable, name: str, port: int, is_allowed: bool) -> None:  # noqa: FBT001
    assert table.allows(name, port) == is_allowed


@given(st.text(max_size=300))
def test_a_host_name_is_plain_and_short(text: str) -> None:
    if is_host_name(text):
        assert text.isascii()
        assert len(text) <= 253
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
