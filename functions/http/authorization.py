"""The API key in an Authorization header."""

import base64
import binascii


def key_of(authorization: str) -> str:
    """Return the token of `Bearer`, or the password of `Basic`, as clients send that of a URL; empty for any other."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
