"""`rustbox`: the command line client. It uses only the HTTP contract of the service."""

import sys

# httpx's own command line, which `import httpx` brings along, takes a fifth of the time of a short command.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: its import fails, which httpx allows

VERSION = "0.1.0"
