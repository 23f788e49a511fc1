"""Targets on the loopback of this host: what a program may meet. The proxy knows them as HOST."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sandbox_runtime.network.proxy.settings import HOST_NAME
from tests.jail.network.worlds import serve, stop

HOST = HOST_NAME
ANSWER = "hello"


@dataclass(frozen=True, slots=True)
class Targets:
    """Ports of the loopback. `refused`: nobody listens. `ca_pem`: the authority of `https`."""

    http: int
    https: int
    refused: int
    hangs_up: int
    silent: int
    ca_pem: str

    @property
    def ports(self) -> tuple[int, ...]:
        """All of them."""
        return self.http, self.https, self.refused, self.hangs_up, self.silent


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate hangs up."""


@contextmanager
def targets(directory: Path) -> Iterator[Targets]:
    """Serve. `directory`: for the certificate."""
    ca_pem, context = certificate(directory)
    with ExitStack() as stack:
        plain, encrypted = (stack.enter_context(_Server(("127.0.0.1", 0), _Handler)) for _ in range(2))
        encrypted.socket = context.wrap_socket(encrypted.socket, server_side=True, do_handshake_on_connect=False)
        for server in (plain, encrypted):
            server.socket.settimeout(None)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        refused = stack.enter_context(socket.socket())
        refused.bind(("127.0.0.1", 0))  # and nobody listens
        hangs_up, silent = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        kept = stack.enter_context(ExitStack())
        refused_port, hangs_up_port, silent_port = (each.getsockname()[1] for each in (refused, hangs_up, silent))
        serve(hangs_up, lambda listener: listener.accept()[0].close())
        serve(silent, lambda listener: keep(kept, listener))
        for listener in (hangs_up, silent):
            stack.callback(stop, listener)
        yield Targets(plain.server_port, encrypted.server_port, refused_port, hangs_up_port, silent_port, ca_pem)


def keep(kept: ExitStack, listener: socket.socket) -> None:
    """Accept a connection, and never answer."""
    kept.enter_context(listener.accept()[0])


def certificate(directory: Path, host: str = HOST) -> tuple[str, ssl.SSLContext]:
    """Make an authority, and a context with a certificate of it for a host."""
    now, keys = datetime.now(UTC), [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])

    def build(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        return (
            made.serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    authority = (
        build(issuer, keys[0])
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key()), critical=False)
        .sign(keys[0], hashes.SHA256())
    )
    leaf = (
        build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), keys[1])
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        .sign(keys[0], hashes.SHA256())
    )
    key_pem = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = directory / "server.pem"
    file.write_bytes(leaf.public_bytes(Encoding.PEM) + key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return authority.public_bytes(Encoding.PEM).decode(), context
