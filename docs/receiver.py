"""A webhook receiver to copy: verifies one signed request, prints its body, and ends. Standard library only."""

import argparse
import base64
import hashlib
import hmac
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_SECS = 300


def signing_key(secret: str) -> bytes:
    """`whsec_<base64>` is decoded; any other secret is used as it is."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    encoded = secret.removeprefix("whsec_")
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4))


def is_genuine(secret: str, webhook_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Check one request. `signatures` may hold several, separated by spaces, while a secret is being changed."""
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECS:
        return False
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(signing_key(secret), signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures.split(" "))


class Receiver(BaseHTTPRequestHandler):
    """Answers 200 to a genuine request and 401 to any other."""

    secret = ""
    received = False

    def do_POST(self) -> None:
        """Verify the raw bytes before anything reads them."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = [self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")]
        genuine = is_genuine(self.secret, *parts, body)
        self.send_response(200 if genuine else 401)
        self.end_headers()
        sys.stdout.write(body.decode() + "\n" if genuine else "refused: the signature is wrong\n")
        sys.stdout.flush()
        Receiver.received = Receiver.received or genuine

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def main() -> None:
    """Serve on loopback until one genuine webhook came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4099)
    parser.add_argument("--secret", required=True)
    options = parser.parse_args()
    Receiver.secret = options.secret
    with HTTPServer(("127.0.0.1", options.port), Receiver) as server:
        while not Receiver.received:
            server.handle_request()


if __name__ == "__main__":
    main()
