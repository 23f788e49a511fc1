"""A webhook receiver to copy. Standard library only; receiver.js does the same on Node.js and Bun.

    WEBHOOK_SECRET           an endpoint's secret (whsec_...), or the webhook_secret of your runs;
                             or an endpoint's public key (whpk_...), which needs `pip install pynacl`
    WEBHOOK_PREVIOUS_SECRET  while you change it: the one before

Let a server that speaks TLS stand in front of it; the number of connections and slow clients are bounded there.
"""

import argparse
import base64
import hmac
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_SECS = 300
KEY_BYTES = range(24, 65)
MAX_BODY_BYTES = 1024 * 1024  # webhooks have at most 256 KiB
MAX_KEPT_IDS = 100_000
READ_SECS = 10


def handle(event: dict[str, Any]) -> None:
    """Put your own work here. The answer waits for it, 15 s at most: longer work belongs into a queue."""
    print(json.dumps(event), flush=True)


def signing_key(secret: str) -> bytes:
    """`whsec_<base64>` is decoded, with or without padding; any other text is the key itself. Raises ValueError."""
    if not secret.startswith("whsec_"):
        if not secret:
            raise ValueError("the secret is empty: anybody could sign with it")
        return secret.encode()
    encoded = secret.removeprefix("whsec_").rstrip("=")
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    if len(key) not in KEY_BYTES:
        raise ValueError("a whsec_ secret holds 24 to 64 bytes")
    return key


Check = Callable[[bytes, bytes], bool]
"""Whether an entry of the signature header signs the content."""


def checker(secret: str) -> Check:
    """Return the check of a secret, or of a public key. Raises ValueError."""
    if secret.startswith("whpk_"):
        return public_key_checker(base64.b64decode(secret.removeprefix("whpk_"), validate=True))
    key = signing_key(secret)

    def check(content: bytes, entry: bytes) -> bool:
        ours = b"v1," + base64.b64encode(hmac.digest(key, content, "sha256"))
        return hmac.compare_digest(ours, entry)

    return check


def public_key_checker(key: bytes) -> Check:
    """Return the check of `v1a` entries: ed25519, which the standard library does not have. Raises ValueError."""
    from nacl.exceptions import BadSignatureError  # noqa: PLC0415 - only public keys need PyNaCl
    from nacl.signing import VerifyKey  # noqa: PLC0415

    public_key = VerifyKey(key)

    def check(content: bytes, entry: bytes) -> bool:
        version, _, text = entry.partition(b",")
        try:
            public_key.verify(content, base64.b64decode(text, validate=True))
        except (BadSignatureError, ValueError):
            return False
        return version == b"v1a"

    return check


def is_genuine(checks: Sequence[Check], webhook_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Check the raw body, before anything parses it. `signatures`: two, with a space between, during a rotation."""
    if not webhook_id or not re.fullmatch("[0-9]{1,12}", timestamp):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECS:
        return False
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return any(check(content, entry) for check in checks for entry in signatures.encode().split(b" "))


class Handled:
    """Ids of events that were handled. In memory, so that this file needs nothing else.

    A real service keeps them in its database: a unique key, written in the transaction of the work itself.
    """

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self._lock = threading.Lock()

    def once(self, webhook_id: str, body: bytes) -> bool:
        """Handle an event; False if that was done before. If `handle` raises, the id stays free, and it comes again."""
        with self._lock:  # the duplicate of an event that is being handled waits for its end
            if webhook_id in self._ids:
                return False
            handle(json.loads(body))
            self._ids[webhook_id] = None
            if len(self._ids) > MAX_KEPT_IDS:
                del self._ids[next(iter(self._ids))]
            return True


class Receiver(BaseHTTPRequestHandler):
    """200: handled, now or before. 401: not genuine. 411, 413: no length, or too long. 500: comes again."""

    timeout = READ_SECS
    checks: Sequence[Check] = ()
    handled = Handled()
    ends_after_one = False

    def do_POST(self) -> None:
        """Bound the body, verify it, then look whether it is new."""
        lengths = self.headers.get_all("content-length", [])
        if len(lengths) != 1 or not re.fullmatch("[0-9]{1,12}", lengths[0]) or "transfer-encoding" in self.headers:
            self._answer(411, "refused: one content-length is needed")
            return
        if int(lengths[0]) > MAX_BODY_BYTES:
            self._answer(413, "refused: too long")
            return
        body = self.rfile.read(int(lengths[0]))
        webhook_id, timestamp, signatures = (
            self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not is_genuine(self.checks, webhook_id, timestamp, signatures, body):
            self._answer(401, "refused: the signature is wrong, or the timestamp too old")
            return
        try:
            is_new = self.handled.once(webhook_id, body)
        except Exception as error:  # noqa: BLE001 - after any error the webhook must come again
            self._answer(500, f"failed: {type(error).__name__}")
            return
        self._answer(200, "handled" if is_new else "duplicate")
        if self.ends_after_one:
            threading.Thread(target=self.server.shutdown).start()

    def _answer(self, status: int, told: str) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
        print(told, file=sys.stderr, flush=True)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def main() -> None:
    """Serve on loopback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4099)
    parser.add_argument("--once", action="store_true", help="end after one genuine webhook")
    options = parser.parse_args()
    secrets = [os.environ.get("WEBHOOK_SECRET", ""), os.environ.get("WEBHOOK_PREVIOUS_SECRET")]
    Receiver.checks = [checker(secret) for secret in secrets if secret is not None]
    Receiver.ends_after_one = options.once
    with ThreadingHTTPServer(("127.0.0.1", options.port), Receiver) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}/", file=sys.stderr, flush=True)
        server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
