"""Incidents of your own for PagerDuty: one for each check in an outage. Put your integration key into it."""

import json
import sys

ROUTING_KEY = "0" * 32
DOWN = ("failing", "late", "error")

event = json.load(sys.stdin)
if event["type"] != "check.state.changed":
    print(json.dumps({"skip": True}))
    sys.exit()
is_down = event["state"] in DOWN
incident = {
    "routing_key": ROUTING_KEY,
    "event_action": "trigger" if is_down else "resolve",
    "dedup_key": event["check_id"],
}
if is_down:
    summary = f"{event['check_slug']} is {event['state']}"
    incident["payload"] = {"summary": summary, "source": event["check_slug"], "severity": "error"}
print(json.dumps({"body": incident}))
