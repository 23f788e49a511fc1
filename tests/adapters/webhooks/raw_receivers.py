"""Receivers that speak bytes, plainly or over TLS with an authority of the test."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

type Serve = Callable[[socket.socket], None]


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def read_request(peer: socket.socket) -> bytes:
    """Read head and body of one request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


class Receiver:
    """A server that hands each connection to `serve`, over TLS if a context is given."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.sni: list[str | None] = []
        self._serve = serve
        self._context = context
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.sni.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._handle, args=(peer,))
                thread.start()
                self._threads.append(thread)

    def _handle(self, peer: socket.socket) -> None:
        with suppress(OSError), peer:
            if self._context is None:
                self._serve(peer)
            else:
                with self._context.wrap_socket(peer, server_side=True) as tls:
                    self._serve(tls)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def start() -> Iterator[Callable[..., Receiver]]:
    running: list[Receiver] = []

    def start_receiver(serve: Serve, context: ssl.SSLContext | None = None) -> Receiver:
        running.append(Receiver(serve, context))
        return running[-1]

    yield start_receiver
    for receiver in running:
        receiver.close()


def answer(data: bytes) -> Serve:
    def serve(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(data)

    return serve


class Authority:
    """A certificate authority that lives for one test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        self.certificate = self._sign(self._name, self._key.public_key(), is_authority=True)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem)

    def server_context(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(subject, key.public_key(), names=names, expired=expired)
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        *,
        names: tuple[str, ...] = (),
        expired: bool = False,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        ends = now - timedelta(days=1) if expired else now + timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        return builder.sign(self._key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def drip(peer: socket.socket, data: bytes) -> None:
    """Send `data` every 20 ms until the other side hangs up."""
    while True:
        peer.sendall(data)
        time.sleep(0.02)
