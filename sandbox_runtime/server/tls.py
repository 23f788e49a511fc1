"""TLS of the runner's server: its own certificate and key, from files."""

import logging
import socket
import ssl

HANDSHAKE_SECS = 10.0

_LOG = logging.getLogger(__name__)


def server_context(certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return the settings of all connections: TLS 1.2 or newer, with this certificate chain.

    Raises OSError: a file cannot be read, is not PEM, or the key is not the certificate's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Callers keep their connections. A ticket would make an idle one look as if an answer were waiting.
    context.num_tickets = 0
    # Without a password, OpenSSL would ask for that of an encrypted key on the terminal.
    context.load_cert_chain(certificate_file, key_file, password="")
    return context


def encrypt(stream: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Shake hands, within HANDSHAKE_SECS in total. Raises OSError; the connection is then closed."""
    stream.settimeout(HANDSHAKE_SECS)
    try:
        return context.wrap_socket(stream, server_side=True)
    except OSError as error:
        stream.close()
        # Not a warning: any client that reaches the port can cause as many as it likes.
        _LOG.debug("TLS handshake failed", extra={"problem": getattr(error, "reason", None) or type(error).__name__})
        raise
