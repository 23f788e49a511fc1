"""Answer one DNS query of a program. It is hostile: it is bounded, and only its header and question are read.

dnspython's parser of whole messages is not used. For some operations it imports modules, which this process cannot.
"""

import socket
import struct
from typing import Final

import dns.exception
import dns.flags
import dns.name
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
# The kept bits of a query's flags: opcode and "recursion desired".
_KEPT_FLAGS: Final = 0x7900


def answer(query: bytes, names: NameTable, record: Record) -> bytes | None:
    """Return the answer, or None where no answer may be given, such as to an answer.

    EDNS is not supported, so a query's OPT record is ignored, as by servers of before (RFC 6891, section 7).
    """
    if not is_query(query):
        return None
    refusal = _refusal_by_header(query)
    if refusal is not None:
        return error_answer(query, refusal)
    try:
        name, length = dns.name.from_wire(query, _HEADER.size)
        kind, group = _TYPE.unpack_from(query, _HEADER.size + length)
    except (dns.exception.DNSException, struct.error):
        return error_answer(query, dns.rcode.FORMERR)
    return _answer_question(query, name, kind, group, names, record)


def is_query(message: bytes) -> bool:
    """Whether this may be answered: a whole header, and not that of an answer."""
    return len(message) >= _HEADER.size and not message[2] & (dns.flags.QR >> 8)


def _refusal_by_header(query: bytes) -> dns.rcode.Rcode | None:
    """Return the error of a query that is not an ordinary one with one question."""
    _, flags, questions, answers, authorities, _ = _HEADER.unpack_from(query)
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    is_ordinary = (questions, answers, authorities) == (1, 0, 0) and not flags & dns.flags.TC
    return None if is_ordinary and len(query) <= MAX_QUERY_BYTES else dns.rcode.FORMERR


def _answer_question(
    query: bytes, name: dns.name.Name, kind: int, group: int, names: NameTable, record: Record
) -> bytes:
    """Answer the question for a name, of this type and class."""
    text = name.to_text(omit_final_dot=True).lower()
    refusal = names.refusal(text) if group == dns.rdataclass.IN else None
    code, answers = dns.rcode.NOERROR, b""
    if group != dns.rdataclass.IN:
        code = dns.rcode.REFUSED
    elif refusal is not None:
        record.refuse(refusal, name=text)
        code = dns.rcode.NXDOMAIN
    elif kind == dns.rdatatype.A:
        answers = _ADDRESS.pack(_NAME_OF_QUESTION, kind, group, _TTL_SECS, 4)
        answers += socket.inet_aton(names.address_of(text))
    # By hand, in a quarter of the time of dnspython: every connection of a program waits for two answers.
    number, flags = struct.unpack_from("!HH", query)
    flags = dns.flags.QR | (flags & dns.flags.RD) | dns.flags.RA | code
    header = _HEADER.pack(number, flags, 1, bool(answers), 0, 0)
    return header + (name.to_wire() or b"") + _TYPE.pack(kind, group) + answers


def error_answer(query: bytes, code: int) -> bytes:
    """Return an answer of a header only: the query's own content is not repeated."""
    number, flags = struct.unpack_from("!HH", query)
    return _HEADER.pack(number, dns.flags.QR | (flags & _KEPT_FLAGS) | code, 0, 0, 0, 0)
