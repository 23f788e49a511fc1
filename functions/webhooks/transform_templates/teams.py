"""A message of your own for Microsoft Teams: an Adaptive Card with a title and a text."""

import json
import sys

event = json.load(sys.stdin)
kind = event["type"]
title, text = kind, event["timestamp"]
if kind == "submission.completed":
    title, text = f"{event['result']['verdict']} in {event['language']}", event["output"]["stdout"][:500]
elif kind == "check.state.changed":
    title, text = event["check_slug"], f"{event['previous_state']} → {event['state']}"
card = {
    "type": "AdaptiveCard",
    "version": "1.4",
    "body": [
        {"type": "TextBlock", "text": title, "weight": "Bolder", "wrap": True},
        {"type": "TextBlock", "text": text, "wrap": True},
    ],
}
attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
print(json.dumps({"body": {"type": "message", "attachments": [attachment]}}))
