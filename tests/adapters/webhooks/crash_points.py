"""Failpoints at which the state machines of deliveries crash."""

from __future__ import annotations

WEBHOOK_POINTS = (
    "webhook.after_claim",
    "webhook.after_send",
    "webhook.after_record",
    "webhook.after_park",
    "webhook.after_release",
    "waking.after_take_out",
    "disabled_event.before_done",
    "transform.before_begin",
    "transform.after_create",
    "transform.after_begin",
)
