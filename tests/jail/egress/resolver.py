"""A DNS server of the tests, over UDP and TCP, that answers what a test tells it."""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

type Answer = Callable[[dns.message.Message], bytes | None]


class Resolver:
    """Enter it in its namespace. Names without records do not exist. `asked` counts the queries of each name."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._records: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()

    def set(self, name: str, *records: str) -> None:
        """Let a name have these addresses, of both versions, or `CNAME target`."""
        self._records[name] = lambda query: _answer(query, records)

    def set_answers(self, name: str, answer: Answer) -> None:
        """Let a function answer the queries of a name."""
        self._records[name] = answer

    def __enter__(self) -> Self:
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(self._address)
        self._datagrams.settimeout(None)
        self._listener = socket.create_server(self._address)
        self._listener.settimeout(None)
        for serve in (self._serve_datagrams, self._serve_connections):
            threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for owned in (self._datagrams, self._listener):
            with suppress(OSError):
                owned.shutdown(socket.SHUT_RDWR)

    def _find(self, data: bytes) -> bytes | None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked[name] += 1
        if name in self._records:
            return self._records[name](query)
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()

    def _serve_datagrams(self) -> None:
        with self._datagrams, suppress(OSError):
            while True:
                data, sender = self._datagrams.recvfrom(4096)
                if not data:
                    return
                found = self._find(data)
                if found is not None:
                    if len(found) > 1232:
                        response = dns.message.make_response(dns.message.from_wire(data))
                        response.flags |= dns.flags.TC
                        found = response.to_wire()
                    self._datagrams.sendto(found, sender)

    def _serve_connections(self) -> None:
        with self._listener, suppress(OSError):
            while True:
                connected, _ = self._listener.accept()
                with connected, suppress(OSError):
                    length = int.from_bytes(connected.recv(2, socket.MSG_WAITALL))
                    found = self._find(connected.recv(length, socket.MSG_WAITALL))
                    if found is not None:
                        connected.sendall(len(found).to_bytes(2) + found)


def _answer(query: dns.message.Message, records: tuple[str, ...]) -> bytes:
    """Answer with the records of the asked type. After `CNAME target`, the others are the target's."""
    question = query.question[0]
    response = dns.message.make_response(query)
    name = question.name
    for record in records:
        if record.startswith("CNAME "):
            response.answer.append(dns.rrset.from_text(name, 5, "IN", "CNAME", record.split()[1] + "."))
            name = response.answer[-1][0].target
        elif (":" in record) == (question.rdtype == dns.rdatatype.AAAA):
            rrset = response.find_rrset(response.answer, name, question.rdclass, question.rdtype, create=True)
            rrset.add(dns.rdata.from_text(question.rdclass, question.rdtype, record), 5)
    return response.to_wire(max_size=65535)
