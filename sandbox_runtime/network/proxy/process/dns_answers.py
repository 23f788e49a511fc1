"""Answer one DNS query of a program. It is hostile: it is bounded, and only its question is parsed."""

import socket
import struct
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from sandbox_runtime.network.proxy.process.names import NameTable
from sandbox_runtime.network.proxy.process.record import Record

MAX_QUERY_BYTES: Final = 1_232  # the most that fits into one packet everywhere; ordinary queries have fewer than 100
_TTL_SECS: Final = 5
_HEADER: Final = struct.Struct("!HHHHHH")
_TYPE: Final = struct.Struct("!HH")
_ADDRESS: Final = struct.Struct("!HHHIH")  # a pointer to the name, type, class, TTL, length
_NAME_OF_QUESTION: Final = 0xC00C
_RESPONSE_BIT: Final = 0x8000
# The kept bits of a query's flags: opcode and "recursion desired".
_KEPT_FLAGS: Final = 0x7900


def answer(query: bytes, names: NameTable, record: Record) -> bytes | None:
    """Return the answer, or None where no answer may be given, such as to an answer.

    EDNS is not supported, so a query's OPT record is ignored, as by servers of before (RFC 6891, section 7).
    """
    if not is_query(query):
        return None
    if len(query) > MAX_QUERY_BYTES:
        return error_answer(query, dns.rcode.FORMERR)
    try:
        parsed = dns.message.from_wire(query, question_only=True)
    except (dns.exception.DNSException, ValueError):
        return error_answer(query, dns.rcode.FORMERR)
    if parsed.opcode() != dns.opcode.QUERY:
        return error_answer(query, dns.rcode.NOTIMP)
    _, _, questions, answers, authorities, _ = _HEADER.unpack_from(query)
    if questions != 1 or answers or authorities:
        return error_answer(query, dns.rcode.FORMERR)
    return _answer_question(parsed, names, record)


def is_query(message: bytes) -> bool:
    """Whether this may be answered: a whole header, and not that of an answer."""
    return len(message) >= _HEADER.size and not message[2] & (_RESPONSE_BIT >> 8)


def _answer_question(parsed: dns.message.Message, names: NameTable, record: Record) -> bytes:
    question = parsed.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    refusal = names.refusal(name) if question.rdclass == dns.rdataclass.IN else None
    code, answers = dns.rcode.NOERROR, b""
    if question.rdclass != dns.rdataclass.IN:
        code = dns.rcode.REFUSED
    elif refusal is not None:
        record.refuse(refusal, name=name)
        code = dns.rcode.NXDOMAIN
    elif question.rdtype == dns.rdatatype.A:
        answers = _ADDRESS.pack(_NAME_OF_QUESTION, question.rdtype, question.rdclass, _TTL_SECS, 4)
        answers += socket.inet_aton(names.address_of(name))
    # By hand, in a quarter of the time of dnspython: every connection of a program waits for two answers.
    flags = _RESPONSE_BIT | (parsed.flags & dns.flags.RD) | dns.flags.RA | code
    header = _HEADER.pack(parsed.id, flags, 1, bool(answers), 0, 0)
    return header + (question.name.to_wire() or b"") + _TYPE.pack(question.rdtype, question.rdclass) + answers


def error_answer(query: bytes, code: int) -> bytes:
    """Return an answer of a header only: the query's own content is not repeated."""
    number, flags = struct.unpack_from("!HH", query)
    return _HEADER.pack(number, _RESPONSE_BIT | (flags & _KEPT_FLAGS) | code, 0, 0, 0, 0)
