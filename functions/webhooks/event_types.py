"""Types of the events that webhooks and the event bus carry."""

EVENT_COMPLETED = "submission.completed"
EVENT_DISABLED = "endpoint.disabled"
"""Tells the project's other endpoints that one was disabled, by a 410 or by days of failures."""
EVENT_TEST = "webhook.test"
"""Sent on request only, whatever the filters of the endpoint say."""
FILTERABLE_EVENTS = (EVENT_COMPLETED, EVENT_DISABLED)
