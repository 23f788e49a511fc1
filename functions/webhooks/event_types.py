"""Types of the events that webhooks and the event bus carry."""

EVENT_COMPLETED = "submission.completed"
EVENT_DISABLED = "endpoint.disabled"
"""Sent to the project's other endpoints when a 410 or days of failures disabled one."""
EVENT_TEST = "webhook.test"
"""Sent on request only; event filters do not apply."""
FILTERABLE_EVENTS = (EVENT_COMPLETED, EVENT_DISABLED)
