"""Set-up steps of a run that need root: host name, mounts, files. Call them in the run's own namespaces."""

import mmap
import os
import socket

from sandbox_runtime.jail.controls import mounts
from sandbox_runtime.jail.inside import placement
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.protocol.wire import RunDescriptors, RunRequest, report_descriptors

_HOSTNAME = "rustbox-sandbox"


def _send_mounts(status_fd: int) -> None:
    """Send the supervisor the run's mounts, so that it can count the bytes stored in them."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    fds = [os.open(point, flags) for point, kept in mounts.PRIVATE_MOUNTS.items() if kept.kind == "tmpfs"]
    report_descriptors(status_fd, "mounted", fds)
    for fd in fds:
        os.close(fd)


def set_up(request: RunRequest, descriptors: RunDescriptors, terms: Terms) -> None:
    """Do all set-up that needs root. Call it before guest code exists."""
    socket.sethostname(_HOSTNAME)
    # A tmpfs is filled by whole pages.
    placed_bytes = sum(size + mmap.PAGESIZE for _, size, _ in request.files)
    # The memory limit bounds those of a request, not the size of the file system.
    placed_bytes += sum(size + mmap.PAGESIZE for _, size, _, _ in request.inputs)
    mounts.mount_private(request.limits.memory_bytes, placed_bytes)
    if terms.in_user_namespace:
        _send_mounts(descriptors.status)
    placement.place(request.files, descriptors.streams.files, terms.uid)
    if not request.inputs:  # else `place_inputs` does so
        os.chown(mounts.WORKING_DIRECTORY, terms.uid, terms.uid)
