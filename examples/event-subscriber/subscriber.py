"""Log each run that did not end with AC. An event may come twice: compare `detail.id`."""

import json
from typing import Any


def handler(event: dict[str, Any], _context: object) -> None:
    """Handle one event of the bus. Its body is `detail`, with the project."""
    run = event["detail"]
    print(json.dumps({"id": run["id"], "verdict": run["verdict"], "language": run["language"]}))
