"""The host of a URL, for lanes and logs. Requests use the only URL parser, `address`."""

from urllib.parse import urlsplit

_MAX_HOST_CHARS = 255


def host_of(url: str) -> str:
    """Return the host of a URL without its port, in lower case; "" if the URL has none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host.rstrip(".")[:_MAX_HOST_CHARS]
