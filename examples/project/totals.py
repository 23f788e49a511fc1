"""Print the total that the nightly report must have."""

import json

print(json.dumps({"total": sum(range(100))}))
