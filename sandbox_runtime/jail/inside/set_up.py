"""Set-up steps of a run that need root: host name, mounts, files. Call them in the run's own namespaces."""

import mmap
import os
import socket

from sandbox_runtime.jail.controls import mounts
from sandbox_runtime.jail.inside import placement
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.protocol.wire import RunDescriptors, RunRequest

_HOSTNAME = "rustbox-sandbox"


def set_up(request: RunRequest, descriptors: RunDescriptors, terms: Terms) -> None:
    """Do all set-up that needs root. Call it before guest code exists."""
    socket.sethostname(_HOSTNAME)
    # A tmpfs is filled by whole pages.
    placed_bytes = sum(size + mmap.PAGESIZE for _, size, _ in request.files)
    # The memory limit bounds those of a request, not the size of the file system.
    placed_bytes += sum(size + mmap.PAGESIZE for _, size, _, _ in request.inputs)
    mounts.mount_private(request.limits.memory_bytes, placed_bytes)
    placement.place(request.files, descriptors.streams.files, terms.uid)
    if not request.inputs:  # else `place_inputs` does so
        os.chown(mounts.WORKING_DIRECTORY, terms.uid, terms.uid)
