"""What the egress proxy takes from the answers of a resolver, which may repeat those of a hostile server."""

import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.network.model import Failure
from sandbox_runtime.network.proxy.process.sockets import Poll
from sandbox_runtime.network.proxy.process.target import LookUp, Outcome, system_resolvers

NAME, TARGET = "api.example.com", "93.184.216.34"
HEADER = struct.pack("!HHHHHH", 7, 0x8180, 1, 1, 0, 0)
QUESTION = b"\x03api\x07example\x03com\x00" + struct.pack("!HH", 1, 1)


class Asking:
    """A look-up that has asked both types, without sockets. `outcomes`: what it calls back with."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._poll = Poll()
        self.look_up = LookUp(self._poll, (), NAME, self.outcomes.append)
        self.queries = {kind: dns.message.make_query(NAME, kind) for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)}
        self.look_up._queries = dict(self.queries)

    def take(self, data: bytes) -> None:
        self.look_up._take(data)
        self._poll.close()

    def answer(self, kind: dns.rdatatype.RdataType, *records: str, code: int = dns.rcode.NOERROR) -> None:
        """Take an answer with lines such as `api.example.com. A 1.1.1.1`."""
        response = dns.message.make_response(self.queries[kind])
        response.set_rcode(dns.rcode.Rcode(code))
        for record in records:
            name, rdtype, value = record.split()
            response.answer.append(dns.rrset.from_text(name, 5, "IN", rdtype, value))
        self.take(response.to_wire())


A, AAAA = dns.rdatatype.A, dns.rdatatype.AAAA


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        ([f"{NAME}. A {TARGET}"], (TARGET,)),
        ([f"{NAME}. CNAME b.example.com.", f"b.example.com. A {TARGET}"], (TARGET,)),
        ([f"b.example.com. A {TARGET}", f"{NAME}. CNAME b.example.com."], (TARGET,)),
        ([f"{NAME}. CNAME {NAME}."], Failure.NAME_NOT_FOUND),
        ([f"{NAME}. CNAME b.example.com.", f"b.example.com. CNAME {NAME}."], Failure.NAME_NOT_FOUND),
        ([f"{NAME}. CNAME b.example.com."], Failure.NAME_NOT_FOUND),
        ([f"other.example.com. A {TARGET}"], Failure.NAME_NOT_FOUND),
        ([f"{NAME}. TXT {TARGET}"], Failure.NAME_NOT_FOUND),
        ([], Failure.NAME_NOT_FOUND),
    ],
)
def test_the_addresses_are_those_at_the_end_of_the_aliases(records: list[str], outcome: Outcome) -> None:
    asking = Asking()
    asking.answer(A, *records)
    assert asking.outcomes == []  # AAAA is missing
    asking.answer(AAAA)
    assert asking.outcomes == [outcome]


def test_a_name_of_which_one_type_fails_has_the_other_addresses() -> None:
    asking = Asking()
    asking.answer(A, f"{NAME}. A {TARGET}")
    asking.answer(AAAA, code=dns.rcode.SERVFAIL)
    assert asking.outcomes == [(TARGET,)]


def test_without_a_usable_answer_the_look_up_has_failed() -> None:
    asking = Asking()
    asking.answer(A, f"{NAME}. A {TARGET}", code=dns.rcode.REFUSED)
    assert asking.outcomes == [Failure.LOOK_UP_FAILED]


@pytest.mark.parametrize(
    "data",
    [
        HEADER + QUESTION + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 400) + bytes(4),
        HEADER + QUESTION + b"\xc0\x1d" + struct.pack("!HHIH", 5, 1, 5, 2) + b"\xc0\x1d",
        HEADER + QUESTION[:-4] + b"\xc0\xff",
        HEADER,
        b"",
        bytes(12),
    ],
)
def test_a_malformed_answer_ends_the_attempt(data: bytes) -> None:
    asking = Asking()
    asking.take(data)
    assert asking.outcomes == [Failure.LOOK_UP_FAILED]


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_question_end_or_answer_the_attempt(rest: bytes) -> None:
    asking = Asking()
    query = asking.queries[A]
    asking.take(struct.pack("!HHHHHH", query.id, 0x8180, 1, 2, 1, 1) + query.to_wire()[12:] + rest)
    assert asking.outcomes in ([], [Failure.LOOK_UP_FAILED], [Failure.NAME_NOT_FOUND])


@given(st.integers(1, 300), st.integers(0, 255), st.binary(max_size=40))
def test_any_record_type_is_parsed_without_another_error(rdtype: int, length: int, data: bytes) -> None:
    asking = Asking()
    query = asking.queries[A]
    record = b"\xc0\x0c" + struct.pack("!HHIH", rdtype, 1, 5, length) + data
    asking.take(struct.pack("!HHHHHH", query.id, 0x8180, 1, 1, 0, 0) + query.to_wire()[12:] + record)


@pytest.mark.parametrize(
    ("text", "resolvers"),
    [
        ("nameserver 10.0.0.2\nnameserver fd00::2\n", (("10.0.0.2", 53), ("fd00::2", 53))),
        ("# nameserver 1.1.1.1\nsearch example.com\noptions edns0\n nameserver  10.0.0.2 # x\n", (("10.0.0.2", 53),)),
        ("nameserver dns.example.com\nnameserver\nnameserver 10.0.0.2", (("10.0.0.2", 53),)),
        ("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n",
         (("1.1.1.1", 53), ("1.1.1.2", 53), ("1.1.1.3", 53))),
        ("", (("127.0.0.1", 53),)),
    ],
)  # fmt: skip
def test_resolvers_are_those_of_resolv_conf(text: str, resolvers: tuple[tuple[str, int], ...]) -> None:
    assert system_resolvers(text) == resolvers
