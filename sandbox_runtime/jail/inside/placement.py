"""Write a run's files into its working directory, before any guest code runs."""

import os

from sandbox_runtime.jail.controls.mounts import WORKING_DIRECTORY
from sandbox_runtime.jail.protocol.wire import FilesTable


def place(files: FilesTable, files_fd: int, owner: int | None) -> None:
    """Write the files from `files_fd`. `owner`: user and group id; None: the caller owns them."""
    offset = 0
    for name, size, executable in files:
        # No guest exists yet, and O_EXCL refuses a name that is there already.
        fd = os.open(f"{WORKING_DIRECTORY}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            done = 0
            while done < size:
                done += os.sendfile(fd, files_fd, offset + done, size - done)
            # Mode before owner: afterwards only the owner may change it, and init keeps few capabilities.
            os.fchmod(fd, 0o755 if executable else 0o644)
            if owner is not None:
                os.fchown(fd, owner, owner)
        finally:
            os.close(fd)
        offset += size
