"""Types of the events that webhooks and the event bus carry."""

EVENT_COMPLETED = "submission.completed"
EVENT_JUDGED = "judge.completed"
EVENT_DISABLED = "endpoint.disabled"
"""Sent to the project's other endpoints when a 410 or days of failures disabled one."""
EVENT_TEST = "webhook.test"
"""Sent on request only; event filters do not apply."""
EVENT_CHECK_CHANGED = "check.state.changed"
EVENT_CHECK_RUN = "check.run.completed"
EVENT_CHECK_MISSED = "check.run.missed"
FILTERABLE_EVENTS = (
    *(EVENT_COMPLETED, EVENT_JUDGED, EVENT_DISABLED),
    *(EVENT_CHECK_CHANGED, EVENT_CHECK_RUN, EVENT_CHECK_MISSED),
)
NAMED_ONLY_EVENTS = frozenset({EVENT_CHECK_RUN, EVENT_CHECK_MISSED})
"""Events of every run of a check: only endpoints whose filter names them get them."""
SUBMISSION_EVENTS = frozenset({EVENT_COMPLETED, EVENT_JUDGED})
"""Events of the end of a submission: each can be made again from its row."""
