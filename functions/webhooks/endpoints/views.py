"""The response body of an endpoint, without secrets and header values."""

from functions.clock import to_rfc3339
from functions.http.json_body import Body
from functions.webhooks.endpoints.custom_headers import HIDDEN
from functions.webhooks.endpoints.model import DISABLE_AFTER_MS, Endpoint, Health


def endpoint_body(endpoint: Endpoint, now_ms: int) -> Body:
    """Return the body of one endpoint."""
    failing = endpoint.failing
    overlaps = len(endpoint.signing_boxes(now_ms)) > 1
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "headers": dict.fromkeys(endpoint.header_names, HIDDEN),
        "max_concurrency": endpoint.max_concurrency,
        "max_per_second": endpoint.max_per_second,
        "format": endpoint.format.value,
        "filters": endpoint.filters.values(),
        "payload": endpoint.payload.value,
        "api_version": endpoint.api_version,
        "health": endpoint.health(now_ms).value,
        "warning": _warning(endpoint, now_ms),
        "failing_since": to_rfc3339(failing.since_ms) if failing else None,
        "disabled_reason": endpoint.disabled_reason.value if endpoint.disabled_reason else None,
        "disabled_at": endpoint.disabled_at,
        "previous_secret_until": to_rfc3339(endpoint.previous_until_ms or 0) if overlaps else None,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def _warning(endpoint: Endpoint, now_ms: int) -> str | None:
    if endpoint.failing is None or endpoint.health(now_ms) is not Health.DEGRADED:
        return None
    since_ms = endpoint.failing.since_ms
    return (
        f"Every delivery since {to_rfc3339(since_ms)} has failed. Without a success, the endpoint is disabled "
        f"after {to_rfc3339(since_ms + DISABLE_AFTER_MS)}, and its deliveries pause."
    )
