"""`python -m infra.embedded.confined.process SOCKET ARGUMENT...`: the runner, its AWS calls going to the socket.

The runner itself knows nothing of it. Arguments are those of `python -m sandbox_runtime`.
"""

import runpy
import sys
from pathlib import Path

from infra.embedded.confined.client import SocketCaller
from infra.embedded.hook import Hook


def main() -> None:
    """Attach the hook to every session that the runner makes, then become the runner."""
    path = Path(sys.argv.pop(1))
    Hook(SocketCaller(path)).attach_everywhere()
    runpy.run_module("sandbox_runtime", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
