"""What a run needs of root before there is a guest: host name, mounts, files. Called in its own namespaces."""

import mmap
import os
import socket

from sandbox_runtime.jail.controls import mounts
from sandbox_runtime.jail.inside import placement
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.protocol.wire import RunDescriptors, RunRequest, report_descriptors

_HOSTNAME = "rustbox-sandbox"


def _show_mounts(status_fd: int) -> None:
    """Let the supervisor count what is stored in the run's mounts."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    fds = [os.open(point, flags) for point, kept in mounts.PRIVATE_MOUNTS.items() if kept.kind == "tmpfs"]
    report_descriptors(status_fd, "mounted", fds)
    for fd in fds:
        os.close(fd)


def set_up(request: RunRequest, descriptors: RunDescriptors, terms: Terms) -> None:
    """Everything that needs root, before there is a guest."""
    socket.sethostname(_HOSTNAME)
    # A tmpfs is filled by whole pages.
    placed_bytes = sum(size + mmap.PAGESIZE for _, size, _ in request.files)
    mounts.mount_private(request.limits.memory_bytes, placed_bytes)
    if terms.in_user_namespace:
        _show_mounts(descriptors.status)
    placement.place(request.files, descriptors.streams.files, terms.uid)
    os.chown(mounts.WORKING_DIRECTORY, terms.uid, terms.uid)
