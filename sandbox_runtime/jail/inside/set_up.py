"""Set-up steps of a run that need root: host name, mounts, files. Call them in the run's own namespaces."""

import errno
import mmap
import os
import socket

from sandbox_runtime.jail.controls import mounts
from sandbox_runtime.jail.controls.mounts import WORKING_DIRECTORY
from sandbox_runtime.jail.controls.own_inodes import show_files
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.protocol.wire import FilesTable, RunDescriptors, RunRequest


def place(files: FilesTable, files_fd: int, owner: int | None) -> None:
    """Write the files from `files_fd`. `owner`: user and group id; None: the caller owns them."""
    offset = 0
    for name, size, executable in files:
        _write(f"{WORKING_DIRECTORY}/{name}", files_fd, offset, size, 0o755 if executable else 0o644, owner)
        offset += size


def place_inputs(request: RunRequest, descriptors: RunDescriptors, owner: int) -> None:
    """Write the files of a request, show the read-only ones of its folder, and give the guest the working directory.

    Call it as root, in the guest's memory group, before guest code exists. The copies then count as the guest's memory.
    Raises OSError and JailError.
    """
    offset = sum(size for _, size, _ in request.files)
    shown, folders = {}, [WORKING_DIRECTORY]
    for path, size, read_only, sha256 in request.inputs:
        target = f"{WORKING_DIRECTORY}/{path}"
        folders += _made_folders(path)
        # Root owns a read-only file, so that the guest cannot change its mode.
        mode, file_owner = (0o444, None) if read_only else (0o644, owner)
        if not sha256:
            _write(target, descriptors.streams.files, offset, size, mode, file_owner)
            offset += size
        elif read_only:
            _write(target, descriptors.streams.files, 0, 0, mode, file_owner)
            shown[target] = sha256
        else:
            stored = os.open(sha256, os.O_RDONLY | os.O_CLOEXEC, dir_fd=descriptors.inputs_folder[0])
            try:
                _write(target, stored, 0, size, mode, file_owner)
            finally:
                os.close(stored)
    if shown:
        show_files(descriptors.inputs_folder[0], shown)
    # At last: root in a container may have no right to write into folders of others.
    for folder in folders:
        os.chown(folder, owner, owner)


def _made_folders(path: str) -> list[str]:
    """Make the missing folders of a relative path. Only we have made folders here, so no link leads elsewhere."""
    folder, made = WORKING_DIRECTORY, []
    for part in path.split("/")[:-1]:
        folder = f"{folder}/{part}"
        try:
            os.mkdir(folder, 0o755)
        except FileExistsError:
            continue
        os.chmod(folder, 0o755)  # noqa: S103 - whatever the umask is
        made.append(folder)
    return made


def _write(path: str, source: int, offset: int, size: int, mode: int, owner: int | None) -> None:
    # No guest exists yet, and O_EXCL refuses a name that is there already.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        done = 0
        while done < size:
            sent = os.sendfile(fd, source, offset + done, size - done)
            if not sent:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)  # the source is shorter than the table says
            done += sent
        # Mode before owner: afterwards only the owner may change it, and init keeps few capabilities.
        os.fchmod(fd, mode)
        if owner is not None:
            os.fchown(fd, owner, owner)
    finally:
        os.close(fd)


_HOSTNAME = "rustbox-sandbox"


def set_up(request: RunRequest, descriptors: RunDescriptors, terms: Terms) -> None:
    """Do all set-up that needs root. Call it before guest code exists."""
    socket.sethostname(_HOSTNAME)
    # A tmpfs is filled by whole pages.
    placed_bytes = sum(size + mmap.PAGESIZE for _, size, _ in request.files)
    # The memory limit bounds those of a request, not the size of the file system.
    placed_bytes += sum(size + mmap.PAGESIZE for _, size, _, _ in request.inputs)
    mounts.mount_private(request.limits.memory_bytes, placed_bytes)
    place(request.files, descriptors.streams.files, terms.uid)
    if not request.inputs:  # else `place_inputs` does so
        os.chown(WORKING_DIRECTORY, terms.uid, terms.uid)
