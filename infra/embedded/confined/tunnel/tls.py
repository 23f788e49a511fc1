"""TLS 1.3 between a host with a confined process and that of the engine."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Final

HANDSHAKE_SECS: Final = 10.0
_CONNECT_SECS: Final = 10.0
_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PIN: Final = re.compile(r"sha256:[0-9a-f]{64}")


class UntrustedError(Exception):
    """The server is not the one that this host trusts. Nothing was sent to it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and how it is known.

    `pin`: the fingerprint of its certificate. Else `ca_file` has the authorities to trust; None: the well-known ones.
    """

    host: str
    port: int
    pin: str | None = None
    ca_file: str | None = None


def is_pin(text: str) -> bool:
    """Tell whether a text is a fingerprint, as `fingerprint` writes it."""
    return _PIN.fullmatch(text) is not None


def fingerprint(certificate_pem: str) -> str:
    """Return the fingerprint of the first certificate of a PEM text. Raises ValueError."""
    first = _CERTIFICATE.search(certificate_pem)
    if first is None:
        raise ValueError("no certificate")
    return _fingerprint(ssl.PEM_cert_to_DER_cert(first[0]))


def server_context(certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return the server's side. Raises OSError: a file cannot be read, is not PEM, or the key is another one's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(certificate_file, key_file, password="")  # without one, OpenSSL would ask the terminal
    return context


def connect(server: Server) -> ssl.SSLSocket:
    """Connect, and return the connection when the server is the right one. Raises OSError, UntrustedError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if server.pin is not None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif server.ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(server.ca_file)
    stream = socket.create_connection((server.host, server.port), _CONNECT_SECS)
    try:
        tune(stream)
        stream.settimeout(HANDSHAKE_SECS)
        encrypted = context.wrap_socket(stream, server_hostname=server.host)
    except ssl.SSLCertVerificationError as error:
        stream.close()
        raise UntrustedError(f"its certificate is not trusted: {error.verify_message}") from error
    except BaseException:
        stream.close()
        raise
    if server.pin is not None:
        shown = _fingerprint(encrypted.getpeercert(binary_form=True) or b"")
        if not hmac.compare_digest(shown, server.pin):
            encrypted.close()
            raise UntrustedError(f"its certificate has the fingerprint {shown}, not {server.pin}")
    return encrypted


def tune(stream: socket.socket) -> None:
    """Send small frames at once, and notice within 20 s that the peer's host is gone."""
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
        stream.setsockopt(socket.IPPROTO_TCP, option, value)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000)


def _fingerprint(der: bytes) -> str:
    return f"sha256:{hashlib.sha256(der).hexdigest()}"
