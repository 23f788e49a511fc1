"""Check the subjects of the commits of a push. GitHub's event comes as standard input."""

import json
import os
import sys
import urllib.request

MOST_CHARS = 72
push = json.load(sys.stdin)
problems = []
for commit in push["commits"]:
    subject = commit["message"].partition("\n")[0]
    if len(subject) > MOST_CHARS:
        problems.append(f"{commit['id'][:7]}: the subject has {len(subject)} characters of {MOST_CHARS}")
    if subject.lower().startswith(("wip", "fixup!")):
        problems.append(f"{commit['id'][:7]}: the commit is not finished")
    if github := os.environ.get("RUSTBOX_SECRET_GITHUB_URL"):
        address = f"{github}/repos/{push['repository']['full_name']}/commits/{commit['id']}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            if not json.load(answer)["commit"]["verification"]["verified"]:
                problems.append(f"{commit['id'][:7]}: the commit has no valid signature")
print("\n".join(problems) or f"{len(push['commits'])} commits are good")
sys.exit(bool(problems))
