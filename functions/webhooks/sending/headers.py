"""Headers of a webhook request: what the endpoint's owner adds, under what we say ourselves."""

from collections.abc import Mapping

USER_AGENT = "rustbox-webhook/1"

# What frames a request is never the owner's to say, whatever an older rule let into a row.
_FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade"})


def webhook_headers(
    webhook_id: str, timestamp_secs: int, signature: str, custom: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All headers but those of the connection. `custom`: names which `core.custom_headers` has checked.

    Ours come last and all names are lower case, so that no custom header can stand in for one of ours.
    """
    lower = {name.lower(): value for name, value in (custom or {}).items()}
    return {
        **{name: value for name, value in lower.items() if name not in _FRAMING},
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_secs),
        "webhook-signature": signature,
    }
