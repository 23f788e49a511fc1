"""Headers of a webhook request: what the endpoint's owner adds, under what we say ourselves."""

from collections.abc import Mapping

USER_AGENT = "rustbox-webhook/1"


def webhook_headers(
    webhook_id: str, timestamp_secs: int, signature: str, custom: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All headers but those of the connection. `custom`: lower-case names, which `core.custom_headers` has checked.

    Ours come last, so that no custom header can stand in for one of them.
    """
    return {
        **(custom or {}),
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_secs),
        "webhook-signature": signature,
    }
