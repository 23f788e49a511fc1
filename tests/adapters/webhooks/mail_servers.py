"""A mail server on 127.0.0.1 that does what a test says: it takes mails, refuses, stalls, or has no TLS."""

import base64
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

USER, PASSWORD = "rustbox", "very hidden/pass?word"
HOST = "mail.example.com"
PATH = "/api/webhooks"
FROM = "rustbox@example.com"

type Act = bytes | Callable[[socket.socket], bytes]
"""A reply, or what the server does with the connection before its reply."""


@dataclass
class MailServer:
    """Speaks SMTP with each connection. `acts`: other replies than usual, by command; "." is the end of a mail.

    `tls`: what STARTTLS begins; None: it is not offered.
    """

    tls: ssl.SSLContext | None = None
    acts: Mapping[str, Act] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)

    def __call__(self, peer: socket.socket) -> None:
        """Serve a connection until its end."""
        self._reply(peer, "greeting", b"220 ready\r\n")
        if self._serve(peer):
            assert self.tls is not None
            with self.tls.wrap_socket(peer, server_side=True) as protected:
                self._serve(protected)

    def _serve(self, peer: socket.socket) -> bool:
        """Answer commands until the end, or STARTTLS; True for that."""
        is_plain = not isinstance(peer, ssl.SSLSocket)
        with peer.makefile("rb") as lines:
            while line := lines.readline().decode(errors="replace"):
                command = line[:80].partition(" ")[0].strip().upper()
                self.commands.append(line.strip())
                if is_plain:
                    self.plain.append(command)
                match command:
                    case "EHLO":
                        offered = b"250-STARTTLS\r\n" if self.tls and is_plain else b""
                        self._reply(peer, command, b"250-mail\r\n" + offered + b"250 AUTH PLAIN\r\n")
                    case "STARTTLS":
                        self._reply(peer, command, b"220 go on\r\n")
                        return True
                    case "AUTH":
                        given = base64.b64decode(line.split()[2]).decode()
                        is_right = given == f"\0{USER}\0{PASSWORD}"
                        self._reply(peer, command, b"235 welcome\r\n" if is_right else b"535 wrong password\r\n")
                    case "DATA":
                        self._reply(peer, command, b"354 go on\r\n")
                        if "DATA" not in self.acts:
                            self.mails.append(b"".join(iter(lines.readline, b".\r\n")))
                            self._reply(peer, ".", b"250 taken\r\n")
                    case _:
                        self._reply(peer, command, b"250 fine\r\n")
        return False

    def _reply(self, peer: socket.socket, command: str, usual: bytes) -> None:
        act = self.acts.get(command, usual)
        peer.sendall(act if isinstance(act, bytes) else act(peer))

    @property
    def recipients(self) -> list[str]:
        return [match[1] for line in self.commands if (match := re.fullmatch(r"(?i)rcpt to:<(.*)>", line))]


def url_of(port: int, scheme: str = "smtp", password: str = PASSWORD) -> str:
    return f"{scheme}://{USER}:{quote(password, safe='')}@{HOST}:{port}"
