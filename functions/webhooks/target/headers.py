"""Headers of a webhook request. Our headers override custom headers."""

from collections.abc import Mapping

from functions.webhooks.vocabulary.event_types import CURRENT_VERSION

USER_AGENT = "rustbox-webhook/1"

# Never sent as custom headers, even if the row has them.
_FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade"})


def webhook_headers(
    webhook_id: str,
    timestamp_secs: int,
    signature: str,
    custom: Mapping[str, str] | None = None,
    api_version: str = CURRENT_VERSION,
    traceparent: str = "",
    of_body: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return all headers except those of the connection. `custom` was checked by `custom_headers`.

    `of_body`: those that describe it, if its format has any.

    Ours come last and all names are lower case, so that no custom header can replace ours.
    """
    lower = {name.lower(): value for name, value in (custom or {}).items()}
    return {
        **{name: value for name, value in lower.items() if name not in _FRAMING},
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_secs),
        "webhook-signature": signature,
        "webhook-api-version": api_version,
        **({"traceparent": traceparent} if traceparent else {}),
        **(of_body or {}),
    }
