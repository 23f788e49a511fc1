"""The egress proxy's answers to DNS queries. Whatever a program sends, the answer is short, valid and its own."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.network.model import AllowedHost, Refusal
from sandbox_runtime.network.proxy.process.name_service import MAX_QUERY_BYTES, NameTable, answer
from sandbox_runtime.network.proxy.process.record import Record
from sandbox_runtime.network.proxy.settings import RunLimits

HOSTS = (AllowedHost("api.example.com", 443), AllowedHost("*.example.org", 443))
HEADER = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0)
QUESTION = b"\x03api\x07example\x03com\x00" + struct.pack("!HH", 1, 1)


class Asked:
    """One name table and record, and answers to queries."""

    def __init__(self) -> None:
        self.record = Record()
        self.names = NameTable(HOSTS, RunLimits())

    def raw(self, query: bytes) -> bytes | None:
        return answer(query, self.names, self.record)

    def __call__(self, query: dns.message.Message) -> dns.message.Message:
        found = self.raw(query.to_wire())
        assert found is not None
        response = dns.message.from_wire(found)
        assert query.is_response(response) or response.rcode() in {dns.rcode.FORMERR, dns.rcode.NOTIMP}
        return response


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize("name", ["api.example.com", "API.Example.COM.", "a.b.example.org"])
def test_an_allowed_name_has_an_address_of_the_pool(asked: Asked, name: str) -> None:
    response = asked(dns.message.make_query(name, "A"))
    assert [str(record).startswith(("198.18.", "198.19.")) for record in response.answer[0]] == [True]
    assert 0 < response.answer[0].ttl <= 10
    assert response.question[0].name == response.answer[0].name


@pytest.mark.parametrize("kind", ["AAAA", "TXT", "NULL", "HTTPS", "SVCB", "MX", "ANY", "CNAME", "NS", "TYPE65280"])
def test_other_types_of_an_allowed_name_have_no_data(asked: Asked, kind: str) -> None:
    response = asked(dns.message.make_query("api.example.com", kind))
    assert (response.rcode(), response.answer) == (dns.rcode.NOERROR, [])


@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT", "PTR", "SOA"])
@pytest.mark.parametrize("name", ["evil.example", "example.org", ".", "1.18.198.in-addr.arpa", "localhost"])
def test_any_other_name_does_not_exist(asked: Asked, name: str, kind: str) -> None:
    response = asked(dns.message.make_query(name, kind))
    assert response.rcode() == dns.rcode.NXDOMAIN
    (refused,) = asked.record.evidence().refused
    assert (refused.times, refused.reason) == (1, Refusal.NOT_ALLOWED)


def test_another_class_is_refused(asked: Asked) -> None:
    assert asked(dns.message.make_query("version.bind", "TXT", "CH")).rcode() == dns.rcode.REFUSED
    assert asked(dns.message.make_query("api.example.com", "A", "ANY")).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize("opcode", range(1, 16))
def test_only_queries_are_implemented(asked: Asked, opcode: int) -> None:
    query = bytearray(HEADER + QUESTION)
    query[2] = opcode << 3
    found = asked.raw(bytes(query))
    assert found is not None
    assert (found[3] & 0xF, len(found)) == (dns.rcode.NOTIMP, 12)


@pytest.mark.parametrize(
    "options",
    [
        [dns.edns.ECSOption("1.2.3.0", 24)],
        [dns.edns.GenericOption("COOKIE", b"12345678")],
        [dns.edns.GenericOption("PADDING", bytes(400))],
        [dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"exfiltrated " * 60)],
    ],
    ids=["client subnet", "cookie", "padding", "payload"],
)
def test_edns_is_answered_as_by_a_server_without_it(asked: Asked, options: list[dns.edns.Option]) -> None:
    query = dns.message.make_query("api.example.com", "A", use_edns=0, payload=65535, options=options, want_dnssec=True)
    response = asked(query)
    assert (response.edns, len(response.answer)) == (-1, 1)
    assert len(response.to_wire()) < 100


@pytest.mark.parametrize(
    "query",
    [
        HEADER + b"\xc0\x0c" + struct.pack("!HH", 1, 1),
        HEADER + b"\x01a\xc0\x0c" + struct.pack("!HH", 1, 1),
        HEADER + b"\xc0\x0e\xc0\x0c" + struct.pack("!HH", 1, 1),
        HEADER + b"\xff\xff",
        HEADER + b"\x3f" + b"a" * 10,
        HEADER + (b"\x3f" + b"a" * 63) * 5 + b"\x00" + struct.pack("!HH", 1, 1),
        HEADER + b"\x41\x01" + bytes(20),
        HEADER + b"\x80" + bytes(20),
        HEADER + QUESTION[:-1],
        HEADER,
        struct.pack("!HHHHHH", 7, 0x0100, 0, 0, 0, 0),
        struct.pack("!HHHHHH", 7, 0x0100, 2, 0, 0, 0) + QUESTION * 2,
        struct.pack("!HHHHHH", 7, 0x0100, 65535, 65535, 65535, 65535) + QUESTION,
        struct.pack("!HHHHHH", 7, 0x0100, 1, 1, 0, 0) + QUESTION,
        struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 1, 0) + QUESTION,
        struct.pack("!HHHHHH", 7, 0x0300, 1, 0, 0, 0) + QUESTION,
        HEADER + QUESTION + bytes(MAX_QUERY_BYTES),
    ],
    ids=["pointer to itself", "pointer back to its label", "two pointers", "pointer past the end", "cut label",
         "name of 320 bytes", "extended label", "reserved label", "cut question", "no question", "no questions",
         "two questions", "counts of 65535", "an answer", "an authority", "truncated", "too long"],
)  # fmt: skip
def test_a_malformed_query_gets_a_short_error(asked: Asked, query: bytes) -> None:
    found = asked.raw(query)
    assert found is not None
    assert (found[:2], found[3] & 0xF, len(found)) == (b"\x00\x07", dns.rcode.FORMERR, 12)


@pytest.mark.parametrize("query", [b"", b"\x00", HEADER[:11], b"\x00\x07\x81\x80" + HEADER[4:] + QUESTION])
def test_an_answer_or_less_than_a_header_gets_no_answer(asked: Asked, query: bytes) -> None:
    assert asked.raw(query) is None


@given(st.binary(max_size=200))
def test_any_bytes_get_a_valid_answer_or_none(query: bytes) -> None:
    check_any(query)


@given(st.binary(max_size=100), st.integers(0, 255))
def test_any_bytes_behind_a_valid_header_get_a_valid_answer(rest: bytes, flags: int) -> None:
    check_any(struct.pack("!HBBHHHH", 7, flags & 0x7F, 0, 1, 0, 0, 0) + rest)


def check_any(query: bytes) -> None:
    asked = Asked()
    found = asked.raw(query)
    if found is not None:
        response = dns.message.from_wire(found)
        assert response.flags & dns.flags.QR
        assert response.id == int.from_bytes(query[:2])
        assert len(found) <= 512
    for refused in asked.record.evidence().refused:
        assert refused.name is not None
        assert 1 <= len(refused.name) <= 253
        assert all("!" <= char <= "~" for char in refused.name)


def test_the_evidence_of_many_refused_names_is_bounded(asked: Asked) -> None:
    for number in range(500):
        asked(dns.message.make_query(f"{number}.evil.example", "TXT"))
    refused = asked.record.evidence().refused
    assert len(refused) == 64
    assert {entry.times for entry in refused} == {1}
