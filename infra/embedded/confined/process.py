"""`python -m infra.embedded.confined.process SOCKET MODULE ARGUMENT...`: run a module whose AWS calls go to the socket.

The module itself knows nothing of it.
"""

import runpy
import sys
from pathlib import Path

from infra.embedded.confined.client import SocketCaller
from infra.embedded.hook import Hook


def main() -> None:
    """Attach the hook to every session that the module makes, then become the module."""
    path, module = Path(sys.argv.pop(1)), sys.argv.pop(1)
    Hook(SocketCaller(path)).attach_everywhere()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
