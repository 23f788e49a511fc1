"""Check the subjects of the commits of a push. GitHub's event comes as standard input."""

import json
import sys

MOST_CHARS = 72
push = json.load(sys.stdin)
problems = []
for commit in push["commits"]:
    subject = commit["message"].partition("\n")[0]
    if len(subject) > MOST_CHARS:
        problems.append(f"{commit['id'][:7]}: the subject has {len(subject)} characters of {MOST_CHARS}")
    if subject.lower().startswith(("wip", "fixup!")):
        problems.append(f"{commit['id'][:7]}: the commit is not finished")
print("\n".join(problems) or f"{len(push['commits'])} commits are good")
sys.exit(bool(problems))
