"""Addresses that webhooks and programs with network may reach."""

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.addresses import is_public

GOLDEN: dict[str, list[str]] = json.loads((Path(__file__).parent / "public_addresses.json").read_text())


@pytest.mark.parametrize("address", GOLDEN["refused"])
def test_an_address_off_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", GOLDEN["public"])
def test_a_public_address_beside_a_refused_block_is_allowed(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_no_ipv6_form_of_an_ipv4_address_is_public(address: ipaddress.IPv4Address) -> None:
    high, low = f"{int(address) >> 16:x}", f"{int(address) & 0xFFFF:x}"
    for form in (f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}", f"64:ff9b:1::{address}"):
        assert not is_public(form)
    for form in (f"2002:{high}:{low}::1", f"2001:0:{high}:{low}::1", f"fe80::5efe:{address}"):
        assert not is_public(form)
