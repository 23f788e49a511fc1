"""A message of your own for Discord, which mentions nobody."""

import json
import sys

event = json.load(sys.stdin)
kind = event["type"]
if kind == "submission.completed":
    text = f"**{event['result']['verdict']}** of a run in {event['language']}"
elif kind == "check.state.changed":
    text = f"Check **{event['check_slug']}** is {event['state']} (it was {event['previous_state']})"
else:
    text = f"Event `{kind}` at {event['timestamp']}"
print(json.dumps({"body": {"content": text[:2000], "allowed_mentions": {"parse": []}}}))
