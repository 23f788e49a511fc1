"""`python -m infra.embedded.confined.process SOCKET MODULE ARGUMENT...`: run a module whose AWS calls go to the socket.

The module itself knows nothing of it. CONFINED_TIMEOUT_SECS: how long an answer may take.
"""

import os
import runpy
import sys
from pathlib import Path

from infra.embedded import leave_out_developer_packages
from infra.embedded.confined.protocol import SocketCaller


def main() -> None:
    """Attach the hook to every session that the module makes, then become the module."""
    path, module = Path(sys.argv.pop(1)), sys.argv.pop(1)
    timeout = os.environ.get("CONFINED_TIMEOUT_SECS", "")
    leave_out_developer_packages()
    from infra.embedded.hook import Hook, share_descriptions  # noqa: PLC0415 - botocore

    share_descriptions()
    Hook(SocketCaller(path, int(timeout) if timeout.isdecimal() else None)).attach_everywhere()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
