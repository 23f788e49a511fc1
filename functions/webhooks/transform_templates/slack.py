"""A message of your own for Slack: a text, and a link to the result."""

import json
import sys

event = json.load(sys.stdin)
kind = event["type"]
if kind == "submission.completed":
    text = f"*{event['result']['verdict']}* of a run in {event['language']}\n```{event['output']['stdout'][:500]}```"
elif kind == "check.state.changed":
    text = f"Check *{event['check_slug']}* is {event['state']} (it was {event['previous_state']})"
else:
    text = f"Event `{kind}` at {event['timestamp']}"
print(json.dumps({"body": {"text": text}}))
