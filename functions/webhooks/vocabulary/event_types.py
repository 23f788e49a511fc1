"""Types of the events of webhooks and the event bus, and versions of their fields."""

from typing import Final

CURRENT_VERSION = "2026-11-27"
"""An endpoint keeps the version with which it was created."""
API_VERSIONS = (CURRENT_VERSION,)

EVENT_COMPLETED: Final = "submission.completed"
EVENT_JUDGED: Final = "judge.completed"
EVENT_DISABLED = "endpoint.disabled"
EVENT_DEGRADED = "endpoint.degraded"
EVENT_RECOVERED = "endpoint.recovered"
EVENT_EXHAUSTED = "delivery.exhausted"
ALERT_EVENTS = frozenset({EVENT_DISABLED, EVENT_DEGRADED, EVENT_RECOVERED, EVENT_EXHAUSTED})
"""Sent to the project's other endpoints. A failed delivery of an alert raises no alert: it counts in no rate."""
EVENT_TEST = "webhook.test"
"""Sent on request only; event filters do not apply."""
EVENT_REPORT: Final = "check.report"
"""The report of a run to another service. Only its one delivery has it, no endpoint and no bus; lists leave it out."""
EVENT_CHECK_CHANGED = "check.state.changed"
EVENT_CHECK_RUN = "check.run.completed"
EVENT_CHECK_MISSED = "check.run.missed"
FILTERABLE_EVENTS = (
    *(EVENT_COMPLETED, EVENT_JUDGED),
    *(EVENT_EXHAUSTED, EVENT_DEGRADED, EVENT_DISABLED, EVENT_RECOVERED),
    *(EVENT_CHECK_CHANGED, EVENT_CHECK_RUN, EVENT_CHECK_MISSED),
)
NAMED_ONLY_EVENTS = frozenset({EVENT_CHECK_RUN, EVENT_CHECK_MISSED})
"""Events of every run of a check: only endpoints whose filter names them get them."""
INCIDENT_EVENTS = ALERT_EVENTS | {EVENT_CHECK_CHANGED}
"""Events that open or end an incident. A service for incidents gets only these."""
SUBMISSION_EVENTS = frozenset({EVENT_COMPLETED, EVENT_JUDGED})
"""Events of the end of a submission: each can be made again from its row."""
