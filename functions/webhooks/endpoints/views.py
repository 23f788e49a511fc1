"""The response body of an endpoint, without secrets and header values."""

from functions.clock import to_rfc3339
from functions.http.json_body import Body
from functions.webhooks.endpoints.custom_headers import HIDDEN
from functions.webhooks.endpoints.health_rule import DEGRADED_FROM, RECOVERED_TO
from functions.webhooks.endpoints.model import DISABLE_AFTER_MS, Endpoint, Health
from functions.webhooks.endpoints.traffic import Rate


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
        "ordered": endpoint.ordered,
        "asymmetric": endpoint.public_key is not None,
        "public_key": endpoint.public_key,
        "health": endpoint.health(now_ms).value,
        "warning": _warning(endpoint, now_ms),
        "degraded_at": endpoint.degraded_at,
        "stats": {
            "last_hour": _rate_body(endpoint.traffic.last_hour(now_ms)),
            "last_day": _rate_body(endpoint.traffic.last_day(now_ms)),
        },
        "failing_since": to_rfc3339(failing.since_ms) if failing else None,
        "disabled_reason": endpoint.disabled_reason.value if endpoint.disabled_reason else None,
        "disabled_at": endpoint.disabled_at,
        "previous_secret_until": to_rfc3339(endpoint.previous_until_ms or 0) if overlaps else None,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def _rate_body(rate: Rate) -> Body:
    attempts = round(rate.attempts)
    success_rate = round(1 - rate.failed_share, 4) if attempts else None
    return {"attempts": attempts, "failures": min(round(rate.failures), attempts), "success_rate": success_rate}


def _warning(endpoint: Endpoint, now_ms: int) -> str | None:
    if endpoint.health(now_ms) is not Health.DEGRADED:
        return None
    if endpoint.failing is None or not endpoint.is_failing_long(now_ms):
        return (
            f"Degraded since {endpoint.degraded_at}: at least {DEGRADED_FROM:.0%} of the attempts failed. It has "
            f"recovered when at most {RECOVERED_TO:.0%} fail."
        )
    since_ms = endpoint.failing.since_ms
    return (
        f"Every delivery since {to_rfc3339(since_ms)} has failed. Without a success, the endpoint is disabled "
        f"after {to_rfc3339(since_ms + DISABLE_AFTER_MS)}, and its deliveries pause."
    )
